"""Synthetic tabular benchmarks with a stated correlation of early and final values, from faithful to misleading.

`generated/FAMILY/SEED` has four hyperparameters with eight levels, 4,096 configurations, two trainings of each, and 27
epochs. Let y be the final value of a configuration, a standardised smooth random function of it. Its loss after r of R
epochs is

    exp(0.5·(y + h(r) + n(r)·w)),   w = -κ·y + sqrt(1 - κ²)·(0.7·u + 0.714·e),   h(r) = 3·(r^-0.5 - R^-0.5)/(1 - R^-0.5)

where u is another standardised smooth function of the configuration, uncorrelated with y, and e is standard normal for each
cell. κ is 0, but 0.7 in the misleading family, in which configurations that end well start badly. n(r) is such that the
correlation of losses at r and R (on the log scale) is

    ρ(r) = 1 - (1 - ρ₁)·(1 - log r / log R)^1.2,    ρ₁ = 0.9 faithful, 0.5 typical, -0.5 misleading

Seconds per epoch differ between configurations by a smooth factor around 1, with quartiles 0.5 and 2.
"""

import itertools
import math

import numpy as np

from hpo.errors import ConfigError
from hpo.randomness import Randomness
from hpo.surrogate.arrays import Floats
from hpo.tables.synthetic_curves import smooth_function, target_correlation
from hpo.tables.table import Table

FAMILIES = {"faithful": 0.9, "typical": 0.5, "misleading": -0.5}
"""Family -> ρ₁, the correlation of losses after the first epoch with final losses."""

_LEVELS, _DIMENSIONS, _EPOCHS, _REPLICATES = 8, 4, 27, 2


def stated_correlation(family: str, resource: int) -> float:
    """Return the correlation ρ(r) of a family's losses at a resource with its final losses."""
    return target_correlation(resource, _EPOCHS, FAMILIES[family])


def generate(name: str) -> Table:
    """Generate the table generated/FAMILY/SEED.

    Raises:
        ConfigError: There is no such family, or the seed is not a number.
    """
    family, _, number = name.removeprefix("generated/").partition("/")
    if family not in FAMILIES or not number.isdecimal():
        raise ConfigError(f"benchmark.table={name}: use generated/FAMILY/SEED with a family of {', '.join(FAMILIES)}")
    randomness = Randomness(0, int(number))
    indices = np.array(list(itertools.product(range(_LEVELS), repeat=_DIMENSIONS)))
    points = (indices + 0.5) / _LEVELS
    final = smooth_function(points, randomness.stream(f"generated/{family}/final"))
    region = smooth_function(points, randomness.stream(f"generated/{family}/region"))
    region = region - final * (region @ final) / (final @ final)  # uncorrelated, as ρ(r) requires
    region = region / region.std()
    pace = np.exp(smooth_function(points, randomness.stream(f"generated/{family}/pace")))
    losses = np.stack([_losses(family, final, region, randomness, s) for s in range(_REPLICATES)], axis=1)
    seconds = pace[:, None, None] * np.arange(1.0, _EPOCHS + 1) * np.ones((1, _REPLICATES, 1))
    about = {
        "name": name.replace("/", "-"),
        "config_space": {f"x{i}": {"type": "ordinal", "values": list(range(_LEVELS))} for i in range(_DIMENSIONS)},
        "metric": "loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource": _EPOCHS,
        "metrics": ["loss"],
        "provenance": f"hpo.tables.synthetic_tables, family {family}, seed {number}",
        "licence": "CC0-1.0",
        "data_label": "synthetic",
    }
    return Table(about, {f"x{i}": indices[:, i] for i in range(_DIMENSIONS)}, {"loss": losses}, seconds)


def _losses(family: str, final: Floats, region: Floats, randomness: Randomness, replicate: int) -> Floats:
    """Return the (N, R) losses of one training of every configuration."""
    resources = np.arange(1.0, _EPOCHS + 1)
    end = _EPOCHS**-0.5
    gap = 3.0 * (resources**-0.5 - end) / (1 - end)
    noise = randomness.stream(f"generated/{family}/noise", replicate).standard_normal((len(final), _EPOCHS))
    kappa = 0.7 if FAMILIES[family] < 0 else 0.0
    rho = np.array([stated_correlation(family, int(r)) for r in resources[:-1]])
    strength = np.append(1.0 / (kappa + rho * np.sqrt((1 - kappa**2) / (1 - rho**2))), 0.0)
    wobble = -kappa * final[:, None] + math.sqrt(1 - kappa**2) * (0.7 * region[:, None] + 0.714 * noise)
    return np.asarray(np.exp(0.5 * (final[:, None] + gap + strength * wobble)))
