"""When failures are no longer those of single trials: too many of them in a row."""

import logging
from dataclasses import dataclass
from pathlib import Path

from hpo.events.state import ExperimentState
from hpo.events.types import Exit, Status
from hpo.tuner.trial_limits import Limits, see

log = logging.getLogger(__name__)


@dataclass
class Failures:
    """Those of one session.

    Args:
        state: what is known.
        limits: how many may be.
    """

    state: ExperimentState
    limits: Limits
    _losses: int = 0
    _first_log: Path | None = None
    """Of the first trial in a row that failed without a report."""

    def on_report(self) -> None:
        """Something works."""
        self._losses = 0

    def on_loss(self, why: str | None) -> str | None:
        """Count an attempt that was lost or terminated from outside. Returns why the experiment cannot go on, or None.

        Args:
            why: it ended, if anybody knows.
        """
        self._losses += 1
        return self.limits.nothing_but_losses(self._losses, why)

    def on_failure(self, status: Status, event: Exit, error: str | None) -> str | None:
        """A trial has failed, and that is stored. Returns why the experiment cannot go on, where it cannot."""
        where, last = f"{event.where}: " if event.where else "", (error or "no message").splitlines()[-1]
        log.warning("trial %d %s: %s%s%s", event.trial_id, status, where, last, see(event.log))
        if self.state.silent_failures == 1:
            self._first_log = event.log
        if self.state.silent_failures < self.limits.max_failures:
            return None
        return self.limits.nothing_but_failures(self.state.first_error, self._first_log)
