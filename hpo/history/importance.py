"""Hyperparameter importance by functional ANOVA of a random forest, with confidence intervals.

Hutter, Hoos & Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance" (ICML 2014): the share of a
forest's variance over the whole search space that each hyperparameter explains alone (its main effect). Here it is the
variance of the *rank* of the loss, so that one diverged trial does not outweigh all others.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpo.events.types import Configuration
from hpo.history.curves import curves
from hpo.history.random_forest import grow
from hpo.history.record import Subject
from hpo.randomness import Randomness
from hpo.space.domains import Choice
from hpo.space.search_space import SearchSpace
from hpo.surrogate.arrays import Floats, Integers

CELLS = 32
"""Number of intervals into which a continuous hyperparameter is divided; a discrete one has at most one per value."""
REPLICATES = 20
TREES = 10
"""Number of trees per bootstrap replicate."""
LEVEL = 0.9
FEWEST = 30
PER_HYPERPARAMETER = 5
"""Number of trials per hyperparameter that importance needs, and at least `FEWEST` in all."""
TRUSTED = 0.1
"""Share of the variance of left-out trials that a forest must explain for its importances to be meaningful."""
MOST = 2000
"""Largest number of trials that are used; from more, an evenly spaced sample is taken."""
SHARED = 0.9
"""Share of the trials that must have reached the resource at which losses are compared; the highest such is used."""


@dataclass(frozen=True, slots=True)
class Share:
    """The importance of one hyperparameter: the share of variance its main effect explains, with a 90 % interval."""

    name: str
    share: float
    low: float
    high: float
    trials: int | None = None
    """Number of trials that use a conditional hyperparameter, whose share is of the variance among them; None: all trials."""


@dataclass(frozen=True, slots=True)
class Importance:
    """The importances of an experiment's hyperparameters, or the reason why there are none."""

    shares: Sequence[Share]
    """Importance of each hyperparameter, highest first; empty if there is too little data."""
    interactions: float
    """Share of the variance that no main effect explains."""
    explained: float
    """Share of the variance of left-out trials that the forest predicts (out-of-bag R²); can be below 0."""
    trials: int
    resource: int | None
    """Resource at which the losses of trials are compared."""
    reason: str | None
    """Reason why there are no importances; None if there are."""
    left_out: Sequence[str] = ()
    """Hyperparameters that too few trials use."""
    aim: int = 0
    """Index of the objective in a multi-objective experiment."""

    @property
    def trusted(self) -> bool:
        """Whether the forest predicts left-out trials well enough for its importances to be meaningful."""
        return self.reason is None and self.explained >= TRUSTED


def importance(experiment: Subject, random_seed: int = 0, aim: int = 0) -> Importance:
    """Return the importances of an experiment's hyperparameters, at the highest resource that nearly all trials reached.

    At higher resources the method has already selected the good trials, which would bias the result.

    Args:
        experiment: Loaded experiment.
        random_seed: Seed of the forest; the same experiment and seed give the same numbers.
        aim: Index of the objective in a multi-objective experiment, from 0.
    """
    space = experiment.config.space
    trials, losses, resource = losses_at_shared_resource(experiment, aim)
    always = [name for name, domain in space.domains.items() if domain.size > 1 and name not in space.conditions]
    needed = _needed(always)
    if len(trials) < needed or not always:
        reason = f"too little data: {len(trials)} trials, {needed} are needed" if always else "nothing is tuned"
        return Importance((), math.nan, math.nan, len(trials), resource, reason, aim=aim)
    if len(trials) > MOST:
        taken = np.linspace(0, len(trials) - 1, MOST).astype(int)
        trials, losses = [trials[i] for i in taken], losses[taken]
    if np.ptp(ranks(losses)) == 0:
        return Importance((), math.nan, math.nan, len(trials), resource, "all trials have the same result", aim=aim)
    configurations = [experiment.state.trials[trial].trial.configuration for trial in trials]
    points, cells = encode(space, always, configurations)
    shares, interactions, explained = analyse(points, ranks(losses), cells, random_seed)
    found = [Share(name, *limits) for name, limits in zip(always, shares, strict=True)]
    sometimes, left_out = conditional_importance(space, configurations, losses, random_seed)
    found = sorted([*found, *sometimes], key=lambda share: (-share.share, share.name))
    return Importance(found, interactions, explained, len(trials), resource, None, left_out, aim)


def _needed(names: Sequence[str]) -> int:
    return max(FEWEST, PER_HYPERPARAMETER * len(names))


