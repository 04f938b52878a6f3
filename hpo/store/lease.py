"""Leases: signs of life of an experiment's owner, for tuners on machines that its kernel lock does not reach.

On a network file system, a lock may hold on one machine only. There the owner's note is a lease: only one process can create
it, and its owner touches it every few seconds and removes it at the end. A process that finds a note from another machine
watches it. While the note is touched, its owner lives; if it is not, the owner is gone and the note is removed. Clocks of
different machines are not compared, and a note alone does not count as a living owner.
"""

import contextlib
import json
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from hpo.errors import print_error
from hpo.store.atomic_files import write_atomically
from hpo.store.directory import ExperimentDirectory, json_object
from hpo.store.machine import machine
from hpo.store.untrusted import MOST_JSON, open_untrusted

log = logging.getLogger(__name__)

BEAT = 5.0
"""Seconds between two signs of life."""
LOOKS = 4
"""Number of looks, a beat apart, without a sign of life after which the owner counts as gone. Looks are counted and not
seconds, because on a file server that hangs a look takes as long as the sign of life.
"""
SIGNS = 2
"""Number of signs of life that prove an owner alive; the first may be old and delayed by a cache of the file system."""


def read_note(files: ExperimentDirectory) -> Mapping[str, Any]:
    """Return the note of the current or last owner; empty if it cannot be read."""
    return _note_at(files.owner)[0]


def _note_at(path: Path) -> tuple[Mapping[str, Any], int]:
    """Return a note and the time of its last touch; the file is opened, so that network file systems ask their server."""
    try:
        with os.fdopen(open_untrusted(path, MOST_JSON), "rb") as file:
            return json_object(file.read(MOST_JSON)), os.fstat(file.fileno()).st_mtime_ns
    except (OSError, ValueError):
        return {}, 0


class Lease:
    """The note of an owner, which it keeps alive.

    Args:
        files: Directory of the experiment.
        shared: Whether other machines may see the directory but not the lock.
    """

    def __init__(self, files: ExperimentDirectory, shared: bool) -> None:
        self._files = files
        self._shared = shared
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        self._note: dict[str, Any] = {"host": socket.gethostname(), "pid": os.getpid(), "started": now}
        if shared:
            self._note |= {"machine": machine(), "token": secrets.token_hex(8)}
        self._over: Final = threading.Event()

    def acquired(self) -> bool:
        """Write the note and return True, unless an owner on another machine shows signs of life, which takes seconds.

        Raises:
            OSError: The note cannot be written.
        """
        data = json.dumps(self._note).encode()
        if not self._shared:
            write_atomically(self._files.owner, data)
            return True
        while True:
            try:
                descriptor = os.open(self._files.owner, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            except FileExistsError:
                note, touched = _note_at(self._files.owner)
                if note.get("machine") != machine() and self._lives(note, touched):
                    return False
                self._take_away(note)
                continue
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(descriptor)
            except OSError:
                self._files.owner.unlink(missing_ok=True)  # half a note would be watched for signs of life
                raise
            return True

    def _lives(self, note: Mapping[str, Any], last: int) -> bool:
        """Whether the tuner that holds the experiment is alive: whether its note is touched while this waits."""
        log.warning(
            "%s: the tuner on host %s, pid %s, did not say that it ended; looking for a sign of life for %g s",
            self._files.path,
            note.get("host"),
            note.get("pid"),
            BEAT * LOOKS,
        )
        signs = quiet = 0
        while quiet < LOOKS and signs < SIGNS:
            time.sleep(BEAT)
            seen, touched = _note_at(self._files.owner)
            if seen.get("token") != note.get("token"):
                return False  # it ended in order, or another one that watched was faster
            signs, quiet = (signs + 1, 0) if touched != last else (signs, quiet + 1)
            last = touched
        return signs >= SIGNS

    def _take_away(self, note: Mapping[str, Any]) -> None:
        """Remove the note of an owner that is gone, but not a newer one in its place."""
        mine = self._files.owner.with_name(f"{self._files.owner.name}.{self._note['token']}")
        if _note_at(self._files.owner)[0].get("token") != note.get("token"):
            return
        try:
            self._files.owner.rename(mine)
        except FileNotFoundError:
            return
        if _note_at(mine)[0].get("token") != note.get("token"):  # it came in the instant since the look: give it back
            with contextlib.suppress(OSError):
                self._files.owner.hardlink_to(mine)
        mine.unlink()

    @contextlib.contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Give signs of life within this context."""
        if not self._shared:
            yield
            return
        thread = threading.Thread(target=self._beat, name="hpo-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()
            if read_note(self._files).get("token") == self._note["token"]:
                self._files.owner.unlink(missing_ok=True)

    def _beat(self) -> None:
        silent = False
        while not self._over.wait(BEAT):
            note = read_note(self._files)
            if note.get("token", self._note["token"]) != self._note["token"]:
                self._stop(note)
            try:
                os.utime(self._files.owner)
                silent = False
            except OSError as error:
                if not silent:
                    log.warning("%s: no sign of life could be given (%s)", self._files.owner, error)
                silent = True

    def _stop(self, other: Mapping[str, Any]) -> None:
        """End this process at once, because another owner took over while it was held up, and both would write."""
        text = (
            f"{self._files.path}: host {other.get('host')}, pid {other.get('pid')} works here, too, since "
            f"{other.get('started')}; this tuner was held up for so long that it was taken for dead, and ends at once so "
            f"that nothing is mixed"
        )
        log.error("%s", text)
        print_error(text)
        os._exit(1)
