"""An experiment on disk: its directory, event store, locks and tag, a full disk, and the search for experiments."""
