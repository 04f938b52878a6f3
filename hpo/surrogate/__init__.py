"""Models for tuning, fronts and hypervolumes, in float64 NumPy and SciPy: pure functions of their arguments."""
