"""Results of an experiment: `load_experiment`, table rows, and the files made from its event log."""
