"""The trial host: one process per experiment that forks all its trials. Standard library only."""
