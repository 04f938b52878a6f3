"""What belongs to one call's work on an experiment: where and with what it runs, and when its events reach the disk."""

import os
import platform
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import hpo
from hpo.events.values import Event
from hpo.store.event_store import Store


class Buffer:
    """Events of a session that reach the store together, at its end.

    Args:
        store: what earlier sessions have left, and where the new events go.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._earlier = list(store.read())
        self._new: list[Event] = []

    def append(self, events: Sequence[Event]) -> None:
        """Keep them."""
        self._new += events

    def read(self) -> Iterator[Event]:
        """All events of the experiment."""
        yield from self._earlier
        yield from self._new

    def flush(self) -> None:
        """Commit the session.

        Raises:
            StoreError: it could not be written.
        """
        self._store.append(self._new)


def provenance() -> dict[str, Any]:
    """Where and with what a session runs."""
    now = time.time()
    system = os.uname()
    return {
        "st_tuner_creation_timestamp": now,
        "st_tuner_start_timestamp": now,
        "hpo_version": hpo.__version__,
        "python_version": platform.python_version(),
        "platform": f"{system.sysname} {system.release} {system.machine}",
        "host": socket.gethostname(),
        "executable": sys.executable,
    }
