"""Configuration: the schema, its checks, reading and writing YAML, and mistakes in one sentence."""
