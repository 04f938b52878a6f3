"""Figures: described once as data, and drawn with matplotlib for print; live pages draw the same descriptions.

experiment = hpo.load_experiment("outputs/TAG/BENCHMARK/METHOD/seed_0")
ax = hpo.figures.anytime(experiment)             # axes of a new figure, or those passed as `ax`
hpo.figures.regret(hpo.analysis.compare("TAG")).figure.savefig("regret.pdf")
hpo.figures.save_all("TAG", "figures/", format="svg")
"""

from hpo.figures.plots import (
    anytime,
    attained,
    curves,
    differences,
    front,
    hypervolume,
    importance,
    parallel,
    ranks,
    regret,
    rungs,
    seeds,
    slice_of,
    slices,
    workers,
)
from hpo.figures.saving import FORMATS, OF_COMPARISON, OF_EXPERIMENT, save, save_all

__all__ = [
    "FORMATS",
    "OF_COMPARISON",
    "OF_EXPERIMENT",
    "anytime",
    "attained",
    "curves",
    "differences",
    "front",
    "hypervolume",
    "importance",
    "parallel",
    "ranks",
    "regret",
    "rungs",
    "save",
    "save_all",
    "seeds",
    "slice_of",
    "slices",
    "workers",
]
