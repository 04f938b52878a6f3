"""An experiment on disk: its directory, its event store, locks, tags, and finding the experiments of a place."""
