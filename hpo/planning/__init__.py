"""Planning a command before it runs: its experiments, their expected time and cost, and warnings."""
