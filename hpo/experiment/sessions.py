"""What differs between a real session and a simulated one: the backend, the clocks, and when events reach the disk."""

import os
import platform
import socket
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import hpo
from hpo.backends.base import Backend
from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError
from hpo.events.state import ExperimentState
from hpo.events.values import Event
from hpo.experiment.opening import put_aside_unknown
from hpo.store.directory import ExperimentDirectory
from hpo.store.event_store import Store
from hpo.tuner.journal import EventLog


@dataclass(frozen=True)
class Session:
    """One call's work on an experiment."""

    backend: Backend
    events: EventLog
    clock: Callable[[], float]
    wall: Callable[[], float]
    opened: dict[str, Any]
    """Stored with the event that the session begins with."""
    metadata: dict[str, Any]
    """Facts for metadata.json."""
    go_on: Callable[[ExperimentState], None] = lambda _: None
    """Told what earlier sessions came to: folders must fit the log; a simulated backend has no checkpoints to find."""
    finish: Callable[[], None] = lambda: None
    """Called when the tuner is done, before anything is exported."""
    read: Callable[[], Iterable[Event]] | None = None
    """All events of the experiment, when they are in memory."""


def open_session(config: ExperimentConfig, files: ExperimentDirectory, store: Store) -> Session:
    """The session that the configuration asks for.

    Raises:
        ConfigError, BackendError: it cannot be had.
    """
    name = config.backend.get("name")
    if name not in ("auto", "local", "simulated"):
        raise ConfigError(f"backend={name}: use auto, local or simulated")
    if config.simulated:
        return _simulated(config, store)
    if config.benchmark.script is None and config.benchmark.command is None:
        raise ConfigError(f"backend={name}: the benchmark has a table and no program; use backend=simulated")
    return _real(config, files, store)


def _real(config: ExperimentConfig, files: ExperimentDirectory, store: Store) -> Session:
    from hpo.backends.gpus import GpuPool, visible_gpus
    from hpo.backends.local import LocalBackend
    from hpo.backends.program import Program

    program = Program(config, files, config.randomness)
    per_trial = config.num_gpus_per_trial or 0
    pool = GpuPool(visible_gpus(config.gpus_to_use) if per_trial else [], per_trial)
    backend = LocalBackend(program, pool, config.grace_period_seconds)
    opened: dict[str, Any] = {"host": socket.gethostname(), "pid": os.getpid(), "hpo": hpo.__version__}
    if pool.devices:
        opened["gpus"] = list(pool.devices)
    return Session(
        *(backend, store, time.monotonic, time.time, opened, {"backend": "LocalBackend"}),
        go_on=lambda state: put_aside_unknown(files, state),
    )


def _simulated(config: ExperimentConfig, store: Store) -> Session:
    """Events stay in memory until the end, and nothing in them depends on where and when the simulation ran."""
    from hpo.backends.simulated import SimulatedBackend
    from hpo.tables.find import find_table

    if config.benchmark.table is None:
        raise ConfigError("backend=simulated: benchmark.table is not given; name a table, or use backend=local")
    table = find_table(config.benchmark.table)
    table.check_space(config.space)
    if config.max_resource is not None and config.max_resource > table.max_resource:
        raise ConfigError(
            f"benchmark.arguments.{config.benchmark.max_resource_attr}={config.max_resource}: the table "
            f"{table.name} ends at {table.max_resource}"
        )
    charge = bool(config.backend.get("charge_decisions", False))
    backend = SimulatedBackend(table, config.randomness, charge)
    log = MemoryLog()
    facts = {"backend": "SimulatedBackend", "data_label": table.data_label, "table_optimum": table.optimum}
    earlier = list(store.read())
    return Session(
        *(backend, log, backend.clock, backend.clock, {}, facts),
        go_on=lambda state: backend.restore({trial_id: trial.resource for trial_id, trial in state.trials.items()}),
        finish=lambda: store.append(log.events),
        read=lambda: [*earlier, *log.events],
    )


@dataclass
class MemoryLog:
    """Events of a simulated session."""

    events: list[Event] = field(default_factory=list)

    def append(self, events: Sequence[Event]) -> None:
        """Keep them."""
        self.events += events


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
