"""The local backend: trials are processes on this machine, started by a trial host. Nothing here polls.

`wait` sleeps until a report file has grown (inotify), the host has sent a message, or `wake` is called. If the kernel
has no inotify watches left, report files are looked at every quarter of a second.
"""

import logging
import os
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import hpo
from hpo.backends.base import BackendCapabilities
from hpo.backends.connection import HostConnection
from hpo.backends.failure_cause import ending, last_lines, oom_kills
from hpo.backends.file_growth import GrowingFiles
from hpo.backends.gpu_memory import CleanGpus
from hpo.backends.gpus import GpuPool, pool_of_this_machine
from hpo.backends.report_channel import Channel
from hpo.backends.shared_directory import FiledBackend
from hpo.backends.trial_program import Program, check_program
from hpo.backends.unmodified_program import FoundResults
from hpo.backends.wakeup import Sleep
from hpo.config.schema import ExperimentConfig
from hpo.errors import BackendError, ConfigError
from hpo.events.types import BackendEvent, CommandSignal, Exit, Placed, Trial
from hpo.host import process_marks
from hpo.store.directory import ExperimentDirectory

_HOST_DEATHS = 3
"""Number of consecutive deaths of the host, without a trial ending between them, after which it is not started again."""

_COMMANDS = 0
"""Key of the folder of commands; keys of attempts count from 1."""

_LOST: Mapping[str, Any] = {"code": None, "signal": None, "usage": {}}
log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Running:
    trial_id: int
    attempt: int
    channel: Channel
    stderr: Path
    oom_kills: int


