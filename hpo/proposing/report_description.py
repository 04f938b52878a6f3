"""A description of what a program reports, as far as its source shows it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hpo.config.choices import ReportChannel
from hpo.config.metric_direction import usual_mode
from hpo.proposing.arguments import Argument

_RESOURCE = re.compile(
    r"((global|train|training|current)_)?(epochs?|steps?|iter(ation)?s?|rounds?|trees)(_?(done|number|idx|no|num))?",
    re.IGNORECASE,
)
_NO_METRIC = re.compile(
    r"(^|_)(time|seconds?|lr|learning_rate|memory|gpu|size|cost|timestamp|params)($|_)", re.IGNORECASE
)
_UNSEEN = re.compile(r"val|valid|test|dev|eval", re.IGNORECASE)
_VALIDATION = re.compile(r"(^|[_/.])(val|valid|validation|dev)($|[_/.])", re.IGNORECASE)
_TEST = re.compile(r"(^|[_/.])test($|[_/.])", re.IGNORECASE)
_AVERAGED = re.compile(r"mean|avg|average", re.IGNORECASE)


@dataclass(frozen=True)
class Reported:
    """The metrics and the resource that a program reports, and how hpo can read them."""

    names: Sequence[str] = ()
    channel: ReportChannel = ReportChannel.file
    where: str = ""
    elsewhere: str = ""
    """Name of a function of another tuner that the program reports to."""
    patterns: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Patterns that find values in the output, by name, each with the place where the value is printed."""
    path: str | None = None
    """Path of the table that the program writes."""
    first: int = 1
    """Number from which the program counts its resource, 0 or 1."""
    arguments: Sequence[Argument] = ()
    """Arguments that the program needs in order to report in this way."""
    unnamed: Sequence[str] = ()
    """Names of printed values that are not known to be metrics."""
    metric: str | None = None
    """Metric that the program itself says is optimised."""
    mode: str | None = None
    returned: bool = False
    """Whether the result is what a Hydra app returns at its end."""

    @property
    def resource(self) -> str | None:
        """Name that counts how long the training has run: epochs rather than steps. None if there is none."""
        found = [name for name in self.names if is_resource(name)]
        return next((name for name in found if "epoch" in name), found[0] if found else None)

    @property
    def metrics(self) -> list[str]:
        """Names that could be optimised, the likeliest first: of validation data, averaged, and with a known direction."""
        found = [n for n in self.names if n == self.metric or not (is_resource(n) or _NO_METRIC.search(n))]
        unlikely = (_UNSEEN, _AVERAGED)
        return sorted(
            found,
            key=lambda name: (
                name != self.metric,
                *(sign.search(name) is None for sign in unlikely),
                usual_mode(name) is None,
                "train" in name,
            ),
        )

    @property
    def test_metrics(self) -> list[str]:
        """Metrics of test data beside the likeliest metric, if that is of validation data; else none."""
        first, *others = self.metrics or [""]
        return [name for name in others if _TEST.search(name) and is_metric(name)] if _VALIDATION.search(first) else []


def is_resource(name: str) -> bool:
    """Whether a name counts how long a training has run, such as epoch or global_step."""
    return _RESOURCE.fullmatch(name) is not None


def is_metric(name: str) -> bool:
    """Whether a name is a metric: its better direction is known, and it is not a time, memory or learning rate."""
    return usual_mode(name) is not None and not is_resource(name) and _NO_METRIC.search(name) is None
