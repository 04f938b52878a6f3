"""The decision that too many failures in a row have a cause other than the configurations of single trials."""

import logging
from dataclasses import dataclass
from pathlib import Path

from hpo.events.state import ExperimentState
from hpo.events.types import Exit, Status
from hpo.tuner.trial_limits import Limits, see

log = logging.getLogger(__name__)


@dataclass
class Failures:
    """The failures and losses of one session.

    Args:
        state: Current state of the experiment.
        limits: Limits, among them how many failures in a row are allowed.
    """

    state: ExperimentState
    limits: Limits
    _losses: int = 0
    _first_log: Path | None = None
    """Log of the first trial in the current row of failures without a report."""

    def on_report(self) -> None:
        """Note a report, which ends a row of losses."""
        self._losses = 0

    def on_loss(self, why: str | None) -> str | None:
        """Count an attempt lost or terminated from outside; return why the experiment cannot continue, or None if it can.

        Args:
            why: Reason for the loss; None if unknown.
        """
        self._losses += 1
        return self.limits.nothing_but_losses(self._losses, why)

    def on_failure(self, status: Status, event: Exit, error: str | None) -> str | None:
        """Warn of a trial that failed, once that is stored; return why the experiment cannot continue, or None if it can."""
        where, last = f"{event.where}: " if event.where else "", (error or "no message").splitlines()[-1]
        log.warning("trial %d %s: %s%s%s", event.trial_id, status, where, last, see(event.log))
        if self.state.silent_failures == 1:
            self._first_log = event.log
        if self.state.silent_failures < self.limits.max_failures:
            return None
        return self.limits.nothing_but_failures(self.state.first_error, self._first_log)
