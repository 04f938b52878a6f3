"""A Gaussian process for tuning: encoding, targets, kernel, fit, posterior, acquisition, candidates, cost.

Everything is float64 NumPy and SciPy, and a pure function of its arguments.
"""