class LocalBackend(FiledBackend):
    """A backend that runs attempts as children of a trial host and reads their report files.

    Args:
        program: The training program and the way to call it.
        gpus: Devices to hand out.
        grace: Seconds between SIGTERM and SIGKILL.

    Raises:
        BackendError: The host cannot be started.
    """

    capabilities = BackendCapabilities(gpus_of_this_machine=True, copies_checkpoints=True, reads_code=True)

    @classmethod
    def check(cls, config: ExperimentConfig) -> None:
        """Raise ConfigError if the benchmark's program or a file that it is given is missing."""
        if not config.benchmark.has_program:
            name = config.backend.get("name")
            raise ConfigError(f"backend={name}: the benchmark has a table and no program; use backend=simulated")
        check_program(config)

    @classmethod
    def open(cls, config: ExperimentConfig, files: ExperimentDirectory) -> Self:
        """See `Backend.open`."""
        return cls.for_program(Program(config, files, config.randomness))

    @classmethod
    def for_program(cls, program: Program) -> Self:
        """Return a backend with the devices that the program's configuration asks for.

        Raises:
            ConfigError, BackendError: The devices do not exist, or the host cannot be started.
        """
        config = program.config
        pool = pool_of_this_machine(config.num_gpus_per_trial or 0, config.gpus_to_use)
        return cls(program, pool, config.grace_period_seconds)

    def __init__(self, program: Program, gpus: GpuPool, grace: float) -> None:
        self._program = program
        self._grace = grace
        super().__init__(program.directory, program.config.benchmark)
        self._mark = program.mark
        self._gpus = CleanGpus(gpus, self._mark, alone=program.owns_devices)
        self._devices = list(gpus.devices)
        self._waiting: dict[int, tuple[Trial, int, int | None]] = {}  # trial id -> what to start when devices are clean
        self._news: list[BackendEvent] = []  # events for the next `wait`
        self._key = 0
        self._running: dict[int, _Running] = {}
        self._keys: dict[int, int] = {}  # trial id -> key
        self._deaths = 0
        self._expected: dict[int, Mapping[str, Any]] = {}  # trial id -> the script that its fork was ordered to run
        self._found = FoundResults(program.config.benchmark)
        self._sleep = Sleep()
        self._files = GrowingFiles()
        if self._files.descriptor is not None:
            self._sleep.add(self._files.descriptor)
        if swept := process_marks.sweep(self._mark, grace):
            log.info("ended %d process(es) that an earlier session of this experiment left behind", swept)
        self._start_host()

    @property
    def opened(self) -> Mapping[str, Any]:
        """The machine, this process, and the devices."""
        facts = {"host": socket.gethostname(), "pid": os.getpid(), "hpo": hpo.__version__}
        return {**facts, "gpus": self._devices} if self._devices else facts

    @property
    def capacity(self) -> int | None:
        """Return how many trials the usable devices allow."""
        return self._gpus.capacity

    def _start_host(self) -> None:
        self._host = HostConnection(
            mark=self._mark,
            grace=self._grace,
            preload=self._program.preload,
            log_file=self._program.directory.host_log,
            environment=self._program.environment_of_host,
        )
        self._sleep.add(self._host.descriptor)

    def start(self, trial: Trial, attempt: int, until: int | None) -> None:
        """Give the attempt to the host, once it has devices; see `Backend.start`."""
        self._waiting[trial.id] = trial, attempt, until
        self._start_waiting()

    def holds(self, trial_id: int) -> bool:
        """Whether the trial's attempt waits for a clean device."""
        return trial_id in self._waiting

    def _start_waiting(self) -> None:
        for trial, attempt, until in list(self._waiting.values()):
            devices = self._gpus.acquire(trial.id, self._mark + self._key + 1)
            if devices is None:
                return
            del self._waiting[trial.id]
            self._launch(trial, attempt, until, devices)
            if devices:
                self._tell(Placed(trial.id, attempt, devices))

    def _tell(self, event: BackendEvent) -> None:
        self._news.append(event)
        self.wake()

    def _launch(self, trial: Trial, attempt: int, until: int | None, devices: list[str]) -> None:
        if not self._host.alive:
            self._start_host()
        self._key += 1
        order = self._program.order(trial, attempt, until, devices)
        reports = self._program.reports(trial.id, attempt)
        channel = Channel(reports, trial.id, attempt, prefixed=self.prefixed)
        self._files.add(reports, self._key)
        self._running[self._key] = _Running(
            trial_id=trial.id,
            attempt=attempt,
            channel=channel,
            stderr=Path(order["stderr"]),
            oom_kills=oom_kills(),
        )
        self._keys[trial.id] = self._key
        self._expect(trial.id, order)
        self._host.send({"do": "start", "key": self._key, **order})

    def _expect(self, trial_id: int, order: dict[str, Any]) -> None:
        """Tell the fork which script digest is expected, so that it reports if the script that it compiles differs."""
        self._expected.pop(trial_id, None)
        if self.code is None or order["script"] is None or Path(order["script"]).resolve() != self.code.script:
            return
        self._expected[trial_id] = order["expected"] = {
            "signature": self.code.script_signature,
            "digest": self.code.code["digest"],
            "told": str(Path(order["stderr"]).with_name("script.digest")),
        }

    def script_digest(self, trial_id: int) -> str | None:
        """Return the digest of the script at the time of the order, or the one that the fork has reported instead."""
        if (expected := self._expected.get(trial_id)) is None:
            return None
        told = Path(expected["told"])
        digest = told.read_text() if told.is_file() else str(expected["digest"])
        return digest or None

    def stop(self, trial_id: int, patience: float = 0.0) -> None:
        """Let the host end the attempt; see `Backend.stop`."""
        if trial_id in self._waiting:
            self._tell(Exit(trial_id, self._waiting.pop(trial_id)[1], None, lost=True))
        elif trial_id in self._keys:
            self._gpus.learn_pids(trial_id, at_once=True)
            self._host.send({"do": "stop", "key": self._keys[trial_id], "patience": patience, "grace": self._grace})

    def kill(self) -> None:
        """Send SIGKILL to all processes of all trials."""
        for trial_id in list(self._waiting):
            self.stop(trial_id)
        for key in self._running:
            self._host.send({"do": "stop", "key": key, "patience": 0.0, "grace": 0.0})

    def wait(self, timeout: float | None) -> Sequence[BackendEvent | CommandSignal]:
        """Sleep until something happens; see `Backend.wait`."""
        timeout = self._files.shorten(timeout)
        if self._waiting:
            timeout = self._gpus.shorten(timeout)
        ready = self._sleep.wait(timeout)
        events: list[BackendEvent | CommandSignal] = [*self._news]
        self._news = []
        for descriptor in ready:
            if descriptor == self._host.descriptor:
                events += self._hear_host()
            else:
                grown = self._files.grown()
                events += self._read(key for key in grown if key != _COMMANDS)
                events += [CommandSignal()] * (_COMMANDS in grown)
        events += self._read(self._files.unwatched)
        if self._waiting and self._gpus.due:
            self._start_waiting()
        return events

    def attend(self, folder: Path) -> bool:
        """Watch a folder with inotify; see `Backend.attend`."""
        return self._files.add_folder(folder, _COMMANDS)

    def wake(self) -> None:
        """Wake up `wait`; see `Backend.wake`."""
        self._sleep.ring()

    def _read(self, keys: Iterable[int]) -> list[BackendEvent]:
        events: list[BackendEvent] = []
        for key in keys:
            if reports := self._running[key].channel.read():
                self._gpus.learn_pids(self._running[key].trial_id)
                events += reports
        return events

    def _hear_host(self) -> list[BackendEvent]:
        messages = self._host.receive()
        if messages is None:
            return self._host_died()
        events: list[BackendEvent] = []
        for message in messages:
            if "fatal" in message:
                raise BackendError(f"{message['fatal']}; correct the name, or install it in {sys.executable}")
            self._deaths = 0
            events += self._over(message["key"], message)
        return events

    def _over(self, key: int, outcome: Mapping[str, Any]) -> list[BackendEvent]:
        running = self._running.pop(key)
        del self._keys[running.trial_id]
        events = running.channel.finish()
        self._files.remove(key)
        self._gpus.release(running.trial_id)
        end = ending(
            trial_id=running.trial_id,
            attempt=running.attempt,
            code=outcome["code"],
            number=outcome["signal"],
            usage=outcome["usage"],
            error=outcome.get("error"),
            stderr=running.stderr,
            kills_before=running.oom_kills,
            own=self._program.folders,
            directory=self._program.directory.path,
        )
        if "found" in outcome:
            end = self._found.judge(end, outcome["found"], running.stderr.parent)
        return [*events, end]

    def _host_died(self) -> list[BackendEvent]:
        """End the trials that a dead host has left, and return the events that report them lost."""
        self._sleep.remove(self._host.descriptor)
        self._deaths += 1
        for running in self._running.values():
            self._gpus.learn_pids(running.trial_id, at_once=True)
        process_marks.sweep(self._mark, grace=0.0)
        if self._deaths >= _HOST_DEATHS:
            tail = last_lines(self._program.directory.host_log)
            raise BackendError(f"the trial host died {self._deaths} times in a row; its last words: {tail or 'none'}")
        return [event for key in list(self._running) for event in self._over(key, _LOST)]

    def close(self) -> None:
        """Let the host end what still runs, and wait for it."""
        self._host.end(self._grace + 10)
        for running in self._running.values():
            running.channel.finish()
        self._files.close()
        self._sleep.close()
