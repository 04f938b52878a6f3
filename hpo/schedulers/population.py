"""A population that is trained together: its members, how far each is, and what they came to at equal resource."""

import math
from bisect import insort
from collections.abc import Collection
from dataclasses import dataclass, field

from hpo.schedulers.rungs import Order, is_finite

PATIENCE = 2
"""A member that is lost so often in one interval is given up."""


@dataclass(frozen=True, slots=True, order=True)
class Reached:
    """What a trial came to at a level."""

    order: Order
    """Lower is better; infinite where training diverged."""
    trial_id: int
    resource: int
    """At which it was paused."""

    @property
    def finite(self) -> bool:
        """Has it come to anything?"""
        return is_finite(self.order)


@dataclass(eq=False, slots=True)
class Member:
    """One place of the population, in which one trial follows another."""

    index: int
    trial_id: int = -1
    level: int = 0
    """What it has behind it."""
    waits: bool = False
    """Its trial is paused, and what that has saved is at rest."""
    lost: bool = False
    """Its trial has failed, or ended where it should not have."""
    losses: int = 0
    """In this interval."""
    copies: int = 0
    """How often it has gone on from another's checkpoint."""
    pausing: Reached | None = None
    """Of a trial whose processes are ending."""

    @property
    def given_up(self) -> bool:
        """Does nothing more come of it?"""
        return self.lost and self.losses >= PATIENCE

    @property
    def counts(self) -> bool:
        """Is it there to be compared with, or will it be?"""
        return not self.given_up and (self.level > 0 or not self.lost)


@dataclass
class Population:
    """The members that have begun, and their results at each level.

    Args:
        size: how many there may be.
        quantile: the share of those at a level that are its first, and of those that are its last.
    """

    size: int
    quantile: float
    members: list[Member] = field(default_factory=list)
    _results: dict[int, list[Reached]] = field(default_factory=dict)
    """By level, the best first."""

    def place_for_new(self) -> Member | None:
        """Where a new configuration would be trained: for one that was lost before it had anything, or as another member."""
        for member in self.members:
            if member.lost and not member.level and not member.given_up:
                return member
        return Member(len(self.members)) if len(self.members) < self.size else None

    def idle(self) -> list[Member]:
        """Those that wait, or are to be replaced, with the least behind them first."""
        found = [one for one in self.members if one.level and (one.waits or one.lost) and not one.given_up]
        return sorted(found, key=lambda one: (one.level, one.index))

    def is_compared(self, level: int) -> bool:
        """Have half of the members come so far?"""
        levels = [one.level for one in self.members if one.counts]
        return 2 * sum(reached >= level for reached in levels) >= len(levels)

    def first_at(self, level: int, least: int) -> list[Reached]:
        """The first of those that have come so far, without those that diverged.

        Args:
            level: of resource.
            least: so many of them at least, where there are.
        """
        results = self._results.get(level, [])
        return [result for result in results[: max(self._count(results), least)] if result.finite]

    def is_last(self, member: Member) -> bool:
        """Is a waiting member among the last of those that have come so far?"""
        results = self._results[member.level]
        return self._own(member) in results[len(results) - self._count(results) :]

    def diverged(self, member: Member) -> bool:
        """Has a waiting member come to nothing?"""
        return not self._own(member).finite

    def _own(self, member: Member) -> Reached:
        return next(result for result in self._results[member.level] if result.trial_id == member.trial_id)

    def _count(self, results: Collection[Reached]) -> int:
        return min(math.ceil(self.quantile * len(results)), len(results) // 2)

    def sources(self) -> set[tuple[int, int]]:
        """(trial, resource) of those that may yet be the first of a level: results that come only move others back."""
        most = math.ceil(self.quantile * self.size)
        return {(one.trial_id, one.resource) for found in self._results.values() for one in found[:most] if one.finite}

    def record(self, member: Member, level: int, result: Reached) -> None:
        """A member has come to a level and waits there."""
        insort(self._results.setdefault(level, []), result)
        member.waits = True
        self.advance(member, level)

    def advance(self, member: Member, level: int) -> None:
        """A member has so much behind it."""
        member.level, member.losses = level, 0
        self._forget()

    def lose(self, member: Member) -> None:
        """Nothing more comes of a member's trial."""
        member.waits, member.lost, member.pausing = False, True, None
        member.losses += 1
        self._forget()

    def _forget(self) -> None:
        """Results at levels that no member can come to, or be set back to, any more."""
        least = min((one.level for one in self.members if one.counts), default=math.inf)
        self._results = {level: results for level, results in self._results.items() if level >= least}
