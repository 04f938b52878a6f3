"""Configuration: the schema and its checks, composing with Hydra, YAML files, and errors that name the wrong key."""
