"""What must hold when things go wrong. `make reliability` runs all of it; the suite runs a bounded share."""
