"""Ownership of a directory by one tuner: a kernel lock, and a note about its holder. A killed owner's lock is free at once.

If the lock may not reach other machines, the owner renews a lease as well: a file that says that it still runs.
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

from filelock import FileLock, Timeout

from hpo.errors import StoreError, print_error
from hpo.store.atomic_files import write_atomically
from hpo.store.directory import ExperimentDirectory, json_object, read_json
from hpo.store.disk_space import disk_error_as_sentence
from hpo.store.event_store import on_network
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


@contextlib.contextmanager
def owned(files: ExperimentDirectory) -> Iterator[None]:
    """Hold the experiment's lock within this context.

    Raises:
        StoreError: Another process holds it; the message names host, pid and start time.
    """
    lock = FileLock(files.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise _owner_as_sentence(files) from None
    except OSError as error:
        raise disk_error_as_sentence(files.path, f"cannot be locked ({error})") from error
    try:
        lease = Lease(files, on_network(files.path))
        if not lease.acquired():
            raise _owner_as_sentence(files)
        with lease.kept_alive():
            yield
    except OSError as error:
        raise disk_error_as_sentence(files.path, error) from error
    finally:
        lock.release()


def _owner_as_sentence(files: ExperimentDirectory) -> StoreError:
    note = read_note(files)
    try:
        owner = f"host {note['host']}, pid {note['pid']}, since {note['started']}"
    except KeyError:
        owner = "it has left no note of itself"
    return StoreError(
        f"{files.path}: another tuner works here ({owner}); wait for it, stop it, or use another experiment_tag"
    )


def is_owned(files: ExperimentDirectory) -> bool:
    """Whether a tuner of this machine works in the directory. The lock is not tried, because that would disturb a tuner.

    The kernel lists the holders of locks by inode; if a file system shows another inode, the tuner's note names its process.
    """
    try:
        inode = str(files.lock.stat().st_ino)
        held = [line.split()[5].rpartition(":")[2] for line in Path("/proc/locks").read_text().splitlines()]
    except (OSError, IndexError):
        held, inode = [], ""
    pid = read_json(files.owner).get("pid")
    return inode in held or (isinstance(pid, int) and Path(f"/proc/{pid}").exists())
