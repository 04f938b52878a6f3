"""The command line: arguments become overrides, Hydra composes experiments from them, a launcher runs each."""
