"""`hpo VERB …`: a module per verb."""
