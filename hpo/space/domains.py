"""Domains: the values one hyperparameter can take, and the scale on which they are uniform.

A domain maps [0, 1] onto its values (`decode`), so that a uniform number gives a draw on the domain's own scale.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


class Domain(ABC):
    """The values one hyperparameter can take."""

    @property
    @abstractmethod
    def size(self) -> float:
        """Number of different values; infinite for a continuous domain."""

    @abstractmethod
    def decode(self, unit: float) -> Any:
        """The value at `unit` in [0, 1]."""

    @abstractmethod
    def encode(self, value: Any) -> float:
        """A number in [0, 1] that `decode` maps back onto `value`."""

    @property
    @abstractmethod
    def default(self) -> Any:
        """The centre of the domain, where a search starts."""

    @abstractmethod
    def __contains__(self, value: object) -> bool:
        """Is it a value of the domain?"""

    def normalise(self, value: Any) -> Any:
        """The value of the domain that `value`, which lies in it, stands for."""
        return value

    @abstractmethod
    def values(self, most: int) -> Sequence[Any]:
        """Up to `most` values spread over a numeric domain, or all values of a finite list."""


@dataclass(frozen=True)
class Scale:
    """A monotone map under which a domain is uniform."""

    name: str
    forward: Callable[[float], float] = field(repr=False)
    backward: Callable[[float], float] = field(repr=False)


LINEAR = Scale("linear", float, float)
LOG = Scale("log", math.log, math.exp)
REVERSE_LOG = Scale("reverse_log", lambda x: -math.log1p(-x), lambda y: -math.expm1(-y))
"""Logarithmic in the distance from 1: for momenta and decay rates."""


@dataclass(frozen=True)
class Float(Domain):
    """A real interval, both bounds included; quantised when `step` is given."""

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
            # Half a step beyond both ends: every value then owns an interval as long, the outer ones included.
            low, high = low - self.step / 2, self._at(self._steps) + self.step / 2
        return self.scale.forward(low), self.scale.forward(high)

    def decode(self, unit: float) -> float:
        low, high = self._bounds
        return self._quantise(self.scale.backward(low + unit * (high - low)))

    def _quantise(self, value: float) -> float:
        value = min(max(value, self.lower), self.upper)
        return value if self.step is None else self._at(min(round((value - self.lower) / self.step), self._steps))

    def _at(self, index: int) -> float:
        """The `index`-th value of a quantised domain, without the noise of the multiplication."""
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
    """Whole numbers `lower..upper`, both included; every `step`-th of them when `step` is not 1."""

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
        # Half a step beyond both ends: every value then owns an interval of the scale, the outer ones included.
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
    """One of several values without an order; with `ordered`, values whose neighbours are alike."""

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
        """Where `value` stands among the choices.

        Raises:
            ValueError: it is none of them.
        """
        for index, choice in enumerate(self.choices):
            if choice == value and type(choice) is type(value):  # 1, 1.0 and True are three values
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
