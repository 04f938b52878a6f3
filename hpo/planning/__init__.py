"""What a command would do, and what it would cost, before it is given."""
