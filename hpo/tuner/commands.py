"""Taking in commands: each file becomes one event of the log, exactly once, whatever kills the tuner.

A command is validated, stored as accepted or refused in the same commit as all else of its turn, and only then obeyed and its
file removed. A file whose id is in the log already is what a killed tuner has left, and is only removed.
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
"""Seconds between two looks where nothing tells of a command: on network file systems, and with some backends."""

log = logging.getLogger(__name__)


class Inbox(Protocol):
    """Where commands are left: a folder, or memory."""

    opened: str
    """An id that sorts behind those of what was left before."""

    def waiting(self) -> list[str]:
        """Ids of what is there."""

    def read(self, name: str) -> Command:
        """The command of that id; ValueError where there is none."""

    def remove(self, name: str) -> None:
        """It is in the log."""


@dataclass
class Commands:
    """The commands to one session.

    Args:
        inbox: where they are left; None: nobody can give any.
        state: what is known.
        journal: where events go.
        heard: something tells when one is left.
    """

    inbox: Inbox | None
    state: ExperimentState
    journal: Journal
    heard: bool = False
    _knocked: bool = True  # what was left before the session is looked for at its begin
    _looked: float = field(default_factory=time.monotonic)
    _complained: bool = False

    def knock(self) -> None:
        """One may have been left."""
        self._knocked = True

    def next_look(self) -> list[float]:
        """Seconds until the folder has to be looked at."""
        if self.inbox is None or self.heard:
            return []
        return [max(self._looked + LOOK_EVERY - time.monotonic(), 0.0)]

    def take(self, moment: Callable[[], Moment], obey: Callable[[Command], None]) -> None:
        """Take in what was left, in the order of the ids.

        Args:
            moment: the experiment as it is then.
            obey: called for each that is accepted, after it is noted.
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
