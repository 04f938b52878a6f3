"""What belongs to one call's work on an experiment: where and with what it runs, and when its events reach the disk."""

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


_SELDOM = 100_000
"""New objects between two looks for garbage."""


@contextlib.contextmanager
def seldom_collecting(*, where: bool) -> Iterator[None]:
    """Have Python look for garbage seldom: a simulation keeps to its end what it makes, and it took a tenth of its time.

    Args:
        where: False leaves all as it is.
    """
    before = gc.get_threshold()
    if not where or not 0 < before[0] < _SELDOM:  # another thread's experiment may have done it, and undoes it
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
    """What is stored with the event that a session begins with: where it runs, with how many workers, and which code.

    Args:
        config: of the experiment.
        backend: of the session.
        scheduler: of the session.
        state: as earlier sessions left it.
        directory: of the experiment.

    Raises:
        StoreError: the script is not what earlier trials ran, and the configuration refuses to go on with another.
    """
    facts = {**backend.opened, "n_workers": config.n_workers, "budget": config.budget}
    if config.warm_start_sha256 is not None:
        facts["warm_start"] = config.warm_start_sha256
    if versions := versions_of(scheduler.searcher.libraries):
        facts["libraries"] = versions
    if backend.repeatable:
        return facts
    from hpo.experiment.code_digests import watch_code  # milliseconds that a simulation need not spend

    if (watch := watch_code(config.benchmark, directory, state.code.last)) is None:
        return facts
    if backend.reads_code:
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
    """Have a session's waiting end when a command is left. Returns whether that will be told of each.

    Args:
        backend: of the session.
        commands: the folder, which is made.
    """
    try:
        commands.mkdir(exist_ok=True)
    except OSError as error:
        log.warning("%s: cannot be made (%s); the experiment cannot be steered", commands, error)
        return True
    return backend.attend(commands) and not on_network(commands)


def limits_of(config: ExperimentConfig) -> Limits:
    """What trials of an experiment may do."""
    gigabytes = config.max_checkpoint_gigabytes
    return Limits(
        n_workers=config.n_workers or 1,
        max_resource=config.max_resource,
        ends_by_itself=config.benchmark.max_resource_attr is not None,
        max_failures=config.max_failures,
        trial_timeout=config.trial_timeout,
        trial_silence_timeout=config.trial_silence_timeout,
        grace=config.grace_period_seconds,
        delete_checkpoints=config.delete_checkpoints,
        refuse_code_changes=config.code_changes == CodeChanges.refuse,
        first_stop="interval" if config.copies_checkpoints else "min_resource",
        max_checkpoint_bytes=None if gigabytes is None else gigabytes * 1e9,
    )


def provenance(opened: Mapping[str, Any]) -> dict[str, Any]:
    """Where and with what a session runs, for metadata.json.

    Args:
        opened: what `opening` gave.
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
