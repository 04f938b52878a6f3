"""Warm starts: which results of earlier experiments a new experiment can use, and how."""
