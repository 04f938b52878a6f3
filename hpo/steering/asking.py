"""Commands to a running experiment, and the tuner's answers, which appear in the event log."""

import contextlib
import getpass
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hpo.errors import StoreError
from hpo.events.steering import Command
from hpo.events.types import Event, Kind
from hpo.history.follower import Follower
from hpo.store.commands import CommandFolder, new_id
from hpo.store.directory import LAUNCH_RECORD, ExperimentDirectory, read_json
from hpo.store.event_store import Store
from hpo.store.inotify import MODIFY, open_inotify
from hpo.store.sqlite_file import is_busy
from hpo.tuner.commands import LOOK_EVERY

PATIENCE = 2 * LOOK_EVERY
"""Seconds to wait for an answer; longer than the interval at which a tuner looks for commands if the kernel reports none."""
_AGAIN = 0.25
"""Seconds between two looks for the answer if the kernel does not report changes."""


def why_not(follower: Follower) -> str | None:
    """Return the reason why an experiment cannot be steered as a sentence, or None if it can be.

    Args:
        follower: Reader of the experiment, which has read its log.
    """
    condition, detail = follower.condition()
    if follower.config.simulated:
        return "it is simulated, and finishes too soon to be steered"
    if follower.over:
        return f"it is over: {follower.state.finished}"
    if "sagemaker" in str(read_json(follower.files.path / LAUNCH_RECORD).get("launcher", "")).lower():
        return "it runs as a SageMaker job, which commands do not reach; hpo stop ends it"
    if condition != "running":
        return f"it does not run now ({detail or condition}); start it again with its command first"
    return None


def me() -> str:
    """Return the user and host that are logged as a command's origin."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user without a name, as in containers
        name = "somebody"
    return f"{name}@{socket.gethostname()}"


def ask(directory: Path, verb: str, arguments: Mapping[str, Any], by: str, patience: float = PATIENCE) -> Event | None:
    """Give a command to a running experiment and wait for the answer.

    Args:
        directory: Directory of the experiment.
        verb: A value of `hpo.events.steering.CommandName`.
        arguments: Arguments of the command, by name.
        by: Who gives the command.
        patience: Seconds to wait for the answer.

    Returns:
        The COMMANDED event, which says whether the command was accepted, or None if it has not come in time. The command then
        stays, and the tuner takes it at its next look.

    Raises:
        StoreError: The experiment cannot be steered, or its folder is not writable.
    """
    follower = Follower(directory)
    follower.advance()
    if (why := why_not(follower)) is not None:
        raise StoreError(f"{directory}: {why}")
    return deliver(follower.files, Command(new_id(), verb, arguments, by), follower.sequence, patience)


def deliver(files: ExperimentDirectory, command: Command, after: int, patience: float = PATIENCE) -> Event | None:
    """Leave a command for a running tuner and wait for the answer; see `ask`.

    Args:
        files: Directory of the experiment.
        command: The command.
        after: Number of an event that precedes the answer.
        patience: Seconds to wait for the answer.
    """
    with _changes(files.path) as changed:
        CommandFolder(files.commands).give(command)
        until = time.monotonic() + patience
        while (left := until - time.monotonic()) > 0:
            try:
                with contextlib.closing(Store(files.events, read_only=True)) as store:
                    for sequence, event in store.read_numbered(after):
                        after = max(after, sequence)
                        if event.kind == Kind.COMMANDED and event.body["id"] == command.id:
                            return event
            except StoreError as error:
                if not is_busy(error.__cause__):
                    raise
            changed(left)
    return None


@contextlib.contextmanager
def _changes(directory: Path) -> Iterator[Any]:
    """Give a function that waits, for at most so many seconds, until something in the directory changes."""
    inotify = open_inotify("the answer is looked for now and then")
    if inotify is None:
        yield lambda seconds: time.sleep(min(seconds, _AGAIN))
        return
    with inotify:
        inotify.add_watch(directory, MODIFY)
        yield lambda seconds: inotify.read(timeout=int(min(seconds, 1.0) * 1000) + 1)
