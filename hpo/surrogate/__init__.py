"""What searches learn with: Gaussian processes, densities, evolution, fronts. Pure functions in NumPy and SciPy."""
