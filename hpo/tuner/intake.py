"""Taking in reports: which resource, which loss, and whether it is news."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hpo.events.objective import Objective, ReportError
from hpo.events.state import TrialState

log = logging.getLogger(__name__)


@dataclass
class Intake:
    """Reads the reports of running attempts."""

    objective: Objective
    _lines: dict[int, int] = field(default_factory=dict)
    """Reports of each current attempt, where the script does not name its resource."""
    _warned: set[tuple[int, int]] = field(default_factory=set)

    def begin(self, trial_id: int) -> None:
        """A new attempt starts to report."""
        self._lines.pop(trial_id, None)

    def line(self, trial_id: int) -> int:
        """How many reports the current attempt has made, where they are counted."""
        return self._lines[trial_id]

    def read(self, state: TrialState, metrics: Mapping[str, Any]) -> tuple[int, float] | None:
        """(resource, loss) of a report; None when the resource is known already.

        An attempt that starts over reports again what an earlier one did.

        Raises:
            ReportError: it cannot be used.
        """
        try:
            loss = self.objective.loss(metrics)
            resource = self.objective.resource(metrics)
        except ReportError as error:
            raise ReportError(_brief(str(error))) from None
        if resource is None:
            resource = self._lines[state.trial.id] = self._lines.get(state.trial.id, state.lines) + 1
        if resource > state.resource:
            return resource, loss
        key = (state.trial.id, state.attempt)
        if key not in self._warned:
            self._warned.add(key)
            log.info(
                "trial %d reports resource %d again (it had reached %d); known ones are dropped: %s",
                state.trial.id,
                resource,
                state.resource,
                _brief(str(dict(metrics))),
            )
        return None


def _brief(text: str) -> str:
    """A text that quotes what a script reported, which may be megabytes, at a length that a person reads."""
    return text if len(text) <= 700 else f"{text[:450]} … {text[-200:]}"
