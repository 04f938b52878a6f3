"""Experiments in other forms: one portable file, tables, and the stores of other tools. All are made from the event store."""
