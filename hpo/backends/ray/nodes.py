"""Which nodes do their work: one on which everything fails at once would otherwise take trial after trial."""

from collections.abc import Iterable
from dataclasses import dataclass, field

_ENOUGH = 3
"""Attempts in a row that fail without a report, while other nodes report, and a node is used no more."""


@dataclass(slots=True)
class _Record:
    reports: int = 0
    silent: int = 0
    """Attempts in a row that failed without a report."""


@dataclass
class Nodes:
    """What has been seen of them in one session."""

    avoided: set[str] = field(default_factory=set)
    """Those that are used no more."""
    _records: dict[str, _Record] = field(default_factory=dict)
    _failing: set[str] = field(default_factory=set)
    """Those whose last attempts have failed without a report."""
    _excused: dict[int, str] = field(default_factory=dict)
    """Trials whose failure was put down to a node; on another one it is their own."""

    @property
    def all_usable(self) -> bool:
        """May trials be sent to each of them?"""
        return not self.avoided and not self._failing

    def reported(self, node: str) -> None:
        """An attempt has reported there."""
        self._failing.discard(node)
        record = self._of(node)
        record.reports += 1
        record.silent = 0

    def failed(self, node: str, trial_id: int, elsewhere: Iterable[str] = ()) -> bool:
        """An attempt has failed there without a report. Returns whether the node is rather at fault than the trial.

        Args:
            node: it was on.
            trial_id: whose.
            elsewhere: nodes that may have what this one lacks, if it is that; a trial is tried on one of them, once.
        """
        record = self._of(node)
        record.silent += 1
        self._failing.add(node)
        if not self._others_report(node):
            untried = any(other not in self.avoided and not self._of(other).silent for other in elsewhere)
            return untried and not record.reports and self._excused.setdefault(trial_id, node) == node
        if record.silent >= _ENOUGH:
            self.avoided.add(node)
        return not record.reports and self._excused.setdefault(trial_id, node) == node

    def usable(self, node: str, at_work: Iterable[str]) -> bool:
        """May a trial be sent there now?

        A node that has only failed so far gets none until it is known whether others do better.

        Args:
            node: that has room.
            at_work: nodes on which trials run.
        """
        if node in self.avoided:
            return False
        record = self._of(node)
        if record.reports or not record.silent or self._others_report(node):
            return True
        return not any(other != node and not self._of(other).silent for other in at_work)

    def _others_report(self, node: str) -> bool:
        return any(record.reports for other, record in self._records.items() if other != node)

    def _of(self, node: str) -> _Record:
        return self._records.setdefault(node, _Record())
