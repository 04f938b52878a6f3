"""What a model learns from: measurements in the order of their arrival, and running trials."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.events.values import Configuration
from hpo.randomness import canonical
from hpo.surrogate.encoding import Encoding
from hpo.surrogate.kernel import Floats, Inputs, Integers


class GrowingArray:
    """An array that grows by a row at a time.

    Args:
        dtype: of its numbers.
        width: of a row, None for a single number.
    """

    def __init__(self, dtype: type, width: int | None = None) -> None:
        self._rows: NDArray[Any] = np.empty(64 if width is None else (64, width), dtype)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, row: float | Floats) -> None:
        """One more."""
        if self._count == len(self._rows):
            self._rows = np.concatenate((self._rows, np.empty_like(self._rows)))
        self._rows[self._count] = row
        self._count += 1

    def first(self, count: int | None = None) -> NDArray[Any]:
        """The first `count` rows, or all: not to be written to."""
        return self._rows[: self._count if count is None else min(count, self._count)]


class History:
    """Grows by appending only, so that what was known after n measurements is a prefix of it.

    A trial is its configuration here: none is tried twice.
    """

    def __init__(self, encoding: Encoding) -> None:
        self.encoding = encoding
        self.configurations: list[Configuration] = []
        self.pending: dict[int, int] = {}
        """Trial -> the resource it is on its way to."""
        self._index: dict[str, int] = {}
        self._rows = GrowingArray(np.float64, len(encoding.groups))
        self.trials = GrowingArray(np.intp)
        self.resources = GrowingArray(np.intp)
        self.losses = GrowingArray(np.float64)
        self.violations = GrowingArray(np.float64)

    def __len__(self) -> int:
        return len(self.losses)

    def trial(self, configuration: Configuration) -> int:
        """The number of a configuration, given at its first use."""
        key = canonical(configuration)
        number = self._index.setdefault(key, len(self._index))
        if number == len(self.configurations):
            self.configurations.append(configuration)
            self._rows.append(self.encoding.encode([configuration])[0])
        return number

    def add(self, configuration: Configuration, resource: int, loss: float, violation: float = 0.0) -> None:
        """A measurement, and how far it is beyond its constraints.

        A pending one of this trial, at this resource or below, is no longer.
        """
        self.add_to(self.trial(configuration), resource, loss, violation)

    def add_to(self, trial: int, resource: int, loss: float, violation: float = 0.0) -> None:
        """As `add`, to a trial by its number."""
        self.trials.append(trial)
        self.resources.append(resource)
        self.losses.append(loss)
        self.violations.append(violation)
        if self.pending.get(trial, math.inf) <= resource:
            del self.pending[trial]

    def expect(self, configuration: Configuration, resource: int) -> None:
        """The trial runs towards `resource`."""
        self.pending[self.trial(configuration)] = resource

    def forget_pending(self, configuration: Configuration) -> None:
        """Nothing more will come of it."""
        self.pending.pop(self.trial(configuration), None)

    def rows(self, trials: Sequence[int] | Integers) -> Floats:
        """Encoded configurations, shape (n, columns)."""
        return self._rows.first()[np.asarray(trials, dtype=np.intp)]

    def tried(self) -> Integers:
        """Numbers of the trials that were measured, ascending."""
        return np.flatnonzero(np.bincount(self.trials.first()))

    def last_of_each(self, count: int | None = None) -> tuple[Integers, Integers]:
        """Of the first `count` measurements, or of all: the trials, ascending, and the number of the last of each."""
        measured = self.trials.first(count)
        last = np.full(measured.max() + 1, -1)
        last[measured] = np.arange(len(measured))  # of several the last
        trials = np.flatnonzero(last >= 0)
        return trials, last[trials]

    def levels(self, count: int) -> list[int]:
        """The different resources among the first `count` measurements, ascending."""
        return sorted(set(self.resources.first(count).tolist()))

    def measured(self, index: Integers, levels: Sequence[int]) -> Inputs:
        """Inputs of some measurements, by their numbers.

        Args:
            index: shape (n,).
            levels: the resources that have a noise of their own, ascending.
        """
        return self.inputs(self.rows(self.trials.first()[index]), self.resources.first()[index], levels)

    @staticmethod
    def inputs(x: Floats, resources: Integers, levels: Sequence[int]) -> Inputs:
        """Inputs of encoded configurations at resources; one between two levels has the noise of the one below."""
        level = np.maximum(np.searchsorted(levels, resources, side="right") - 1, 0)
        return Inputs(x, np.log(resources) / math.log(3), level)

    @staticmethod
    def unmeasured(x: Floats, resource: int, levels: Sequence[int]) -> Inputs:
        """Inputs of encoded configurations, all at one resource, as nothing was measured there; u has shape (1,)."""
        level = max(bisect_right(levels, resource) - 1, 0)
        return Inputs(x, np.array([math.log(resource) / math.log(3)]), np.array([level]))

    def running(self, levels: Sequence[int]) -> Inputs:
        """Inputs of the pending measurements."""
        resources = np.array(list(self.pending.values()), dtype=np.intp)
        return self.inputs(self.rows(list(self.pending)), resources, levels)
