"""Running one experiment from its configuration to its results, or many simulated ones at once."""
