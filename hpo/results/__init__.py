"""What is left of an experiment: `load_experiment`, rows, and the files made from the log."""
