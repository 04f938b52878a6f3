"""Steering: the commands that people gave to a running experiment, and their effects."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hpo.events.types import Event, Kind


class CommandName(StrEnum):
    """Commands to a running experiment."""

    STOP = "stop"
    """Stop the trial `trial` for good; its results stay."""
    HOLD = "hold"
    """Start and resume no trials; running trials continue."""
    GO_ON = "go-on"
    """End a hold."""
    BUDGET = "budget"
    """Set limits by the keys of a budget; None is no limit."""
    END = "end"
    """Finish the experiment; running trials get their grace period."""
    INTERRUPT = "interrupt"
    """End this session as SIGTERM does; the same command resumes the experiment."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command that somebody gave to a running experiment.

    Attributes:
        id: Unique id within the experiment; ids of one machine sort by time.
        verb: A value of `CommandName`; the experiment rejects any other text.
        arguments: Arguments of the command.
        by: Name of whoever gave the command.
    """

    id: str
    verb: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    by: str = "somebody"


@dataclass(slots=True)
class Steering:
    """The commands that an experiment has taken in, and what they changed."""

    answers: dict[str, Event] = field(default_factory=dict)
    """Event of each command by the command's id, rejected ones included."""
    marks: list[Event] = field(default_factory=list)
    """Commands after which decisions are no longer the method's alone: stopped trials, and holds."""
    accepted: int = 0
    """Number of accepted commands."""
    held: str | None = None
    """Name of whoever holds the experiment; None if it is not held."""
    end: str | None = None
    """Name of whoever asked for the end, until the experiment has finished; None if nobody did."""
    given: Mapping[str, Any] | None = None
    """Configured budget of the last session; None in logs of earlier versions."""
    changes: dict[str, Any] = field(default_factory=dict)
    """Limits that commands have set since that budget was first given."""

    def apply(self, event: Event) -> None:
        """Take in an event that opens a session, is a command, or ends the experiment."""
        match event.kind:
            case Kind.COMMANDED:
                self.answers[event.body["id"]] = event
                if event.body["accepted"]:
                    self.accepted += 1
                    self._obey(event)
            case Kind.OPENED:
                self.changes = self.changes_under(event.body.get("budget"))
                self.given = event.body.get("budget")
            case Kind.FINISHED:
                self.end = self.held = None

    def changes_under(self, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the limits set by commands, for a session with the same configured budget as before; else empty."""
        return dict(self.changes) if same_limits(given, self.given) else {}

    def _obey(self, event: Event) -> None:
        by = event.body["by"]
        if is_mark(event):
            self.marks.append(event)
        match event.body["command"]:
            case CommandName.HOLD:
                self.held = by
            case CommandName.GO_ON:
                self.held = None
            case CommandName.BUDGET:
                self.changes.update(event.body["new"])
            case CommandName.END:
                self.end = by


def same_limits(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Whether two budgets are known and equal; a limit that a log of an earlier version does not have is none."""
    if one is None or other is None:
        return False
    return all(one.get(key) == other.get(key) for key in {*one, *other})


def is_mark(event: Event) -> bool:
    """Whether an event is a command after which the results are no longer due to the method alone."""
    commanded = event.kind == Kind.COMMANDED and event.body["accepted"]
    return commanded and event.body["command"] in (CommandName.STOP, CommandName.HOLD)


def stopped_trial(event: Event) -> int | None:
    """Return the trial that a command has stopped; None for all other events."""
    return event.trial if is_mark(event) else None
