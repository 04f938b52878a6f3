"""Looking at experiments while they run: what is known, folded as events come, and how it is shown."""
