"""Events: the values that travel through an experiment, and the states that are computed from them."""
