"""The record of which nodes work: a node on which everything fails at once would otherwise be given trial after trial."""

from collections.abc import Iterable
from dataclasses import dataclass, field

_ENOUGH = 3
"""Number of consecutive attempts without a report, while other nodes report, after which a node is avoided."""


@dataclass(slots=True)
class _Record:
    reports: int = 0
    silent: int = 0
    """Number of consecutive attempts that failed without a report."""


@dataclass
class Nodes:
    """The successes and failures of nodes in one session."""

    avoided: set[str] = field(default_factory=set)
    """Nodes that are no longer used."""
    _records: dict[str, _Record] = field(default_factory=dict)
    _failing: set[str] = field(default_factory=set)
    """Nodes whose last attempts have failed without a report."""
    _excused: dict[int, str] = field(default_factory=dict)
    """Trials whose failure was attributed to a node; on another node it counts as their own."""

    @property
    def all_usable(self) -> bool:
        """Whether trials may be sent to every node."""
        return not self.avoided and not self._failing

    def reported(self, node: str) -> None:
        """Record that an attempt on this node has reported."""
        self._failing.discard(node)
        record = self._of(node)
        record.reports += 1
        record.silent = 0

    def failed(self, node: str, trial_id: int, elsewhere: Iterable[str] = ()) -> bool:
        """Record that an attempt has failed without a report. Returns whether the node is at fault rather than the trial.

        Args:
            node: Node of the attempt.
            trial_id: Number of the trial.
            elsewhere: Nodes that may have what this one lacks, if that is the cause; the trial is tried on one of them, once.
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
        """Whether a trial may be sent to this node now.

        A node that has only failed so far gets none until it is known whether others do better.

        Args:
            node: Node that has room.
            at_work: Nodes on which trials run.
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
