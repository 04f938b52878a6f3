"""Pareto fronts: the results that no other result dominates, that is, equals in all objectives and beats in one."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from operator import le


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """A report on the Pareto front: it meets all constraints, and no other dominates it."""

    losses: tuple[float, ...]
    """Loss in each objective, all finite."""
    trial_id: int
    resource: int
    elapsed: float


Front = tuple[FrontPoint, ...]
"""A Pareto front, sorted by the losses, the first objective's first; no two points have the same losses."""


def extend_front(front: Front, point: FrontPoint) -> Front:
    """Return the front with a further report; the same front if the report is dominated.

    Of reports with equal losses, that of the lowest trial and resource stays, so that their order does not matter.
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
    """Whether one result is at least as good as another in all objectives."""
    return all(map(le, losses, others))
