"""An experiment on disk: directory, event store, locks, tags, a disk that is full, and finding the experiments of a place."""
