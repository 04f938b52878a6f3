"""Export of experiments: one portable file, tables, and the storage formats of Optuna and of experiment trackers."""
