"""The loop: reports and exits in, decisions out, committed, then acted on; and when an experiment ends."""
