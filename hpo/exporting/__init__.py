"""Experiments in other forms: one portable file, tables, and the stores of other tools."""
