"""The command line: words, Hydra, jobs, launch. Hydra ends here."""
