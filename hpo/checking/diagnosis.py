"""Diagnosis of how a script resumed after an interruption, from its reports before and after. Pure functions."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from hpo.checking.findings import different

Metrics = Mapping[str, Any]


class Continuation(Enum):
    """The ways in which a script can behave when it is resumed."""

    CONTINUED = auto()
    """The attempt resumed where it was interrupted; it may have reported its last resource again first."""
    RESTARTED = auto()
    """The attempt trained from the start again."""
    BEHIND = auto()
    """The attempt resumed from an earlier resource than it had reported."""
    MISCOUNTED = auto()
    """The attempt reported resource values that do not match the training it continues."""
    DIFFERENT = auto()
    """The attempt reported the right resource values with a different metric."""
    UNREPORTED = auto()
    """The attempt resumed correctly, but never reports the last resource that it saved before the interruption."""
    SILENT = auto()
    """The attempt reported nothing."""


@dataclass(frozen=True)
class Diagnosis:
    """The way in which a script resumed, and the text that describes it."""

    continuation: Continuation
    text: str
    other_keys: tuple[str, ...] = ()
    """Reported numbers, other than the metric, that differ from those of an uninterrupted training."""


def diagnose(
    reference: Mapping[int, Metrics],
    reached: int,
    after: Sequence[tuple[int, Metrics]],
    *,
    metric: str,
    resource: str,
    tolerance: float,
) -> Diagnosis:
    """Compare the reports of a resumed attempt with an uninterrupted training.

    Args:
        reference: Metrics of the uninterrupted training by resource.
        reached: Resource last reported before the interruption.
        after: Pairs (resource, metrics) that the resumed attempt reported, in order.
        metric: Name of the metric that is compared.
        resource: Name of a unit of resource.
        tolerance: Relative tolerance; infinite if the training is not reproducible.
    """
    if not after:
        return Diagnosis(Continuation.SILENT, f"resumed after {resource} {reached} it reported nothing")
    first = after[0][0]
    names = [r for r, _ in after]
    for previous, following in itertools.pairwise(names):
        if following != previous + 1:
            return Diagnosis(
                Continuation.MISCOUNTED,
                f"resumed after {resource} {reached} it reported {resource} {following} after {resource} {previous}; "
                f"count on by one from what the checkpoint holds",
            )

    def wrong(shift: int) -> list[int]:
        pairs = [(r, reference[r + shift], metrics) for r, metrics in after if r + shift in reference]
        return [r for r, one, other in pairs if metric in different(one, other, tolerance)]

    def fits(shift: int) -> bool:
        return any(r + shift in reference for r in names) and not wrong(shift)

    if first == reached + 2 and first in reference and not wrong(0):
        return Diagnosis(
            Continuation.UNREPORTED,
            f"resumed after {resource} {reached} its first report is of {resource} {first}: it had saved {resource} "
            f"{reached + 1}, ended before it could report it, and never does; after loading report again what was saved last",
        )
    if first > reached + 1:
        return Diagnosis(
            Continuation.MISCOUNTED,
            f"resumed after {resource} {reached} its first report is of {resource} {first}: {resource} {reached + 1} is "
            f"missing; continue with the checkpoint's {resource} + 1, and report again what was saved last",
        )
    shift = next((s for s in range(1 - first, reached + 2 - first) if s != 0 and fits(s)), None) if wrong(0) else None
    if shift is not None:
        return Diagnosis(
            Continuation.MISCOUNTED,
            f"resumed after {resource} {reached} it names its {resource} {first + shift} {first}; store the {resource} in "
            f"the checkpoint and count on from there",
        )
    if first >= reached:
        if not (bad := wrong(0)):
            again = ", which it reports again" if first == reached else ""
            pairs = [(reference[r], metrics) for r, metrics in after if r in reference]
            others = dict.fromkeys(key for pair in pairs for key in different(*pair, tolerance))
            return Diagnosis(Continuation.CONTINUED, f"goes on after {resource} {reached}{again}", tuple(others))
        one, other = reference[bad[0]][metric], dict(after)[bad[0]][metric]
        return Diagnosis(
            Continuation.DIFFERENT,
            f"resumed after {resource} {reached} it reports {metric}={other:.6g} at {resource} {bad[0]}, uninterrupted "
            f"{one:.6g}; save and load all state (optimizer, schedule, random numbers), or allow for it with --tolerance",
        )
    if wrong(0):
        return Diagnosis(
            Continuation.MISCOUNTED,
            f"resumed after {resource} {reached} it counts from {first} again but does not train that again "
            f"({metric} differs); store the {resource} in the checkpoint and count on from there",
        )
    if first == 1:
        return Diagnosis(Continuation.RESTARTED, f"resumed after {resource} {reached} it starts over at {resource} 1")
    return Diagnosis(Continuation.BEHIND, f"resumed after {resource} {reached} it continues with {resource} {first}")
