"""The model of a search: a Gaussian process over configuration and resource, refitted and extended as data come.

All of it is a function of the history and of the numbers of measurements at which it was fitted; what is kept from call
to call only saves computing it again.
"""

from collections.abc import Sequence

import numpy as np

from hpo.randomness import Randomness
from hpo.surrogate.fit import Layout, maximise
from hpo.surrogate.history import History
from hpo.surrogate.kernel import Floats, Inputs, Integers
from hpo.surrogate.posterior import Posterior
from hpo.surrogate.targets import to_targets

FIT_BEST, FIT_OTHERS = 50, 100
"""Hyperparameters are fitted to so many of the best targets and so many random others; predictions use all."""

FIRST_ITERATIONS, NEXT_ITERATIONS = 25, 5


class JointModel:
    """One Gaussian process over all measurements.

    Args:
        history: where measurements come from.
        randomness: decides on subsets.
        most: measurements in the model at a fit; those that come until the next fit are added.
        trial_term: also model what a trial's measurements have in common beyond its configuration.
    """

    def __init__(self, history: History, randomness: Randomness, most: int, *, trial_term: bool = False) -> None:
        self._history, self._randomness, self._most, self._trial_term = history, randomness, most, trial_term
        self._fitted: dict[tuple[int, ...], tuple[Layout, Floats, list[int]]] = {}
        self._posterior: tuple[int, Integers, Posterior] | None = None  # (fit, measurements, factor)
        self.inputs_at: list[int] = []

    def posterior(self, fits: Sequence[int]) -> tuple[Posterior, Floats, list[int]]:
        """The posterior of all measurements, their targets, and the resources with a noise of their own.

        Args:
            fits: numbers of measurements at which hyperparameters are fitted, ascending.

        Raises:
            NumericalError: a covariance could not be factorised.
        """
        layout, theta, levels = self._fit(tuple(fits))
        index = self._selection(fits[-1])
        key = fits[-1]
        if self._posterior is not None and self._posterior[0] == key and len(self._posterior[1]) <= len(index):
            _, known, posterior = self._posterior
            more = index[len(known) :]
        else:
            posterior = Posterior(layout.kernel(theta), self._groups, self._history.measured(index, levels))
            more = index[:0]
        if len(more):
            posterior = posterior.extended(self._history.measured(more, levels))
        self._posterior = (key, index, posterior)
        targets = self._targets(len(self._history))[index]
        return posterior.condition(targets), targets, levels

    @property
    def _groups(self) -> Integers:
        return self._history.encoding.groups

    def _targets(self, count: int) -> Floats:
        history = self._history
        return to_targets(history.losses(count), history.resources(count), history.trials(count))

    def _selection(self, fit: int) -> Integers:
        """Which measurements are in the model: those chosen at the last fit, and all later ones."""
        return np.concatenate((self._chosen(fit), np.arange(fit, len(self._history))))

    def _chosen(self, count: int) -> Integers:
        """Of the first `count` measurements, at most `most`: of the trials that got furthest, then a random subset."""
        if count <= self._most:
            return np.arange(count)
        trials = self._history.trials(count)
        reached = np.bincount(trials)[trials]  # measurements of the trial, rungs it got to
        order = np.lexsort((self._randomness.stream("model-data", count).random(count), -reached))
        return np.sort(order[: self._most])

    def _fit(self, fits: tuple[int, ...]) -> tuple[Layout, Floats, list[int]]:
        """Layout, logarithms of hyperparameters and levels after a series of fits, each starting from the one before."""
        known = next((k for k in range(len(fits), 0, -1) if fits[:k] in self._fitted), 0)
        for k in range(known + 1, len(fits) + 1):
            self._fitted[fits[:k]] = self._fit_once(fits[k - 1], self._fitted.get(fits[: k - 1]))
        result = self._fitted[fits]
        self._fitted = {key: value for key, value in self._fitted.items() if len(key) >= len(fits) - 1}
        return result

    def _fit_once(
        self, count: int, before: tuple[Layout, Floats, list[int]] | None
    ) -> tuple[Layout, Floats, list[int]]:
        levels = self._history.levels(count)
        index = self._chosen(count)
        targets = self._targets(count)[index]
        subset = self._stratified(targets, count)
        inputs, y = self._history.measured(index[subset], levels), targets[subset]
        if before is None:
            layout = Layout(
                self._history.encoding.dimension,
                levels=len(levels),
                resources=True,
                trials=self._trial_term,
            )
            start = layout.start()
        else:
            layout, start = before[0].extended(before[1], len(levels), 1)
        theta = maximise(
            layout, [(inputs, y)], self._groups, start, FIRST_ITERATIONS if before is None else NEXT_ITERATIONS
        )
        return layout, start if theta is None else theta, levels

    def _stratified(self, targets: Floats, count: int) -> Integers:
        """The best targets and a random subset of the rest."""
        if len(targets) <= FIT_BEST + FIT_OTHERS:
            return np.arange(len(targets))
        order = np.argsort(targets, kind="stable")
        others = self._randomness.stream("model-fit", count).permutation(order[FIT_BEST:])[:FIT_OTHERS]
        return np.sort(np.concatenate((order[:FIT_BEST], others)))
