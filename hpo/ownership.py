"""One tuner per directory: a kernel lock, and a note of who holds it. A killed owner's lock is free at once."""

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from datetime import datetime

from filelock import FileLock, Timeout

from hpo.directory import ExperimentDirectory, write_atomically
from hpo.diskspace import explain
from hpo.errors import StoreError


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
        raise StoreError(
            f"{files.path}: another tuner works here ({_owner(files)}); wait for it, stop it, or use another experiment_tag"
        ) from None
    except OSError as error:
        raise StoreError(f"{files.path}: cannot be locked ({error}); check its permissions and free space") from error
    try:
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        record = {"host": socket.gethostname(), "pid": os.getpid(), "started": now}
        write_atomically(files.owner, json.dumps(record).encode())
        yield
    except OSError as error:
        raise explain(files.path, error) from error
    finally:
        lock.release()


def _owner(files: ExperimentDirectory) -> str:
    try:
        record = json.loads(files.owner.read_text())
        return f"host {record['host']}, pid {record['pid']}, since {record['started']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "it has left no note of itself"
