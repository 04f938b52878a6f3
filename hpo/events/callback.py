"""Callbacks: user-defined objects that see every event and may add columns to the results."""

from collections.abc import Mapping
from typing import Any

from hpo.events.state import ExperimentState
from hpo.events.types import Event, Trial


class Callback:
    """Base class of callbacks, configured as `callbacks: {name: {_target_: my_package.MyCallback}}`.

    Override the methods that you need. A callback sees decisions and makes none. What it raises is logged once, and does not
    end the experiment.
    """

    def on_open(self, state: ExperimentState) -> None:
        """Handle the start of a session; `state` is kept up to date from then on."""

    def extra_results(self, trial: Trial, metrics: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return columns to add to the row of a report; called before the report is stored."""
        return {}

    def on_event(self, event: Event) -> None:
        """Handle an event that has been stored and taken in by the state."""

    def on_idle(self) -> float | None:
        """Return the seconds after which to be called again at the latest; called whenever the tuner waits."""
        return None

    def on_close(self) -> None:
        """Handle the end of the session, whatever ended it."""
