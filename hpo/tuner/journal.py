"""Between deciding and acting: events are gathered, committed together, and only then acted upon and shown."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from hpo.events.callback import Callback
from hpo.events.outcome import ReportOutcome
from hpo.events.state import ExperimentState
from hpo.events.types import Event, Kind, Trial

log = logging.getLogger(__name__)


class EventLog(Protocol):
    """Where events go: the store, or memory."""

    def append(self, events: Sequence[Event]) -> None:
        """Commit events, all or none."""


@dataclass
class Journal:
    """Gathers the events of one turn of the tuner.

    Args:
        events: where they are committed.
        state: takes each in at once.
        elapsed: the experiment's clock.
        wall: unix time.
        callbacks: see each once it is committed.
    """

    events: EventLog
    state: ExperimentState
    elapsed: Callable[[], float]
    wall: Callable[[], float]
    callbacks: Sequence[Callback] = ()
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
        """Add an event to this turn; `outcome`: what the state would make of the report again; `elapsed`: None is now."""
        moment = self.elapsed() if elapsed is None else elapsed
        event = Event(kind, moment, self.wall(), trial, attempt, resource, body or {})
        self.state.apply(event, outcome)
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
        """Add something a reader should know, and log it; a terminal shows it unless `level` is lower than a warning's."""
        self.emit(Kind.NOTED, trial, attempt, body={"text": text, **more})
        log.log(level, "%s", text)

    def act(self, action: Callable[..., None], *arguments: Any) -> None:
        """Do something once the events of this turn are stored."""
        self._actions.append((action, arguments))

    def commit(self) -> None:
        """Store this turn's events, then act, then show them.

        Raises:
            StoreError: they could not be stored; nothing was done.
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
        """The columns that callbacks add to a report."""
        extra: dict[str, Any] = {}
        for callback in self.callbacks:
            extra.update(self._guard(callback, "extra_results", trial, metrics, check=_columns) or {})
        return extra

    def next_call(self) -> list[float]:
        """Seconds after which callbacks want to be called again."""
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
    """What a callback may add to a row: names and values that can be stored."""
    columns = {str(name): column for name, column in dict(value or {}).items()}
    json.dumps(columns)
    return columns


def _seconds(value: Any) -> float | None:
    return None if value is None else max(float(value), 0.0)
