"""The base of launchers that run experiments elsewhere: make a request, send it, record it, ask about it.

    request(experiment, output_dir) -> dict     pure: no network, no clock, no files but the experiment's own
    describe(…)                     -> JobDescription    the facts for `hpo plan`; equally pure
    submit(…)                       -> record   the data to find the job again, kept in launch.json

The job runs `python -m hpo.remote`. `hpo status`, `hpo sync` and `hpo stop` read launch.json.
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
    """The phase of a remote job."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETE = "complete"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class JobState:
    """The phase of a job, and its reason in a few words."""

    phase: Phase
    detail: str = ""


@dataclass(frozen=True)
class JobDescription:
    """The resources and duration of an experiment's job, before it is sent."""

    name: str
    machine: str
    """Instance type, or the resources requested from a cluster."""
    gpus: int | None
    """Number of GPUs; None if it is not known."""
    hours: float
    """Hours of the experiment's budget, or the job's own time limit if it has no budget."""
    limit_hours: float
    """The time limit of the job."""
    instance_type: str | None = None
    machines: int = 1


@dataclass(kw_only=True, eq=False)
class RemoteLauncher(Launcher):
    """A launcher that runs each experiment as one job elsewhere.

    Args:
        dry_run: Make and store the request, but send nothing; needs no credentials.
        wait: Return only when the job has ended.
    """

    dry_run: bool = False
    wait: bool = False

    @abstractmethod
    def request(self, experiment: ExperimentConfig, output_dir: Path) -> dict[str, Any]:
        """Return the request for a resolved experiment, without sending it. Pure."""

    def describe(self, experiment: ExperimentConfig, output_dir: Path) -> JobDescription:
        """Describe the job of a resolved experiment. Pure.

        Raises:
            ConfigError: The request would be invalid.
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
        """Send the request, unless the same job exists already. Returns the record with which the job is found again.

        Raises:
            HPOError: The platform rejected the request; the sentence says what to do.
        """

    @abstractmethod
    def state(self, record: Mapping[str, Any]) -> JobState:
        """Return the present state of the job."""

    @abstractmethod
    def fetch(self, record: Mapping[str, Any], output_dir: Path) -> int:
        """Copy the job's results to where a local run would have written them. Returns the number of files copied."""

    @abstractmethod
    def cancel(self, record: Mapping[str, Any]) -> None:
        """End the job; its trials get their grace period."""

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
        said = record.pop("said", None)  # instead of the job's name, if nothing had to be submitted
        write_record(output_dir, experiment, record)
        sys.stdout.write(harmless(f"{output_dir}: {said or record.get('job', 'submitted')}\n"))
        return self.finish(output_dir) if self.wait else 0

    def finish(self, output_dir: Path) -> int:
        """Wait for the job of a launched experiment, and fetch its results. Returns the exit code."""
        record = read_record(output_dir)["record"]
        state = self.join(record)
        self.fetch(record, output_dir)
        sys.stdout.write(harmless(f"{output_dir}: {state.phase} {state.detail}").rstrip() + "\n")
        return 0 if state.phase == Phase.COMPLETE else 1


def hours_of(experiment: ExperimentConfig, limit: float) -> float:
    """Return the hours that an experiment takes: its budget, or its job's time limit if it has no budget."""
    budget = experiment.max_wallclock_time
    return limit if budget is None else budget / 3600


def write_record(output_dir: Path, experiment: ExperimentConfig, record: Mapping[str, Any]) -> None:
    """Write the record with which the job is found again to launch.json."""
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
    """Return the record that `write_record` wrote.

    Raises:
        StoreError: The record cannot be read.
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
    """Return the launcher that wrote a record; only from hpo or from a module that the caller trusts.

    The record's own statement of trust is ignored, since the directory may come from somebody else.

    Raises:
        ConfigError: The record names another module.
    """
    launcher = factory_of("launcher", content["launcher"], trusted, (RemoteLauncher,))()
    if not isinstance(launcher, RemoteLauncher):
        raise StoreError(
            f"launcher {content['launcher'].get('_target_')}: runs nothing remotely, there is nothing to ask"
        )
    return launcher
