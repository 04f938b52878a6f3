"""Parts of a session: its log of events, its first event, its limits, and its record in metadata.json."""

import contextlib
import gc
import logging
import os
import platform
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import hpo
from hpo.backends.base import Backend
from hpo.config.choices import CodeChanges
from hpo.config.schema import ExperimentConfig
from hpo.errors import StoreError
from hpo.events.code import changed_files
from hpo.events.state import ExperimentState
from hpo.events.text import shortened
from hpo.events.types import Event
from hpo.schedulers.base import Scheduler
from hpo.schedulers.replay import versions_of
from hpo.store.event_store import Store, on_network
from hpo.tuner.trial_limits import Limits

log = logging.getLogger(__name__)


class Buffer:
    """An event log in memory that reaches the store as a whole at the end of a session.

    Args:
        store: Store with the events of earlier sessions, to which the new events are written.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._earlier = list(store.read())
        self._new: list[Event] = []

    def append(self, events: Sequence[Event]) -> None:
        """Keep events in memory."""
        self._new += events

    def read(self) -> Iterator[Event]:
        """Return all events of the experiment, stored and new."""
        yield from self._earlier
        yield from self._new

    def flush(self) -> None:
        """Commit the events of the session to the store.

        Raises:
            StoreError: The store could not be written.
        """
        self._store.append(self._new)


_SELDOM = 100_000
"""Number of new objects between two garbage collections."""


@contextlib.contextmanager
def seldom_collecting(*, where: bool) -> Iterator[None]:
    """Collect garbage seldom: a simulation keeps its objects to the end, and collecting takes a tenth of its time."""
    before = gc.get_threshold()
    if not where or not 0 < before[0] < _SELDOM:  # another thread's experiment may have set it and will reset it
        yield
        return
    gc.set_threshold(_SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def opening(
    config: ExperimentConfig, backend: Backend, scheduler: Scheduler, state: ExperimentState, directory: Path
) -> dict[str, Any]:
    """Return the content of a session's first event: where it runs, with how many workers, and with which code.

    Args:
        config: Configuration of the experiment.
        backend: Backend of the session.
        scheduler: Scheduler of the session.
        state: State after earlier sessions.
        directory: Directory of the experiment.

    Raises:
        StoreError: The script has changed since earlier trials, and the configuration does not allow that.
    """
    facts = {**backend.opened, "n_workers": config.n_workers, "budget": config.budget}
    if config.warm_start_sha256 is not None:
        facts["warm_start"] = config.warm_start_sha256
    if versions := versions_of(scheduler.searcher.libraries):
        facts["libraries"] = versions
    if backend.capabilities.repeatable:
        return facts
    from hpo.experiment.code_digests import watch_code  # here: a simulation does not need it

    if (watch := watch_code(config.benchmark, directory, state.code.last)) is None:
        return facts
    if backend.capabilities.reads_code:
        backend.code = watch
    changed = changed_files(state.code.last, watch.code) if state.trials else []
    if changed:
        text = (
            f"{shortened(changed)} has changed since the last session: the results of {len(state.code.others(watch.code))} "
            "trial(s) are those of the former code"
        )
        if config.code_changes == CodeChanges.refuse:
            raise StoreError(
                f"code_changes=refuse: {text}; put it back, choose another experiment_tag, or overwrite=true"
            )
        log.warning("%s; code_changes=refuse would stop here, overwrite=true starts again", text)
    return {**facts, "code": {**watch.code, "changed": changed}}


def attend(backend: Backend, commands: Path) -> bool:
    """Make new steering commands wake a session. Returns whether the backend can announce each of them.

    Args:
        backend: Backend of the session, whose waiting ends when a command arrives.
        commands: Folder of commands; created if missing.
    """
    try:
        commands.mkdir(exist_ok=True)
    except OSError as error:
        log.warning("%s: cannot be made (%s); the experiment cannot be steered", commands, error)
        return True
    return backend.attend(commands) and not on_network(commands)


def limits_of(config: ExperimentConfig) -> Limits:
    """Return the limits of an experiment's trials."""
    gigabytes = config.max_checkpoint_gigabytes
    return Limits(
        n_workers=config.n_workers or 1,
        max_resource=config.max_resource,
        ends_by_itself=config.benchmark.max_resource_attr is not None,
        max_failures=config.max_failures,
        trial_timeout=config.trial_timeout,
        trial_silence_timeout=config.trial_silence_timeout,
        grace=config.grace_period_seconds,
        report_channel=config.benchmark.report_channel,
        delete_checkpoints=config.delete_checkpoints,
        refuse_code_changes=config.code_changes == CodeChanges.refuse,
        first_stop="interval" if config.copies_checkpoints else "min_resource",
        max_checkpoint_bytes=None if gigabytes is None else gigabytes * 1e9,
    )


def provenance(opened: Mapping[str, Any]) -> dict[str, Any]:
    """Return the machine, versions and code of a session, for metadata.json.

    Args:
        opened: Content of the session's first event, from `opening`.
    """
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
        **({"libraries": opened["libraries"]} if "libraries" in opened else {}),
        "code": {key: value for key, value in opened.get("code", {}).items() if key not in ("sources", "tracked")},
    }
