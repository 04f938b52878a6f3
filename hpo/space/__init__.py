"""Search spaces: domains, conditional hyperparameters and priors from YAML, and the unit cube that searchers see."""
