"""What searches learn with, in NumPy and SciPy: Gaussian processes, densities, evolution. All of it pure functions."""
