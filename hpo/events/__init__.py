"""Events: the values that travel through an experiment, and what is folded from them."""
