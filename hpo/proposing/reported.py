"""What a program reports, as far as its text shows it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hpo.config.choices import ReportChannel
from hpo.config.direction import usual_mode
from hpo.proposing.arguments import Argument

_RESOURCE = re.compile(
    r"((global|train|training|current)_)?(epochs?|steps?|iter(ation)?s?|rounds?|trees)(_?(done|number|idx|no|num))?",
    re.IGNORECASE,
)
_NO_METRIC = re.compile(
    r"(^|_)(time|seconds?|lr|learning_rate|memory|gpu|size|cost|timestamp|params)($|_)", re.IGNORECASE
)
_UNSEEN = re.compile(r"val|valid|test|dev|eval", re.IGNORECASE)
_AVERAGED = re.compile(r"mean|avg|average", re.IGNORECASE)


@dataclass(frozen=True)
class Reported:
    """What it reports."""

    names: Sequence[str] = ()
    channel: ReportChannel = ReportChannel.file
    where: str = ""
    elsewhere: str = ""
    """Something else that it reports to."""
    patterns: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Of what it prints: by name the pattern that finds a value, and where that is printed."""
    path: str | None = None
    """The table that it writes."""
    first: int = 1
    """Where it begins to count what it has spent."""
    arguments: Sequence[Argument] = ()
    """What it has to be given to report so."""
    unnamed: Sequence[str] = ()
    """Values that it prints, of which nobody knows what they are."""
    metric: str | None = None
    """What it says itself that is optimised."""
    mode: str | None = None
    returned: bool = False
    """Whether it is what a Hydra app returns at its end."""

    @property
    def resource(self) -> str | None:
        """What counts how long it has trained: epochs before the steps in them."""
        found = [name for name in self.names if is_resource(name)]
        return next((name for name in found if "epoch" in name), found[0] if found else None)

    @property
    def metrics(self) -> list[str]:
        """What could be optimised, the likeliest first: of data not trained on, and known to be better up or down."""
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


def is_resource(name: str) -> bool:
    """Does a name say how long a training was so far?"""
    return _RESOURCE.fullmatch(name) is not None


def is_metric(name: str) -> bool:
    """Does a name say that it is better up or down, and that it is no matter of time or memory?"""
    return usual_mode(name) is not None and not is_resource(name) and _NO_METRIC.search(name) is None
