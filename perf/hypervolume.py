"""CPU time of the hypervolume of 500 points, of which none dominates another, and of each beginning of their list.

    python perf/hypervolume.py

The points lie on a sphere seen from outside; medians of ten.
"""

import time
from statistics import median

import numpy as np

from hpo.surrogate.hypervolume import hypervolume, volumes

POINTS, REPETITIONS = 500, 10


def main() -> None:
    """Print a line for each number of objectives."""
    for m in (2, 3, 4):
        normal = np.abs(np.random.default_rng(m).normal(size=(POINTS, m)))
        losses = 1.1 - normal / np.linalg.norm(normal, axis=1, keepdims=True)
        taken = []
        for compute in (hypervolume, volumes):
            seconds = []
            for _ in range(REPETITIONS):
                began = time.process_time()
                compute(losses, np.full(m, 1.2))
                seconds.append(time.process_time() - began)
            taken.append(f"{1000 * median(seconds):.3g} ms")
        print(f"{m} objectives: hypervolume {taken[0]}, of each beginning {taken[1]}")


if __name__ == "__main__":
    main()
