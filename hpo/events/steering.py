"""What people told a running experiment to do: commands, and the fold of those that it has taken."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hpo.events.types import Event, Kind


class CommandName(StrEnum):
    """What can be asked of a running experiment."""

    STOP = "stop"
    """`trial`: no more is to come of it; its results stay."""
    HOLD = "hold"
    """Nothing new starts and nothing paused goes on; what runs goes on."""
    GO_ON = "go-on"
    """The end of `hold`."""
    BUDGET = "budget"
    """New limits, by the keys of a budget; None is no limit."""
    END = "end"
    """The experiment is over: running trials get their grace."""
    INTERRUPT = "interrupt"
    """This session is over, as after SIGTERM: the same command goes on."""


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody asks of a running experiment.

    Attributes:
        id: no other command of the experiment has it; those of one machine sort by time.
        verb: one of `CommandName`; another text is refused.
        arguments: of the verb.
        by: who asks.
    """

    id: str
    verb: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    by: str = "somebody"


@dataclass(slots=True)
class Steering:
    """The commands that an experiment has taken."""

    answers: dict[str, Event] = field(default_factory=dict)
    """By the command's id, also those that were refused."""
    marks: list[Event] = field(default_factory=list)
    """Those by which its decisions are no longer its method's alone: trials stopped, and holds."""
    accepted: int = 0
    """How many were not refused."""
    held: str | None = None
    """By whom it is held."""
    end: str | None = None
    """By whom its end was asked for, until it is over."""
    given: Mapping[str, Any] | None = None
    """The budget in the configuration that the last session opened with; None where versions before did not say."""
    changes: dict[str, Any] = field(default_factory=dict)
    """Limits that commands have set since that budget was first given."""

    def apply(self, event: Event) -> None:
        """Take in an event of a session's begin, a command, or the experiment's end."""
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
        """What commands have changed of a budget that a session opens with: nothing, if it is another than before."""
        return dict(self.changes) if given is not None and given == self.given else {}

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


def is_mark(event: Event) -> bool:
    """Is it a command by which what an experiment found is no longer due to its method alone?"""
    commanded = event.kind == Kind.COMMANDED and event.body["accepted"]
    return commanded and event.body["command"] in (CommandName.STOP, CommandName.HOLD)


def stopped_trial(event: Event) -> int | None:
    """The trial that a command has stopped; None for all other events."""
    return event.trial if is_mark(event) else None
