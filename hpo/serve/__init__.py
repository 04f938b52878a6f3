"""`hpo serve`: experiments in a browser while they run, from their event logs; it only looks."""
