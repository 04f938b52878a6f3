"""The population of population-based training: its members, how far each has trained, and their results at equal resource."""

import math
from bisect import insort
from collections.abc import Collection
from dataclasses import dataclass, field

from hpo.schedulers.rungs import Order, is_finite

PATIENCE = 2
"""Number of trials that a member may lose in one interval before it is given up."""


@dataclass(frozen=True, slots=True, order=True)
class MemberResult:
    """The result of a trial at a comparison."""

    order: Order
    """Value by which results are compared, lower is better; infinite if training diverged."""
    trial_id: int
    resource: int
    """Resource at which the trial was paused."""

    @property
    def finite(self) -> bool:
        """Whether the result is finite, that is, training did not diverge."""
        return is_finite(self.order)


@dataclass(eq=False, slots=True)
class Member:
    """One member of the population, represented by one trial after another."""

    index: int
    trial_id: int = -1
    level: int = 0
    """Resource that the member has completed, rounded down to a multiple of the interval."""
    waits: bool = False
    """Whether the member's trial is paused and its checkpoint no longer changes."""
    lost: bool = False
    """Whether the member's trial has failed or ended too early, so that the member needs a new one."""
    losses: int = 0
    """Number of trials that the member has lost in the current interval."""
    copies: int = 0
    """Number of times that the member has continued from another member's checkpoint."""
    pausing: MemberResult | None = None
    """Result of a trial that is pausing while its processes end; None otherwise."""

    @property
    def given_up(self) -> bool:
        """Whether the member has lost too many trials and is not continued."""
        return self.lost and self.losses >= PATIENCE

    @property
    def counts(self) -> bool:
        """Whether the member takes part in comparisons, now or later."""
        return not self.given_up and (self.level > 0 or not self.lost)


@dataclass
class Population:
    """The members of a population that have started, and their results at each comparison.

    Args:
        size: Maximum number of members.
        quantile: Fraction of the members at a level that count as the first, and as the last.
    """

    size: int
    quantile: float
    members: list[Member] = field(default_factory=list)
    _results: dict[int, list[MemberResult]] = field(default_factory=dict)
    """Results by level (multiples of the interval), each list sorted with the best first."""

    def member_for_new(self) -> Member | None:
        """Return the member that a new configuration would train: one lost before its first result, or an additional one."""
        for member in self.members:
            if member.lost and not member.level and not member.given_up:
                return member
        return Member(len(self.members)) if len(self.members) < self.size else None

    def idle(self) -> list[Member]:
        """Return the members that wait or need a replacement, those with the least training first."""
        found = [one for one in self.members if one.level and (one.waits or one.lost) and not one.given_up]
        return sorted(found, key=lambda one: (one.level, one.index))

    def is_compared(self, level: int) -> bool:
        """Whether at least half of the members have reached this level, so that it can be compared."""
        levels = [one.level for one in self.members if one.counts]
        return 2 * sum(reached >= level for reached in levels) >= len(levels)

    def best_at(self, level: int, least: int) -> list[MemberResult]:
        """Return the best results at a level, without those of diverged trials.

        Args:
            level: Resource of the comparison.
            least: Minimum number of results to consider, if there are so many.
        """
        results = self._results.get(level, [])
        return [result for result in results[: max(self._count(results), least)] if result.finite]

    def is_among_worst(self, member: Member) -> bool:
        """Whether a waiting member is among the worst at its level."""
        results = self._results[member.level]
        return self._own(member) in results[len(results) - self._count(results) :]

    def diverged(self, member: Member) -> bool:
        """Whether the training of a waiting member has diverged."""
        return not self._own(member).finite

    def _own(self, member: Member) -> MemberResult:
        return next(result for result in self._results[member.level] if result.trial_id == member.trial_id)

    def _count(self, results: Collection[MemberResult]) -> int:
        return min(math.ceil(self.quantile * len(results)), len(results) // 2)

    def sources(self) -> set[tuple[int, int]]:
        """Return pairs (trial id, resource) of recorded results that may be copied: the best at each level so far."""
        most = math.ceil(self.quantile * self.size)
        return {(one.trial_id, one.resource) for found in self._results.values() for one in found[:most] if one.finite}

    def record(self, member: Member, level: int, result: MemberResult) -> None:
        """Record a member's result at a level, where it now waits."""
        insort(self._results.setdefault(level, []), result)
        member.waits = True
        self.advance(member, level)

    def advance(self, member: Member, level: int) -> None:
        """Record that a member has completed training up to a level."""
        member.level, member.losses = level, 0
        self._forget()

    def lose(self, member: Member) -> None:
        """Record that a member's trial will report no more results."""
        member.waits, member.lost, member.pausing = False, True, None
        member.losses += 1
        self._forget()

    def _forget(self) -> None:
        """Delete results at levels below all members that still count, which are not needed any more."""
        least = min((one.level for one in self.members if one.counts), default=math.inf)
        self._results = {level: results for level, results in self._results.items() if level >= least}
