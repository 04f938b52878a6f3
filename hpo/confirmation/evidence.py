"""Statistics of a confirmation: which candidates are worth another training, and what their results show.

Candidates are trained with the same seeds, so that a seed which is hard for one is usually hard for all. Results follow the
additive model of a two-way layout, loss = candidate + seed + noise, by which differences between candidates are judged
(Fisher, Statistical Methods for Research Workers, 1925, section 48).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpo.analysis.significance import holm

Losses = Sequence[Sequence[float]]
"""Losses of each candidate with the first seeds, one per seed; candidates that were dropped have fewer. All are finite."""

FEWEST_SEEDS = 2
"""Number of seeds after which a candidate may be dropped."""
WORTHWHILE = 0.05
"""Gain that a further training must promise, in standard deviations of the noise: at 0.05 a simulated confirmation with five
seeds saves a third of its trainings, and the configuration that it chooses is as good as without (`perf/confirmation.py`)."""
LEVEL = 0.05
"""Error probability of intervals and tests."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Contrast:
    """The difference between another candidate's mean loss and that of the chosen one, over their common seeds."""

    difference: Interval
    p_value: float
    """Two-sided, corrected for the number of candidates."""

    @property
    def is_clear(self) -> bool:
        """Whether the chosen candidate is better beyond the noise of training."""
        return self.p_value <= LEVEL


def worthwhile(losses: Losses, seeds: int) -> list[int]:
    """Return the indices of candidates that are worth training with the next seed; no more than one ends a confirmation.

    A candidate stays if the trainings that are left may be expected to show that taking it, and not the one that is best so
    far, lowers the loss by more than `WORTHWHILE` of the noise: the knowledge gradient of Frazier, Powell and Dayanik (SIAM
    J. Control Optim. 2008) for a pair of candidates with a common unknown variance.

    Args:
        losses: Results so far.
        seeds: Number of seeds that the confirmation has at most.
    """
    from scipy.stats import t

    done = max(map(len, losses))
    alive = [index for index, values in enumerate(losses) if len(values) == done]
    if done >= seeds:
        return []
    if done < FEWEST_SEEDS or len(alive) == 1:
        return alive if done < FEWEST_SEEDS else []
    means = np.array([np.mean(losses[index]) for index in alive])
    noise, freedom = noise_of([losses[index] for index in alive])
    behind = means - means.min()
    first = int(means.argmin())
    if noise == 0:
        kept = behind == 0
        kept[first] = kept.sum() != 1  # candidates without noise that differ need no further seed
    elif freedom < 2:
        kept = np.ones(len(alive), dtype=bool)
    else:
        spread = noise * np.sqrt(2 / done - 2 / seeds)
        x = behind / spread
        gain = spread * ((freedom + x**2) / (freedom - 1) * t.pdf(x, freedom) - x * t.sf(x, freedom))
        kept = gain > WORTHWHILE * noise
        kept[first] = True
    left = [index for index, keep in zip(alive, kept, strict=True) if keep]
    return left if len(left) > 1 else []


def noise_of(losses: Losses) -> tuple[float, int]:
    """Return the standard deviation of the noise in the additive model, and its degrees of freedom; (0, 0) without any."""
    cells = [(k, s) for k, values in enumerate(losses) for s in range(len(values))]
    seeds = max(map(len, losses))
    design = np.zeros((len(cells), len(losses) + seeds))
    for row, (k, s) in enumerate(cells):
        design[row, k] = design[row, len(losses) + s] = 1.0
    values = np.array([losses[k][s] for k, s in cells])
    scale = np.abs(values).max() or 1.0
    solution, _, rank, _ = np.linalg.lstsq(design, values / scale, rcond=None)
    freedom = len(cells) - int(rank)
    if freedom < 1:
        return 0.0, 0
    residuals = np.round(values / scale - design @ solution, 12)
    return float(np.sqrt((residuals**2).sum() / freedom) * scale), freedom


def choose(losses: Losses) -> int:
    """Return the index of the candidate to take: the lowest mean of those with all seeds, and the first of equal ones."""
    done = max(map(len, losses))
    return min((k for k, values in enumerate(losses) if len(values) == done), key=lambda k: float(np.mean(losses[k])))


def mean_of(losses: Losses, candidate: int) -> Interval:
    """Return the mean loss of a candidate with its confidence interval, of infinite width after a single seed.

    The variance between seeds is that of all candidates together. Its degrees of freedom lie between those of one candidate,
    if seeds move all alike, and their sum, if every training has noise of its own; halfway the interval covers the true mean
    of the candidate that was chosen in 93 to 97 % of simulated confirmations (`perf/confirmation.py`).
    """
    from scipy.stats import t

    own = np.array(losses[candidate])
    freedoms = [len(values) - 1 for values in losses]
    squares = [float(np.var(values) * len(values)) for values in losses]
    if len(own) < FEWEST_SEEDS:
        return Interval(float(own.mean()), -np.inf, np.inf)
    freedom = round((len(own) - 1 + sum(freedoms)) / 2)
    half = float(t.ppf(1 - LEVEL / 2, freedom) * np.sqrt(sum(squares) / sum(freedoms) / len(own)))
    return Interval(float(own.mean()), float(own.mean() - half), float(own.mean() + half))


def contrasts(losses: Losses, chosen: int) -> list[Contrast | None]:
    """Compare every other candidate with the chosen one by the paired differences of their losses; None for itself.

    P-values are Student's for the additive model, corrected by Holm's method.
    """
    from scipy.stats import t

    noise, freedom = noise_of(losses)
    differences, halves, raw = [], [], []
    others = [k for k in range(len(losses)) if k != chosen]
    for k in others:
        common = min(len(losses[k]), len(losses[chosen]))
        difference = float(np.mean(np.subtract(losses[k][:common], losses[chosen][:common])))
        error = noise * np.sqrt(2 / common)
        differences.append(difference)
        if freedom == 0:
            halves.append(np.inf)
            raw.append(1.0)
        else:
            halves.append(float(t.ppf(1 - LEVEL / 2, freedom) * error))
            raw.append(float(2 * t.sf(abs(difference) / error, freedom)) if error else float(difference == 0))
    found: list[Contrast | None] = [None] * len(losses)
    for k, difference, half, p in zip(others, differences, halves, holm(raw), strict=True):
        found[k] = Contrast(Interval(difference, difference - half, difference + half), p)
    return found
