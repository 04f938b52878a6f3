"""One tuner per directory: a kernel lock, and a note of who holds it. A killed owner's lock is free at once.

Where the lock may not reach other machines, `hpo.store.lease` looks after them.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from hpo.errors import StoreError
from hpo.store.directory import ExperimentDirectory, read_json
from hpo.store.disk_space import disk_error_as_sentence
from hpo.store.event_store import on_network
from hpo.store.lease import Lease, read_note


@contextlib.contextmanager
def owned(files: ExperimentDirectory) -> Iterator[None]:
    """Hold the experiment's lock.

    Raises:
        StoreError: another process holds it; the message names host, pid and start time.
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
    """Does a tuner of this machine work here? Found without trying the lock, which would be in a tuner's way.

    The kernel lists who holds locks, by inode; where a file system shows another inode, the tuner's note names its process.
    """
    try:
        inode = str(files.lock.stat().st_ino)
        held = [line.split()[5].rpartition(":")[2] for line in Path("/proc/locks").read_text().splitlines()]
    except (OSError, IndexError):
        held, inode = [], ""
    pid = read_json(files.owner).get("pid")
    return inode in held or (isinstance(pid, int) and Path(f"/proc/{pid}").exists())
