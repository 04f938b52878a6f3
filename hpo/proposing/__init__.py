"""What a program takes, read from its source or its help, and a benchmark proposed from it."""