def conditional_importance(
    space: SearchSpace, configurations: Sequence[Configuration], losses: Floats, random_seed: int
) -> tuple[list[Share], list[str]]:
    """Return the importances of conditional hyperparameters among the trials that use them, and the names that too few use.

    One forest is grown per set of trials, with all hyperparameters that all its trials use. It gives the importances of
    the conditional hyperparameters that are used in exactly this set.
    """
    groups: dict[tuple[int, ...], list[str]] = {}
    for name in space.conditions:
        if space.domains[name].size > 1:
            groups.setdefault(tuple(i for i, one in enumerate(configurations) if name in one), []).append(name)
    found, left_out = [], []
    for members, own in groups.items():
        chosen = [configurations[i] for i in members]
        names = [n for n, domain in space.domains.items() if domain.size > 1 and all(n in one for one in chosen)]
        targets = ranks(losses[list(members)])
        if len(members) < _needed(names) or np.ptp(targets) == 0:
            left_out += own
            continue
        points, cells = encode(space, names, chosen)
        shares = dict(zip(names, analyse(points, targets, cells, random_seed)[0], strict=True))
        found += [Share(name, *shares[name], len(members)) for name in own]
    return found, left_out


def losses_at_shared_resource(experiment: Subject, aim: int = 0) -> tuple[list[int], Floats, int | None]:
    """Return trials, their losses at the highest resource that nearly all trials reached, and that resource.

    A trial that reported beyond that resource but not at it counts with its last report before. For several objectives
    the losses are those of objective `aim`.
    """
    objective = experiment.state.objective
    found = curves(experiment)
    if not found:
        return [], np.array([]), None
    tops = sorted((max(curve.resources) for curve in found), reverse=True)
    shared = tops[math.ceil(SHARED * len(tops)) - 1]
    trials, losses = [], []
    for curve in found:
        below = [i for i, resource in enumerate(curve.resources) if resource <= shared]
        if below and max(curve.resources) >= shared:
            trials.append(curve.trial)
            if objective.aims:
                losses.append(curve.losses[below[-1]][aim])
            else:
                value = curve.values[below[-1]]
                losses.append(math.inf if math.isnan(value) else objective.loss({objective.metric: value}))
    return trials, np.array(losses), shared


def ranks(losses: Floats) -> Floats:
    """Return ranks of losses scaled from 0 (best) to 1; ties share their mean rank, and diverged trials tie for last."""
    _, place, counts = np.unique(losses, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[place] / max(len(losses) - 1, 1)


def encode(
    space: SearchSpace, names: Sequence[str], configurations: Sequence[Configuration]
) -> tuple[Integers, Integers]:
    """Return the cell of each configuration along each hyperparameter, and the number of cells of each hyperparameter."""
    domains = {name: space.domains[name] for name in names}
    cells = np.array([int(d.size if isinstance(d, Choice) else min(d.size, CELLS)) for d in domains.values()])
    units = np.array([[domain.encode(one[name]) for name, domain in domains.items()] for one in configurations])
    return np.clip((units * cells).astype(int), 0, cells - 1), cells


def analyse(
    points: Integers, targets: Floats, cells: Integers, random_seed: int
) -> tuple[list[tuple[float, float, float]], float, float]:
    """Return main effects' shares with intervals, the share of interactions, and the variance explained out of bag.

    The interval comes from a bootstrap over trials: each replicate resamples the trials and grows its own forest.
    """
    n = len(targets)
    source = Randomness(random_seed, 0)
    shares, summed, seen = [], np.zeros(n), np.zeros(n)
    for replicate in range(REPLICATES):
        rng = source.stream("importance", replicate)
        drawn = np.bincount(rng.integers(0, n, n), minlength=n)
        weights = np.stack([rng.multinomial(n, drawn / n) for _ in range(TREES)])
        forest, predicted = grow(points, targets, weights, cells, rng)
        variance = forest.variance()
        grown = variance > 0
        if grown.any():
            shares.append((forest.main_effects()[grown] / variance[grown, None]).mean(axis=0))
        left_out = weights == 0
        summed += (predicted * left_out).sum(axis=0)
        seen += left_out.sum(axis=0)
    known = seen > 0
    error = targets[known] - summed[known] / seen[known]
    explained = 1 - float((error**2).mean() / targets[known].var())
    if not shares:
        return [(0.0, 0.0, 0.0)] * points.shape[1], 1.0, explained
    table = np.array(shares)
    middle = table.mean(axis=0)
    low, high = np.quantile(table, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    limits = [(float(a), float(b), float(c)) for a, b, c in zip(middle, low, high, strict=True)]
    return limits, max(0.0, 1 - float(middle.sum())), explained
