"""Surrogate models and optimisers for searchers: Gaussian processes, density estimates, evolution, Pareto fronts."""
