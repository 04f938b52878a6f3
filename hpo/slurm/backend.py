"""The Slurm backend: workers that come and go as the queue allows.

A worker is a Slurm job that runs one attempt after another until its time limit, or until nothing is left to do. A short
rung of ASHA therefore does not wait in the queue again, and Slurm does not have to start jobs that last seconds.
"""

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from hpo.backends.base import BackendCapabilities
from hpo.backends.jobs.backend import JobBackend, Platform
from hpo.backends.jobs.folder_place import FolderPlace
from hpo.backends.jobs.object_names import ObjectNames
from hpo.backends.jobs.protocols import Intervals
from hpo.backends.trial_program import check_program
from hpo.config.reading import to_yaml
from hpo.config.schema import BACKENDS, ExperimentConfig
from hpo.errors import ConfigError
from hpo.functions.finding import is_own
from hpo.slurm.commands import call
from hpo.slurm.request import LOGS, job_name
from hpo.slurm.settings import OPTIONS, SlurmBackendSettings
from hpo.slurm.submission import python
from hpo.slurm.worker import EXPERIMENT, WORKER, WorkerSettings
from hpo.slurm.worker_jobs import WorkerJobs
from hpo.store.atomic_files import write_atomically
from hpo.store.directory import ExperimentDirectory

SCRIPT = "worker.sh"


class SlurmBackend(JobBackend):
    """A backend that runs attempts in Slurm jobs. All nodes must share the file system of the experiment's directory."""

    options = OPTIONS
    capabilities = BackendCapabilities(trials_beside_it=False, reads_code=True)

    @classmethod
    def check(cls, config: ExperimentConfig) -> None:
        """Raise ConfigError if the settings cannot make valid jobs; does not call Slurm."""
        if config.gpus_to_use is not None:
            raise ConfigError(f"gpus_to_use={config.gpus_to_use}: Slurm chooses the devices; drop the key")
        if not config.benchmark.has_program:
            raise ConfigError("backend=slurm: the benchmark has a table and no program; use backend=simulated")
        if is_own(config.benchmark.function):
            raise ConfigError(
                "backend=slurm: a function of a notebook or a script runs on this machine only; save it in a module and name "
                "it as benchmark.function"
            )
        SlurmBackendSettings.of(config).options(config)
        check_program(config)

    @classmethod
    def elsewhere(cls, config: ExperimentConfig) -> str | None:
        """Return a description of the resources that a worker requests from the cluster."""
        options = SlurmBackendSettings.of(config).options(config)
        asked = [f"{options['cpus-per-task']} core(s)", options.get("gres"), options.get("partition")]
        return f"Slurm jobs of {', '.join(str(one) for one in asked if one)}, at most one for each worker"

    @classmethod
    def open(cls, config: ExperimentConfig, files: ExperimentDirectory, **_: Any) -> Self:
        """See `Backend.open`.

        Raises:
            HPOError: Slurm's commands are not installed, or the directory cannot be used.
        """
        for program in ("sbatch", "squeue", "scancel"):
            call(program, "--version", group="backend")
        directory = files.path.absolute()
        if "%" in str(directory) or not str(directory).isprintable():
            raise ConfigError(f"{directory}: Slurm replaces % in the names of files; choose a directory without it")
        return cls(config, files, SlurmBackendSettings.of(config))

    def __init__(self, config: ExperimentConfig, files: ExperimentDirectory, settings: SlurmBackendSettings) -> None:
        intervals = Intervals(
            look=settings.report_seconds,
            silence=settings.poll_seconds,
            refusal=settings.poll_seconds,
            checkpoint=settings.sync_seconds,
        )
        super().__init__(config, files, intervals)
        self._settings = settings

    @property
    def opened(self) -> Mapping[str, Any]:
        """The tuner's machine and process, and the partition that trials run in."""
        partition = self._settings.partition
        return {**super().opened, **({} if partition is None else {"partition": partition})}

    def connect(self, whose: str) -> Platform:
        """Return the job service and the shared folder of this backend; see `JobBackend.connect`."""
        settings, config = self._settings, self._config
        logs = self._files.path.absolute() / LOGS
        root = logs / whose[:12]
        root.mkdir(parents=True, exist_ok=True)
        in_job = replace(
            config,
            backend={"name": "local", "_target_": BACKENDS["local"]},
            launcher={},
            callbacks={},
            n_workers=1,
        )
        worker = WorkerSettings(
            trials=settings.trials_per_job,
            idle_seconds=settings.idle_seconds,
            look_seconds=settings.report_seconds,
        )
        write_atomically(root / EXPERIMENT, to_yaml(in_job).encode())
        write_atomically(root / WORKER, worker.to_json())
        write_atomically(root / SCRIPT, self._script(root).encode())
        name = f"{job_name(config)}-{whose[:12]}"
        options = {
            "job-name": name,
            "chdir": str(Path.cwd()),
            "output": str(logs / "%A_%a.log"),
            "open-mode": "append",
            **settings.options(config),
        }
        place = FolderPlace(root)
        service = WorkerJobs(
            place=place,
            script=root / SCRIPT,
            options=options,
            logs=logs,
            settings=settings,
            grace=config.grace_period_seconds,
        )
        return Platform(
            service=service, place=place, names=ObjectNames(""), order={"sync_seconds": settings.sync_seconds}
        )

    def _script(self, root: Path) -> str:
        command = f"exec {python()} -m hpo.slurm.worker {shlex.quote(str(root))}"
        return "\n".join(["#!/bin/bash", "set -e", *self._settings.setup, command, ""])
