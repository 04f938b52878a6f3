"""Callbacks: objects of the user's that see every event and may add columns to the results."""

from collections.abc import Mapping
from typing import Any

from hpo.events.state import ExperimentState
from hpo.events.types import Event, Trial


class Callback:
    """Override what is needed. Configured as `callbacks: {name: {_target_: my_package.MyCallback, …}}`.

    A callback sees decisions, it does not make any. What it raises is logged, once, and does not end the experiment.
    """

    def on_open(self, state: ExperimentState) -> None:
        """The experiment starts or resumes; `state` is kept up to date from now on."""

    def extra_results(self, trial: Trial, metrics: Mapping[str, Any]) -> Mapping[str, Any]:
        """Columns to add to this report's row; called before the report is stored."""
        return {}

    def on_event(self, event: Event) -> None:
        """`event` has been stored, and taken in by the state."""

    def on_idle(self) -> float | None:
        """Called whenever the tuner waits; returns the seconds after which to be called again at the latest."""
        return None

    def on_close(self) -> None:
        """The session is over, for whatever reason."""
