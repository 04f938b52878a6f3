"""What searches learn with, in NumPy and SciPy: Gaussian processes, densities, evolution; pure functions of their arguments."""
