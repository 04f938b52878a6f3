"""One experiment, from its configuration to its results; and many at once."""
