"""Giving a command to a running experiment, and waiting for its tuner's answer in the log."""

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
"""Seconds that an answer may take: longer than the tuner is deaf where no kernel tells it of files."""
_AGAIN = 0.25
"""Seconds between two looks for the answer where the kernel does not tell of changes."""


def why_not(follower: Follower) -> str | None:
    """Why an experiment cannot be steered, as a sentence; None where it can be.

    Args:
        follower: of the experiment, that has read its log.
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
    """Who asks, as the log has it."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user without a name, as in containers
        name = "somebody"
    return f"{name}@{socket.gethostname()}"


def ask(directory: Path, verb: str, arguments: Mapping[str, Any], by: str, patience: float = PATIENCE) -> Event | None:
    """Give a command and wait for the answer.

    Args:
        directory: of the experiment.
        verb: one of `hpo.events.steering.Verb`.
        arguments: of the verb.
        by: who asks.
        patience: seconds.

    Returns:
        the COMMANDED event, which says whether it was accepted; None where it has not come by then: the command stays, and is
        taken when the tuner looks for it.

    Raises:
        StoreError: the experiment cannot be steered, or its folder cannot be written to.
    """
    follower = Follower(directory)
    follower.advance()
    if (why := why_not(follower)) is not None:
        raise StoreError(f"{directory}: {why}")
    return deliver(follower.files, Command(new_id(), verb, arguments, by), follower.sequence, patience)


def deliver(files: ExperimentDirectory, command: Command, after: int, patience: float = PATIENCE) -> Event | None:
    """Leave a command for a tuner that is at work, and wait for the answer; see `ask`.

    Args:
        files: of the experiment.
        command: what is asked.
        after: an event of the log before the answer.
        patience: seconds.
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
    """A function that waits until something in the directory changes, for so many seconds at most."""
    inotify = open_inotify("the answer is looked for now and then")
    if inotify is None:
        yield lambda seconds: time.sleep(min(seconds, _AGAIN))
        return
    with inotify:
        inotify.add_watch(directory, MODIFY)
        yield lambda seconds: inotify.read(timeout=int(min(seconds, 1.0) * 1000) + 1)
