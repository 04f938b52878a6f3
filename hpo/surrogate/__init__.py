"""A Gaussian process for tuning, in float64 NumPy and SciPy: pure functions of their arguments."""
