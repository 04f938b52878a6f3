"""The surrogate model of a search: a Gaussian process over configuration and resource, refitted and extended with new data.

Everything is a function of the history and of the numbers of measurements at which the model was fitted. What is kept between
calls is only a cache.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from hpo.randomness import Randomness
from hpo.surrogate.arrays import Floats, Integers
from hpo.surrogate.gp_fit import Layout, fit_hyperparameters
from hpo.surrogate.kernel import Inputs, Kernel
from hpo.surrogate.posterior import Posterior
from hpo.surrogate.targets import penalise_infeasible, to_targets, to_values
from hpo.surrogate.training_data import TrainingData

FIT_BEST, FIT_OTHERS = 50, 100
"""Numbers of best and of other random targets to which hyperparameters are fitted; predictions use all targets."""

FIRST_ITERATIONS, NEXT_ITERATIONS, EXACT_ITERATIONS = 25, 5, 50

Fit = tuple[Layout, Floats, list[int]]
"""A fit: layout and logarithms of the hyperparameters, and the resources that have a noise variance of their own."""


class ModelData(ABC):
    """Base class of surrogate models: which measurements they use, and how each fit starts from the previous one.

    Args:
        history: Measurements and pending trials.
        randomness: Source of random subsets of the data.
        most: Maximum number of measurements in the model at a fit; those that arrive until the next fit are added.
        exact: Whether to model a smooth function with little noise; if so, distances between losses count, noise may vanish,
            and fits are thorough.
    """

    def __init__(self, history: TrainingData, randomness: Randomness, most: int, *, exact: bool = False) -> None:
        self.history, self._randomness, self._most, self._exact = history, randomness, most, exact
        self._fitted: dict[tuple[int, ...], Fit] = {}
        self._targets: tuple[int, Floats] = 0, np.zeros(0)  # number of measurements, and their targets

    @property
    def groups(self) -> Integers:
        """Index of the length-scale of each column of an encoded configuration."""
        return self.history.encoding.groups

    def targets(self, count: int) -> Floats:
        """Return the targets of the first `count` measurements; the last result is cached."""
        if self._targets[0] != count:
            self._targets = count, self._make_targets(count)
        return self._targets[1]

    def _make_targets(self, count: int) -> Floats:
        history = self.history
        losses = penalise_infeasible(history.losses.first(count), history.violations.first(count))
        make = to_values if self._exact else to_targets
        return make(losses, history.resources.first(count), history.trials.first(count))

    def selection(self, fit: int) -> Integers:
        """Return the indices of the measurements in the model: those chosen at the last fit and all later ones."""
        return np.concatenate((self.chosen(fit), np.arange(fit, len(self.history))))

    def chosen(self, count: int) -> Integers:
        """Return the indices of at most `most` of the first `count` measurements.

        Measurements of trials that reached the most rungs come first; ties are broken at random.
        """
        if count <= self._most:
            return np.arange(count)
        trials = self.history.trials.first(count)
        reached = np.bincount(trials)[trials]  # number of measurements of the trial, one per rung
        order = np.lexsort((self._randomness.stream("model-data", count).random(count), -reached))
        return np.sort(order[: self._most])

    def choose_for_fit(self, targets: Floats, count: int) -> Integers:
        """Return the indices of the best targets and of a random subset of the rest."""
        if len(targets) <= FIT_BEST + FIT_OTHERS:
            return np.arange(len(targets))
        order = np.argsort(targets, kind="stable")
        others = self._randomness.stream("model-fit", count).permutation(order[FIT_BEST:])[:FIT_OTHERS]
        return np.sort(np.concatenate((order[:FIT_BEST], others)))

    def hyperparameters(self, fits: Sequence[int]) -> Fit:
        """Return the model's hyperparameters after a chain of fits at these numbers of measurements.

        Each fit starts from the one before.
        """
        key = tuple(fits)
        known = next((k for k in range(len(key), 0, -1) if key[:k] in self._fitted), 0)
        for k in range(known + 1, len(key) + 1):
            self._fitted[key[:k]] = self._fit_once(key[k - 1], self._fitted.get(key[: k - 1]))
        self._fitted = {past: fit for past, fit in self._fitted.items() if len(past) >= len(key) - 1}
        return self._fitted[key]

    def _fit_once(self, count: int, before: Fit | None) -> Fit:
        """Fit the hyperparameters to the first `count` measurements, starting from the previous fit."""
        levels = self.history.levels(count)
        index = self.chosen(count)
        targets = self.targets(count)[index]
        subset = self.choose_for_fit(targets, count)
        blocks = self._training_blocks(index[subset], targets[subset], levels)
        if before is None:
            layout = self._layout(levels)
            start, iterations = layout.start(), FIRST_ITERATIONS
        else:
            layout, start = self.carry_over(before, levels, blocks=len(blocks))
            iterations = NEXT_ITERATIONS
        starts = [start]
        if self._exact:
            iterations = EXACT_ITERATIONS
            starts += [layout.start()] if before is not None else []
        theta = fit_hyperparameters(layout, blocks, self.groups, starts, iterations)
        return layout, start if theta is None else theta, levels

    @abstractmethod
    def _layout(self, levels: Sequence[int]) -> Layout:
        """Return the layout of the hyperparameters for a first fit."""

    @abstractmethod
    def _training_blocks(self, index: Integers, targets: Floats, levels: Sequence[int]) -> list[tuple[Inputs, Floats]]:
        """Return inputs and targets of measurements, given by their indices, as independent blocks of data."""

    @staticmethod
    def carry_over(before: Fit, levels: Sequence[int], *, blocks: int) -> tuple[Layout, Floats]:
        """Return a layout for these levels, and a starting vector that takes over an earlier fit's values for known ones."""
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


