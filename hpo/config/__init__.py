"""Configuration: the schema, its checks, composing, reading and writing YAML, and mistakes in one sentence."""
