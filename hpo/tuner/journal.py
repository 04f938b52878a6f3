"""The step between deciding and acting: events are collected, committed together, and only then acted upon and shown."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hpo.events.callback import Callback
from hpo.events.outcome import ReportOutcome
from hpo.events.state import ExperimentState
from hpo.events.types import Event, Kind, Trial
from hpo.tuner.stop_when import Plateau

log = logging.getLogger(__name__)


class EventLog(Protocol):
    """The log that events are appended to: a store, or memory."""

    def append(self, events: Sequence[Event]) -> None:
        """Commit events, all or none."""


@dataclass
class Journal:
    """The events of the current turn of the tuner, and the actions that follow once they are stored.

    Args:
        events: Log to which events are committed.
        state: State of the experiment, which takes in each event at once.
        elapsed: Clock of the experiment, in seconds.
        wall: Clock in unix time.
        callbacks: Callbacks that see each event once it is committed.
        plateau: Rule that takes in each event at once; None if there is none.
    """

    events: EventLog
    state: ExperimentState
    elapsed: Callable[[], float]
    wall: Callable[[], float]
    callbacks: Sequence[Callback] = ()
    plateau: Plateau | None = None
    _pending: list[Event] = field(default_factory=list)
    _actions: list[tuple[Callable[..., None], tuple[Any, ...]]] = field(default_factory=list)
    _broken: set[int] = field(default_factory=set)

    def emit(
        self,
        kind: Kind,
        trial: int | None = None,
        attempt: int | None = None,
        resource: int | None = None,
        body: Mapping[str, Any] | None = None,
        outcome: ReportOutcome | None = None,
        elapsed: float | None = None,
    ) -> None:
        """Add an event to this turn, with the outcome of a report if it is known, and the elapsed time if it is not now."""
        moment = self.elapsed() if elapsed is None else elapsed
        event = Event(kind, moment, self.wall(), trial, attempt, resource, body or {})
        self.state.apply(event, outcome)
        if self.plateau is not None:
            self.plateau.take(event, self.state, outcome)
        self._pending.append(event)

    def note(
        self,
        text: str,
        trial: int | None = None,
        attempt: int | None = None,
        *,
        level: int = logging.WARNING,
        **more: Any,
    ) -> None:
        """Add a note for readers of the log, and log it; a terminal shows it unless `level` is below a warning."""
        self.emit(Kind.NOTED, trial, attempt, body={"text": text, **more})
        log.log(level, "%s", text)

    def act(self, action: Callable[..., None], *arguments: Any) -> None:
        """Call a function once the events of this turn are stored."""
        self._actions.append((action, arguments))

    def commit(self) -> None:
        """Store the events of this turn, then act, then show them to the callbacks.

        Raises:
            StoreError: The events could not be stored; nothing was done.
        """
        events, self._pending = self._pending, []
        if events:
            self.events.append(events)
        actions, self._actions = self._actions, []
        for action, arguments in actions:
            action(*arguments)
        if self.callbacks:
            for event in events:
                self.call("on_event", event)

    def extra_results(self, trial: Trial, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """Return the columns that callbacks add to a report."""
        extra: dict[str, Any] = {}
        for callback in self.callbacks:
            extra.update(self._guard(callback, "extra_results", trial, metrics, check=_columns) or {})
        return extra

    def next_call(self) -> list[float]:
        """Return the seconds after which callbacks ask to be called again."""
        wishes = [self._guard(callback, "on_idle", check=_seconds) for callback in self.callbacks]
        return [wish for wish in wishes if wish is not None]

    def call(self, name: str, *arguments: Any) -> None:
        """Call a method of every callback."""
        for callback in self.callbacks:
            self._guard(callback, name, *arguments)

    def _guard(self, callback: Callback, name: str, *arguments: Any, check: Callable[[Any], Any] | None = None) -> Any:
        """Call a user's code. Its error is logged once and is not the experiment's."""
        try:
            value = getattr(callback, name)(*arguments)
            return value if check is None else check(value)
        except Exception:
            if id(callback) not in self._broken:
                self._broken.add(id(callback))
                log.exception("callback %s failed in %s; the experiment continues", type(callback).__name__, name)
            return None


def _columns(value: Any) -> dict[str, Any]:
    """Return the columns that a callback adds to a row, as a dictionary that can be stored as JSON."""
    columns = {str(name): column for name, column in dict(value or {}).items()}
    json.dumps(columns)
    return columns


def _seconds(value: Any) -> float | None:
    return None if value is None else max(float(value), 0.0)
