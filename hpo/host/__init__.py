"""The trial host: one process per experiment that starts all trials. Standard library only."""
