"""What all launchers share that have experiments run elsewhere: make a request, send it, remember it, ask about it.

    request(experiment, output_dir) -> dict     pure: no network, no clock, no files but the experiment's own
    describe(…)                     -> JobDescription    what `hpo plan` tells of the job; as pure
    submit(…)                       -> record   what is needed to find the job again, kept in launch.json

The other side runs `python -m hpo.remote`. `hpo status`, `hpo sync` and `hpo stop` read launch.json.
"""

import json
import sys
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from hpo.config.reading import resolve
from hpo.config.schema import ExperimentConfig
from hpo.config.targets import factory_of
from hpo.errors import StoreError, harmless
from hpo.launchers.base import Launcher
from hpo.store.atomic_files import write_atomically
from hpo.store.directory import LAUNCH_RECORD, json_object
from hpo.store.untrusted import MOST_JSON, read_untrusted

REQUEST = "request.json"


class Phase(StrEnum):
    """Where a remote job is."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETE = "complete"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class JobState:
    """Where a job is, and in a few words why."""

    phase: Phase
    detail: str = ""


@dataclass(frozen=True)
class JobDescription:
    """What an experiment's job would be, before it is sent."""

    name: str
    machine: str
    """The instance type, or what is asked of a cluster."""
    gpus: int | None
    """None where it is not known."""
    hours: float
    """What the experiment's budget comes to; the job's own time limit where it has none."""
    limit_hours: float
    """The time limit of the job."""
    instance_type: str | None = None
    machines: int = 1


@dataclass(kw_only=True, eq=False)
class RemoteLauncher(Launcher):
    """Has each experiment run as one job elsewhere.

    Args:
        dry_run: make and store the request, send nothing; needs no credentials.
        wait: return when the job has ended.
    """

    dry_run: bool = False
    wait: bool = False

    @abstractmethod
    def request(self, experiment: ExperimentConfig, output_dir: Path) -> dict[str, Any]:
        """What would be sent for a resolved experiment. Pure."""

    def describe(self, experiment: ExperimentConfig, output_dir: Path) -> JobDescription:
        """The job that a resolved experiment would become. Pure.

        Raises:
            ConfigError: there can be no such request.
        """
        self.request(experiment, output_dir)
        hours = hours_of(experiment, 0.0)
        return JobDescription(
            name=output_dir.as_posix(),
            machine=type(self).__name__,
            gpus=None,
            hours=hours,
            limit_hours=hours,
        )

    @abstractmethod
    def submit(self, experiment: ExperimentConfig, output_dir: Path, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send the request, unless the same job exists already. Returns what is needed to find the job again.

        Raises:
            HPOError: it was refused; the sentence says what to do.
        """

    @abstractmethod
    def state(self, record: Mapping[str, Any]) -> JobState:
        """Ask where the job is."""

    @abstractmethod
    def fetch(self, record: Mapping[str, Any], output_dir: Path) -> int:
        """Bring the job's results to where a local run would have written them. Returns the number of files brought."""

    @abstractmethod
    def cancel(self, record: Mapping[str, Any]) -> None:
        """End the job; its trials get their grace."""

    @abstractmethod
    def join(self, record: Mapping[str, Any]) -> JobState:
        """Block until the job has ended, without asking too often."""

    def launch(self, experiment: ExperimentConfig, output_dir: Path) -> int:
        """Send the experiment; see `Launcher.launch`. Exit code 1 when `wait` is given and the job did not complete."""
        experiment = resolve(experiment)
        request = self.request(experiment, output_dir)
        output_dir.mkdir(parents=True, exist_ok=True)
        text = json.dumps(request, indent=1, default=str)
        write_atomically(output_dir / REQUEST, text.encode())
        if self.dry_run:
            sys.stdout.write(text + "\n")
            return 0
        record = self.submit(experiment, output_dir, request)
        said = record.pop("said", None)  # in place of the job's name, when nothing had to be submitted
        write_record(output_dir, experiment, record)
        sys.stdout.write(harmless(f"{output_dir}: {said or record.get('job', 'submitted')}\n"))
        return self.finish(output_dir) if self.wait else 0

    def finish(self, output_dir: Path) -> int:
        """Wait for the job of an experiment that was launched, and bring its results. Returns the exit code."""
        record = read_record(output_dir)["record"]
        state = self.join(record)
        self.fetch(record, output_dir)
        sys.stdout.write(harmless(f"{output_dir}: {state.phase} {state.detail}").rstrip() + "\n")
        return 0 if state.phase == Phase.COMPLETE else 1


def hours_of(experiment: ExperimentConfig, limit: float) -> float:
    """Hours that an experiment takes: its budget, or the time limit of its job where it has none."""
    budget = experiment.max_wallclock_time
    return limit if budget is None else budget / 3600


def write_record(output_dir: Path, experiment: ExperimentConfig, record: Mapping[str, Any]) -> None:
    """Keep what is needed to find the job again."""
    content = {
        "launcher": experiment.launcher,
        "trusted_modules": experiment.trusted_modules,
        "benchmark": experiment.benchmark.name,
        "method": experiment.method.name,
        "seed": experiment.seed,
        "experiment_tag": experiment.experiment_tag,
        "record": record,
    }
    write_atomically(output_dir / LAUNCH_RECORD, json.dumps(content, indent=1, default=str).encode())


def read_record(output_dir: Path) -> dict[str, Any]:
    """What `write_record` kept.

    Raises:
        StoreError: it cannot be read.
    """
    path = output_dir / LAUNCH_RECORD
    try:
        content = json_object(read_untrusted(path, MOST_JSON))
    except (OSError, ValueError) as error:
        why = (isinstance(error, OSError) and error.strerror) or error
        raise StoreError(f"{path}: cannot be read ({why}); run the command that launched it again") from error
    if not {"launcher", "record"} <= content.keys():
        raise StoreError(f"{path}: is no launch record; run the command that launched it again")
    return content


def launcher_of(content: Mapping[str, Any], trusted: Sequence[str] = ()) -> RemoteLauncher:
    """The launcher that a record was written by; only from hpo or a module that whoever asks trusts.

    What the record itself says of trust does not count: the directory may come from somebody else.

    Raises:
        ConfigError: it names something else.
    """
    launcher = factory_of("launcher", content["launcher"], trusted, (RemoteLauncher,))()
    if not isinstance(launcher, RemoteLauncher):
        raise StoreError(
            f"launcher {content['launcher'].get('_target_')}: runs nothing remotely, there is nothing to ask"
        )
    return launcher
