"""`hydra/sweeper=hpo` tunes a Hydra app. Every Hydra app in the environment loads this, which imports what it uses late."""
