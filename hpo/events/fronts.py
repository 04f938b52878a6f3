"""Several objectives: which results no other is as good as in all of them and better in one."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from operator import le


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """A report that no other dominates; it meets all constraints."""

    losses: tuple[float, ...]
    """One per objective, finite."""
    trial_id: int
    resource: int
    elapsed: float


Front = tuple[FrontPoint, ...]
"""Sorted by their losses, the first objective's first; no two have the same."""


def extend_front(front: Front, point: FrontPoint) -> Front:
    """The front with a further report: the same one where that is dominated.

    Of equal reports that of the lowest trial and resource stays, so that the order in which they come does not matter.
    """
    at = bisect_left(front, point.losses, key=lambda other: other.losses)
    if at < len(front) and front[at].losses == point.losses:
        kept = front[at]
        earlier = (point.trial_id, point.resource) < (kept.trial_id, kept.resource)
        return (*front[:at], point, *front[at + 1 :]) if earlier else front
    # What dominates comes before it in this order, what it dominates behind.
    if any(_covers(other.losses, point.losses) for other in front[:at]):
        return front
    return (*front[:at], point, *(other for other in front[at:] if not _covers(point.losses, other.losses)))


def _covers(losses: Sequence[float], others: Sequence[float]) -> bool:
    """Is one at least as good as the other in all objectives?"""
    return all(map(le, losses, others))
