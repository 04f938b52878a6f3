"""The commands `hpo COMMAND …`, one module each."""
