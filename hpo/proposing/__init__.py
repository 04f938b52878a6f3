"""Proposal of a benchmark for an existing program, from its source, its help, and what it prints (`hpo init`)."""
