"""`hpo serve`: live web pages about experiments, made from their event logs."""
