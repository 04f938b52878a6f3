"""Reading commands to a running experiment: each file becomes exactly one event of the log, even if the tuner is killed.

A command is validated and stored as accepted or refused in the same commit as the other events of its turn. Only then is it
carried out and its file removed. A file whose id is in the log was left by a tuner that was killed, and is only removed.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from hpo.errors import HPOError
from hpo.events.state import ExperimentState
from hpo.events.steering import Command, CommandName
from hpo.events.text import command_text, printable
from hpo.events.types import Kind
from hpo.tuner.command_refusals import Moment, refusal
from hpo.tuner.journal import Journal

LOOK_EVERY = 5.0
"""Seconds between two looks for commands if nothing announces them: on network file systems, and with some backends."""

log = logging.getLogger(__name__)


class Inbox(Protocol):
    """The place where commands are left: a folder, or memory."""

    opened: str
    """An id that sorts after those of all commands left before this session."""

    def waiting(self) -> list[str]:
        """Return the ids of the commands that wait."""

    def read(self, name: str) -> Command:
        """Return the command with an id; raise ValueError if it is not a valid command."""

    def remove(self, name: str) -> None:
        """Remove a command that is in the log."""


@dataclass
class Commands:
    """The commands to one session of an experiment.

    Args:
        inbox: Place where commands are left; None if nobody can give any.
        state: Current state of the experiment.
        journal: Journal for the events.
        heard: Whether something announces a command, so that the inbox need not be looked at regularly.
    """

    inbox: Inbox | None
    state: ExperimentState
    journal: Journal
    heard: bool = False
    _knocked: bool = True  # what was left before the session is looked for at its begin
    _looked: float = field(default_factory=time.monotonic)
    _complained: bool = False

    def knock(self) -> None:
        """Note that a command may have been left."""
        self._knocked = True

    def next_look(self) -> list[float]:
        """Return the seconds until the inbox has to be looked at; empty if something announces commands."""
        if self.inbox is None or self.heard:
            return []
        return [max(self._looked + LOOK_EVERY - time.monotonic(), 0.0)]

    def take(self, moment: Callable[[], Moment], obey: Callable[[Command], None]) -> None:
        """Take in the commands that wait, in the order of their ids.

        Args:
            moment: Function that returns the current facts by which a command is judged.
            obey: Function called for each accepted command, after it is noted.
        """
        if self.inbox is None or not (self._knocked or self.next_look() == [0.0]):
            return
        self._knocked, self._looked = False, time.monotonic()
        for name in self._waiting(self.inbox):
            if name not in self.state.steering.answers:
                self._answer(name, self.inbox, moment(), obey)
            self.journal.act(self._remove, self.inbox, name)

    def _waiting(self, inbox: Inbox) -> list[str]:
        try:
            return inbox.waiting()
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                self._complain("commands cannot be looked for (%s)", error)
            return []

    def _answer(self, name: str, inbox: Inbox, moment: Moment, obey: Callable[[Command], None]) -> None:
        try:
            command = inbox.read(name)
            why = refusal(command, moment)
        except FileNotFoundError:
            return  # whoever left it has taken it back
        except (ValueError, OSError) as error:
            command, why = Command(name, "unreadable"), f"it cannot be read: {error}"
        known = command.verb if command.verb in set(CommandName) else "unknown"
        arguments = dict(command.arguments) if why is None else {}
        body: dict[str, Any] = {"id": name, "command": known, "arguments": arguments, "by": printable(command.by)[:200]}
        if why is not None:
            self.journal.emit(Kind.COMMANDED, body={**body, "accepted": False, "why": printable(why)})
            log.warning("command %s by %s was rejected: %s", known, body["by"], printable(why))
            return
        trial = attempt = None
        if known == CommandName.STOP:
            trial = int(arguments["trial"])
            attempt = self.state.trials[trial].attempt
        elif known == CommandName.BUDGET:
            body |= _old_and_new(asdict(moment.budget), arguments)
        self.journal.emit(Kind.COMMANDED, trial, attempt, body={**body, "accepted": True})
        log.warning("command by %s: %s", body["by"], command_text(body))
        obey(command)

    def _remove(self, inbox: Inbox, name: str) -> None:
        try:
            inbox.remove(name)
        except (OSError, HPOError) as error:
            self._complain("commands that were taken cannot be removed (%s); they are not taken again", error)

    def _complain(self, text: str, error: Exception) -> None:
        if not self._complained:
            self._complained = True
            log.warning(text, error)


def _old_and_new(budget: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {"old": {key: budget[key] for key in changes}, "new": dict(changes)}
