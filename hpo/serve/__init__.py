"""The web page of `hpo serve`: experiments in a browser while they run, read from their event logs."""
