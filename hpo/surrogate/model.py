"""The model of a search: a Gaussian process over configuration and resource, refitted and extended as data come.

All of it is a function of the history and of the numbers of measurements at which it was fitted; what is kept from call
to call only saves computing it again.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from hpo.randomness import Randomness
from hpo.surrogate.fit import Layout, maximise
from hpo.surrogate.history import History
from hpo.surrogate.kernel import Floats, Inputs, Integers, Kernel
from hpo.surrogate.posterior import Posterior
from hpo.surrogate.targets import behind_feasible, to_targets, to_values

FIT_BEST, FIT_OTHERS = 50, 100
"""Hyperparameters are fitted to so many of the best targets and so many random others; predictions use all."""

FIRST_ITERATIONS, NEXT_ITERATIONS, EXACT_ITERATIONS = 25, 5, 50

Fit = tuple[Layout, Floats, list[int]]
"""Layout and logarithms of hyperparameters, and the resources that have a noise of their own."""


class ModelData(ABC):
    """Which measurements a model uses, and its chain of fits.

    Args:
        history: where measurements come from.
        randomness: decides on subsets.
        most: measurements in the model at a fit; those that come until the next fit are added.
        exact: is the function smooth and measured with little noise, perhaps? Then distances between losses count, noise
            may vanish, and fits are thorough.
    """

    def __init__(self, history: History, randomness: Randomness, most: int, *, exact: bool = False) -> None:
        self.history, self._randomness, self._most, self._exact = history, randomness, most, exact
        self._fitted: dict[tuple[int, ...], Fit] = {}
        self._targets: tuple[int, Floats] = 0, np.zeros(0)  # of so many measurements

    @property
    def groups(self) -> Integers:
        """Which length-scale each column belongs to."""
        return self.history.encoding.groups

    def targets(self, count: int) -> Floats:
        """Of the first `count` measurements; the last are kept."""
        if self._targets[0] != count:
            self._targets = count, self._make_targets(count)
        return self._targets[1]

    def _make_targets(self, count: int) -> Floats:
        history = self.history
        losses = behind_feasible(history.losses.first(count), history.violations.first(count))
        make = to_values if self._exact else to_targets
        return make(losses, history.resources.first(count), history.trials.first(count))

    def selection(self, fit: int) -> Integers:
        """Which measurements are in the model: those chosen at the last fit, and all later ones."""
        return np.concatenate((self.chosen(fit), np.arange(fit, len(self.history))))

    def chosen(self, count: int) -> Integers:
        """Of the first `count` measurements, at most `most`: of the trials that got furthest, then a random subset."""
        if count <= self._most:
            return np.arange(count)
        trials = self.history.trials.first(count)
        reached = np.bincount(trials)[trials]  # measurements of the trial: rungs it got to
        order = np.lexsort((self._randomness.stream("model-data", count).random(count), -reached))
        return np.sort(order[: self._most])

    def stratified(self, targets: Floats, count: int) -> Integers:
        """The best targets and a random subset of the rest."""
        if len(targets) <= FIT_BEST + FIT_OTHERS:
            return np.arange(len(targets))
        order = np.argsort(targets, kind="stable")
        others = self._randomness.stream("model-fit", count).permutation(order[FIT_BEST:])[:FIT_OTHERS]
        return np.sort(np.concatenate((order[:FIT_BEST], others)))

    def hyperparameters(self, fits: Sequence[int]) -> Fit:
        """What a series of fits at these numbers of measurements leads to, each starting from the one before."""
        key = tuple(fits)
        known = next((k for k in range(len(key), 0, -1) if key[:k] in self._fitted), 0)
        for k in range(known + 1, len(key) + 1):
            self._fitted[key[:k]] = self._fit_once(key[k - 1], self._fitted.get(key[: k - 1]))
        self._fitted = {past: fit for past, fit in self._fitted.items() if len(past) >= len(key) - 1}
        return self._fitted[key]

    def _fit_once(self, count: int, before: Fit | None) -> Fit:
        """A fit to the first `count` measurements, starting from the one before."""
        levels = self.history.levels(count)
        index = self.chosen(count)
        targets = self.targets(count)[index]
        subset = self.stratified(targets, count)
        blocks = self._training_blocks(index[subset], targets[subset], levels)
        if before is None:
            layout = self._layout(levels)
            start, iterations = layout.start(), FIRST_ITERATIONS
        else:
            layout, start = self.carried_over(before, levels, blocks=len(blocks))
            iterations = NEXT_ITERATIONS
        starts = [start]
        if self._exact:
            iterations = EXACT_ITERATIONS
            starts += [layout.start()] if before is not None else []
        theta = maximise(layout, blocks, self.groups, starts, iterations)
        return layout, start if theta is None else theta, levels

    @abstractmethod
    def _layout(self, levels: Sequence[int]) -> Layout:
        """The hyperparameters of a first fit."""

    @abstractmethod
    def _training_blocks(self, index: Integers, targets: Floats, levels: Sequence[int]) -> list[tuple[Inputs, Floats]]:
        """Inputs and targets of measurements, by their numbers, in independent blocks."""

    @staticmethod
    def carried_over(before: Fit, levels: Sequence[int], *, blocks: int) -> tuple[Layout, Floats]:
        """The layout for these levels, and a start that has what is known of those there were before."""
        old, theta, known = before
        layout = Layout(old.dimension, blocks, len(levels), old.resources, old.exact)
        start = layout.start()
        start[: old.dimension] = theta[: old.dimension]
        if old.resources:
            start[layout.resource_at] = theta[old.resource_at]
        noise, own_block = theta[old.noise_at], old.blocks > 1 or blocks > 1
        for index, level in enumerate(levels):
            if level in known:
                start[layout.noise_at][index] = noise[known.index(level)]
                if own_block:
                    start[layout.dimension + index] = theta[old.dimension + known.index(level)]
        if not own_block:
            start[layout.dimension] = theta[old.dimension]
        return layout, start


class JointModel(ModelData):
    """One Gaussian process over all measurements. Arguments as of ModelData."""

    def __init__(self, history: History, randomness: Randomness, most: int, *, exact: bool = False) -> None:
        super().__init__(history, randomness, most, exact=exact)
        # (fit, measurements, their factor, targets of those of earlier experiments, which stand before them)
        self._kept: tuple[int, Integers, Posterior, Floats] | None = None

    def posterior(self, fits: Sequence[int]) -> tuple[Posterior, Floats, list[int]]:
        """The posterior of all measurements, their targets, and the resources with a noise of their own.

        Args:
            fits: numbers of measurements at which hyperparameters are fitted, ascending.

        Raises:
            NumericalError: a covariance could not be factorised.
        """
        layout, theta, levels = self.hyperparameters(fits)
        index = self.selection(fits[-1])
        if self._kept is not None and self._kept[0] == fits[-1]:
            known, posterior, earlier = self._kept[1:]
        else:
            known = index
            own = self.history.measured(index, levels)
            kernel, inputs, earlier = self._with_earlier(layout.kernel(theta), own, levels, fits[-1])
            posterior = Posterior(kernel, self.groups, inputs)
        if len(index) > len(known):
            posterior = posterior.extended(self.history.measured(index[len(known) :], levels))
        self._kept = (fits[-1], index, posterior, earlier)
        targets = self.targets(len(self.history))[index]
        targets = np.concatenate((earlier, targets)) if len(earlier) else targets
        return posterior.condition(targets), targets, levels

    def means_of(self, trials: Integers, resource: int, posterior: Posterior, levels: Sequence[int]) -> Floats:
        """Means at a resource, shape (n, s): of measurements in the model read off, which is faster, else predicted.

        Args:
            trials: shape (n,), which were measured.
            resource: where.
            posterior: the last that was asked for, perhaps with fantasies.
            levels: the resources with a noise of their own.
        """
        assert self._kept is not None
        index, earlier = self._kept[1], len(self._kept[3])
        here = np.flatnonzero(self.history.resources.first()[index] == resource)
        at = np.full(len(self.history.configurations), -1)
        at[self.history.trials.first()[index[here]]] = earlier + here
        at = at[trials]
        means: Floats = posterior.means_of_known()[at]
        if (others := trials[at < 0]).size:
            means[at < 0] = posterior.mean(self.history.unmeasured(self.history.rows(others), resource, levels))
        return means

    def _with_earlier(
        self, kernel: Kernel, own: Inputs, levels: Sequence[int], fit: int
    ) -> tuple[Kernel, Inputs, Floats]:
        """Kernel and inputs of own measurements and, before them, of earlier experiments; and the targets of these: none.

        Args:
            kernel: of own measurements.
            own: their inputs.
            levels: the resources with a noise of their own.
            fit: the number of measurements at the last fit.
        """
        return kernel, own, np.zeros(0)

    def _layout(self, levels: Sequence[int]) -> Layout:
        return Layout(self.history.encoding.dimension, levels=len(levels), resources=True, exact=self._exact)

    def _training_blocks(self, index: Integers, targets: Floats, levels: Sequence[int]) -> list[tuple[Inputs, Floats]]:
        return [(self.history.measured(index, levels), targets)]
