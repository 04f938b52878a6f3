"""The command line: words become overrides, Hydra composes jobs, a launcher takes each."""
