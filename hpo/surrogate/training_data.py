"""The data of a surrogate model: measurements in order of arrival, and pending trials."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpo.events.types import Configuration
from hpo.randomness import canonical
from hpo.surrogate.arrays import Floats, Integers
from hpo.surrogate.encoding import Encoding
from hpo.surrogate.kernel import Inputs


class GrowingArray:
    """A NumPy array to which rows can be appended efficiently.

    Args:
        dtype: Type of the elements.
        width: Length of a row; None if a row is a single number.
    """

    def __init__(self, dtype: type, width: int | None = None) -> None:
        self._rows: NDArray[Any] = np.empty(64 if width is None else (64, width), dtype)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, row: float | Floats) -> None:
        """Append a row."""
        if self._count == len(self._rows):
            self._rows = np.concatenate((self._rows, np.empty_like(self._rows)))
        self._rows[self._count] = row
        self._count += 1

    def first(self, count: int | None = None) -> NDArray[Any]:
        """Return the first `count` rows, or all, as a view that must not be written to."""
        return self._rows[: self._count if count is None else min(count, self._count)]


class TrainingData:
    """The measurements and pending trials that a surrogate model learns from.

    Measurements are only appended, so that the state after n measurements is a prefix of the current one. A trial is
    identified with its configuration, since none is tried twice.
    """

    def __init__(self, encoding: Encoding) -> None:
        self.encoding = encoding
        self.configurations: list[Configuration] = []
        self.pending: dict[int, int] = {}
        """Pending trials: trial number -> the resource up to which it is training."""
        self._index: dict[str, int] = {}
        self._rows = GrowingArray(np.float64, len(encoding.groups))
        self.trials = GrowingArray(np.intp)
        self.resources = GrowingArray(np.intp)
        self.losses = GrowingArray(np.float64)
        self.violations = GrowingArray(np.float64)

    def __len__(self) -> int:
        return len(self.losses)

    def trial(self, configuration: Configuration) -> int:
        """Return the number of a configuration, which is assigned at its first use."""
        key = canonical(configuration)
        number = self._index.setdefault(key, len(self._index))
        if number == len(self.configurations):
            self.configurations.append(configuration)
            self._rows.append(self.encoding.encode([configuration])[0])
        return number

    def add(self, configuration: Configuration, resource: int, loss: float, violation: float = 0.0) -> None:
        """Add a measurement, with the violation of its constraints.

        If a measurement of this trial was pending at this resource or below, it is not pending any more.
        """
        self.add_to(self.trial(configuration), resource, loss, violation)

    def add_to(self, trial: int, resource: int, loss: float, violation: float = 0.0) -> None:
        """Add a measurement to a trial given by its number; see `TrainingData.add`."""
        self.trials.append(trial)
        self.resources.append(resource)
        self.losses.append(loss)
        self.violations.append(violation)
        if self.pending.get(trial, math.inf) <= resource:
            del self.pending[trial]

    def expect(self, configuration: Configuration, resource: int) -> None:
        """Record that a trial is training up to `resource`, so that a measurement is pending."""
        self.pending[self.trial(configuration)] = resource

    def forget_pending(self, configuration: Configuration) -> None:
        """Record that no measurement of the trial is pending any more."""
        self.pending.pop(self.trial(configuration), None)

    def rows(self, trials: Sequence[int] | Integers) -> Floats:
        """Return the encoded configurations of the given trials, shape (n, columns)."""
        return self._rows.first()[np.asarray(trials, dtype=np.intp)]

    def tried(self) -> Integers:
        """Return the numbers of the trials that have a measurement, ascending."""
        return np.flatnonzero(np.bincount(self.trials.first()))

    def last_of_each(self, count: int | None = None) -> tuple[Integers, Integers]:
        """Return the trials in the first `count` (None: all) measurements, and the index of each one's last one."""
        measured = self.trials.first(count)
        last = np.full(measured.max() + 1, -1)
        last[measured] = np.arange(len(measured))  # the last one wins
        trials = np.flatnonzero(last >= 0)
        return trials, last[trials]

    def levels(self, count: int) -> list[int]:
        """Return the distinct resources in the first `count` measurements, ascending."""
        return sorted(set(self.resources.first(count).tolist()))

    def measured(self, index: Integers, levels: Sequence[int]) -> Inputs:
        """Return the model inputs of the measurements with the given indices.

        Args:
            index: Indices of measurements, shape (n,).
            levels: Resources that have a noise variance of their own, ascending.
        """
        return self.inputs(self.rows(self.trials.first()[index]), self.resources.first()[index], levels)

    @staticmethod
    def inputs(x: Floats, resources: Integers, levels: Sequence[int]) -> Inputs:
        """Return model inputs of encoded configurations at resources; between two levels, the lower one's noise applies."""
        level = np.maximum(np.searchsorted(levels, resources, side="right") - 1, 0)
        return Inputs(x, np.log(resources) / math.log(3), level)

    @staticmethod
    def inputs_at_resource(x: Floats, resource: int, levels: Sequence[int]) -> Inputs:
        """Return model inputs for predictions at one resource; the log resource `u` is stored once, in shape (1,)."""
        level = max(bisect_right(levels, resource) - 1, 0)
        return Inputs(x, np.array([math.log(resource) / math.log(3)]), np.array([level]))

    def running(self, levels: Sequence[int]) -> Inputs:
        """Return the model inputs of the pending measurements."""
        resources = np.array(list(self.pending.values()), dtype=np.intp)
        return self.inputs(self.rows(list(self.pending)), resources, levels)