class JointGP(ModelData):
    """A surrogate model of one Gaussian process over all measurements. Arguments as of `ModelData`."""

    def __init__(self, history: TrainingData, randomness: Randomness, most: int, *, exact: bool = False) -> None:
        super().__init__(history, randomness, most, exact=exact)
        # cache: (last fit, indices of measurements, posterior, targets of earlier experiments, whose inputs come first)
        self._kept: tuple[int, Integers, Posterior, Floats] | None = None

    def posterior(self, fits: Sequence[int]) -> tuple[Posterior, Floats, list[int]]:
        """Return the posterior given all measurements, their targets, and the resources with a noise variance of their own.

        Args:
            fits: Numbers of measurements at which the model is fitted, ascending.

        Raises:
            NumericalError: A covariance matrix could not be factorised.
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
            posterior = posterior.extend(self.history.measured(index[len(known) :], levels))
        self._kept = (fits[-1], index, posterior, earlier)
        targets = self.targets(len(self.history))[index]
        targets = np.concatenate((earlier, targets)) if len(earlier) else targets
        return posterior.condition(targets), targets, levels

    def means_of(self, trials: Integers, resource: int, posterior: Posterior, levels: Sequence[int]) -> Floats:
        """Return posterior means of trials at a resource, shape (n, s), without a prediction for known measurements.

        Args:
            trials: Numbers of trials that have a measurement, shape (n,).
            resource: Resource at which to predict.
            posterior: The posterior last returned, perhaps extended by samples of pending results.
            levels: Resources with a noise variance of their own.
        """
        assert self._kept is not None
        index, earlier = self._kept[1], len(self._kept[3])
        here = np.flatnonzero(self.history.resources.first()[index] == resource)
        at = np.full(len(self.history.configurations), -1)
        at[self.history.trials.first()[index[here]]] = earlier + here
        at = at[trials]
        means: Floats = posterior.means_of_known()[at]
        if (others := trials[at < 0]).size:
            means[at < 0] = posterior.mean(self.history.inputs_at_resource(self.history.rows(others), resource, levels))
        return means

    def _with_earlier(
        self, kernel: Kernel, own: Inputs, levels: Sequence[int], fit: int
    ) -> tuple[Kernel, Inputs, Floats]:
        """Return the kernel, the inputs and the targets of earlier experiments, whose inputs come first; here there are none.

        Args:
            kernel: Kernel of this experiment's measurements.
            own: Inputs of this experiment's measurements.
            levels: Resources with a noise variance of their own.
            fit: Number of measurements at the last fit.
        """
        return kernel, own, np.zeros(0)

    def _layout(self, levels: Sequence[int]) -> Layout:
        return Layout(self.history.encoding.dimension, levels=len(levels), resources=True, exact=self._exact)

    def _training_blocks(self, index: Integers, targets: Floats, levels: Sequence[int]) -> list[tuple[Inputs, Floats]]:
        return [(self.history.measured(index, levels), targets)]
