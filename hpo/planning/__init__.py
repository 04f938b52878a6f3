"""What a command would run, take and cost, before it is given."""
