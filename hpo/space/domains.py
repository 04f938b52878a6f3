"""Domains: the values that one hyperparameter can take, and the scale on which they are uniformly distributed.

`Domain.decode` maps [0, 1] to values, so that a uniform random number becomes a random value on the domain's own scale.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


class Domain(ABC):
    """The set of values that one hyperparameter can take."""

    @property
    @abstractmethod
    def size(self) -> float:
        """Number of distinct values; infinite for a continuous domain."""

    @abstractmethod
    def decode(self, unit: float) -> Any:
        """Return the value at position `unit` in [0, 1]."""

    @abstractmethod
    def encode(self, value: Any) -> float:
        """Return the position in [0, 1] of a value; `decode` maps it back to the value."""

    @property
    @abstractmethod
    def default(self) -> Any:
        """The centre of the domain, where a search starts unless a default is given."""

    @abstractmethod
    def __contains__(self, value: object) -> bool:
        """Whether `value` belongs to the domain."""

    def normalise(self, value: Any) -> Any:
        """Return `value`, which must belong to the domain, in the domain's own type and rounding."""
        return value

    @abstractmethod
    def values(self, most: int) -> Sequence[Any]:
        """Return at most `most` values spread evenly over a numeric domain, or all values of a finite list."""


@dataclass(frozen=True)
class Scale:
    """A monotone transformation after which the values of a domain are uniformly distributed, such as the logarithm."""

    name: str
    forward: Callable[[float], float] = field(repr=False)
    backward: Callable[[float], float] = field(repr=False)


LINEAR = Scale("linear", float, float)
LOG = Scale("log", math.log, math.exp)
REVERSE_LOG = Scale("reverse_log", lambda x: -math.log1p(-x), lambda y: -math.expm1(-y))
"""Scale that is logarithmic in the distance from 1, for momenta and decay rates such as 0.9, 0.99 and 0.999."""


@dataclass(frozen=True)
class Float(Domain):
    """A real interval that includes both bounds, quantised if `step` is given."""

    lower: float
    upper: float
    scale: Scale = LINEAR
    step: float | None = None

    @property
    def size(self) -> float:
        if self.lower == self.upper:
            return 1
        return math.inf if self.step is None else self._steps + 1

    def __str__(self) -> str:
        return f"{self.lower:g} to {self.upper:g}" + (f" in steps of {self.step:g}" if self.step else "")

    @property
    def _steps(self) -> int:
        assert self.step is not None
        return math.floor((self.upper - self.lower) / self.step * (1 + 1e-12))

    @property
    def _bounds(self) -> tuple[float, float]:
        low, high = self.lower, self.upper
        if self.step is not None and self.scale is LINEAR:
            # Extend both ends by half a step, so that every value, also the outer ones, owns an interval of the same length.
            low, high = low - self.step / 2, self._at(self._steps) + self.step / 2
        return self.scale.forward(low), self.scale.forward(high)

    def decode(self, unit: float) -> float:
        low, high = self._bounds
        return self._quantise(self.scale.backward(low + unit * (high - low)))

    def _quantise(self, value: float) -> float:
        value = min(max(value, self.lower), self.upper)
        return value if self.step is None else self._at(min(round((value - self.lower) / self.step), self._steps))

    def _at(self, index: int) -> float:
        """Return value number `index` of a quantised domain, free of floating-point noise (0.3, not 0.30000000000000004)."""
        assert self.step is not None
        value = round(self.lower + index * self.step, 10 - math.floor(math.log10(self.step)))
        return min(max(value, self.lower), self.upper)

    def encode(self, value: Any) -> float:
        if self.lower == self.upper:
            return 0.5
        low, high = self._bounds
        return min(max((self.scale.forward(value) - low) / (high - low), 0.0), 1.0)

    @property
    def default(self) -> float:
        return self._quantise(float(f"{self.decode(0.5):.12g}"))  # 0.01, not 0.010000000000000004

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.lower <= value <= self.upper and math.isclose(self._quantise(value), value, rel_tol=1e-9)

    def normalise(self, value: Any) -> float:
        return self._quantise(float(value))

    def values(self, most: int) -> Sequence[float]:
        if self.step is not None and self.size <= most:
            return [self._at(index) for index in range(int(self.size))]
        count = int(min(most, self.size))
        return list(dict.fromkeys(self.decode(i / max(count - 1, 1)) for i in range(count)))


@dataclass(frozen=True)
class Integer(Domain):
    """The integers from `lower` to `upper`, both included, in steps of `step`."""

    lower: int
    upper: int
    scale: Scale = LINEAR
    step: int = 1

    @property
    def size(self) -> float:
        return (self.upper - self.lower) // self.step + 1

    def __str__(self) -> str:
        return f"{self.lower} to {self.upper}" + (f" in steps of {self.step}" if self.step > 1 else "")

    @property
    def _bounds(self) -> tuple[float, float]:
        # Extend both ends by half a step, so that every value, also the outer ones, owns an interval of the scale.
        half = self.step / 2
        return self.scale.forward(self.lower - half), self.scale.forward(self._last + half)

    @property
    def _last(self) -> int:
        return self.lower + (int(self.size) - 1) * self.step

    def decode(self, unit: float) -> int:
        low, high = self._bounds
        value = self.scale.backward(low + unit * (high - low))
        index = round((value - self.lower) / self.step)
        return self.lower + min(max(index, 0), int(self.size) - 1) * self.step

    def encode(self, value: Any) -> float:
        low, high = self._bounds
        return (self.scale.forward(value) - low) / (high - low)

    @property
    def default(self) -> int:
        middle = self.scale.backward((self.scale.forward(self.lower) + self.scale.forward(self._last)) / 2)
        return self.lower + round((middle - self.lower) / self.step) * self.step

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int):
            return False
        return self.lower <= value <= self._last and (value - self.lower) % self.step == 0

    def values(self, most: int) -> Sequence[int]:
        if self.size <= most:
            return list(range(self.lower, self._last + 1, self.step))
        low, high = self.scale.forward(self.lower), self.scale.forward(self._last)
        points = (self.scale.backward(low + i * (high - low) / max(most - 1, 1)) for i in range(most))
        return list(dict.fromkeys(self.lower + round((p - self.lower) / self.step) * self.step for p in points))


@dataclass(frozen=True)
class Choice(Domain):
    """A list of categorical values; if `ordered` is true an ordinal list, whose neighbouring values are similar."""

    choices: tuple[Any, ...]
    ordered: bool = False

    @property
    def size(self) -> float:
        return len(self.choices)

    def decode(self, unit: float) -> Any:
        count = len(self.choices)
        return self.choices[min(int(unit * count), count - 1)]

    def encode(self, value: Any) -> float:
        return (self.index(value) + 0.5) / len(self.choices)

    def __str__(self) -> str:
        return ", ".join(repr(choice) for choice in self.choices)

    def index(self, value: object) -> int:
        """Return the position of `value` in the list; 1, 1.0 and True are different values.

        Raises:
            ValueError: The value is not in the list.
        """
        for index, choice in enumerate(self.choices):
            if choice == value and type(choice) is type(value):  # 1, 1.0 and True are different values
                return index
        raise ValueError(value)

    @property
    def default(self) -> Any:
        return self.choices[len(self.choices) // 2] if self.ordered else self.choices[0]

    def __contains__(self, value: object) -> bool:
        try:
            self.index(value)
        except ValueError:
            return False
        return True

    def values(self, most: int) -> Sequence[Any]:
        return self.choices
