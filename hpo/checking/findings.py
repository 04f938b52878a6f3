"""Results of the checks of a script: one finding per check, each a sentence."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hpo.backends.single_attempts import Heard

_CLOCK_LIKE = re.compile(
    r"^st_worker_|time|second|elapsed|duration|clock|date|throughput|speed|per_s|memory|(^|_)(sec|secs|ms|s|pid|mem|rss|host|device|run_id)($|_)",
    re.IGNORECASE,
)
"""Keys whose values differ between runs by nature; those of Syne Tune's reporter start again in each process."""


class Verdict(StrEnum):
    """The outcome of a check."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "FAILED"
    SKIPPED = "not checked"


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    check: str
    verdict: Verdict
    text: str


@dataclass
class Findings:
    """All results of the checks of a script, in the order in which they were found."""

    found: list[Finding] = field(default_factory=list)

    def ok(self, check: str, text: str) -> None:
        """Add a finding that the script passes a check."""
        self.found.append(Finding(check, Verdict.OK, text))

    def warn(self, check: str, text: str) -> None:
        """Add a warning: the behaviour may be intended, or costs something."""
        self.found.append(Finding(check, Verdict.WARNING, text))

    def fail(self, check: str, text: str) -> None:
        """Add a failure: tuning with this script would go wrong."""
        self.found.append(Finding(check, Verdict.FAILED, text))

    def skip(self, check: str, text: str) -> None:
        """Add the reason why a check could not be made."""
        self.found.append(Finding(check, Verdict.SKIPPED, text))

    def of(self, check: str) -> Verdict | None:
        """Return the verdict of a check; None if it was not made."""
        return next((finding.verdict for finding in self.found if finding.check == check), None)

    @property
    def failed(self) -> bool:
        """Whether any check failed."""
        return any(finding.verdict == Verdict.FAILED for finding in self.found)


def clock_like(key: str) -> bool:
    """Whether a metric's name, such as a time or a memory size, suggests values that no training reproduces."""
    return _CLOCK_LIKE.search(key) is not None


def numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the numeric metrics that two runs of the same training should have in common."""
    return {
        key: value
        for key, value in metrics.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and not clock_like(key)
    }


def different(first: Mapping[str, Any], second: Mapping[str, Any], tolerance: float) -> list[str]:
    """Return the keys of numbers in both mappings that differ by more than `tolerance`, relative to the larger number."""
    a, b = numbers(first), numbers(second)
    return [key for key in a if key in b and not _close(a[key], b[key], tolerance)]


def _close(a: float, b: float, tolerance: float) -> bool:
    return a == b or (a != a and b != b) or abs(a - b) <= tolerance * max(abs(a), abs(b))


def by_resource(reports: Sequence[Heard], resource_attr: str) -> dict[int, Mapping[str, Any]]:
    """Return the reports of an attempt by their resource; the last one if a resource is reported twice."""
    return {int(heard.metrics[resource_attr]): heard.metrics for heard in reports if resource_attr in heard.metrics}
