"""What a terminal shows while experiments run, and when they are over."""
