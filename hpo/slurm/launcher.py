"""The Slurm launcher: one job per experiment, through submitit, in a directory on a file system that all nodes share.

The job reads the resolved configuration and works in the experiment's own directory, so nothing is copied either way.
The pickle that submitit makes holds the name of a function and two paths, no state of the experiment.
"""

import contextlib
import fcntl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hpo.backends.executables import find_program
from hpo.config.reading import read_config, to_yaml
from hpo.config.schema import ExperimentConfig
from hpo.errors import BackendError, ExperimentError, StoreError
from hpo.experiment.opening import differences, settle, what_is_over
from hpo.functions.finding import find_function
from hpo.launchers.remote import (
    REQUEST,
    JobDescription,
    JobState,
    Phase,
    RemoteLauncher,
    hours_of,
    read_record,
    write_record,
)
from hpo.results.failure import failure_of
from hpo.schedulers.construction import scheduler_of
from hpo.slurm.commands import call, queued_as
from hpo.slurm.job import NOTE, read_note, write_note
from hpo.slurm.job_state import job_state
from hpo.slurm.nodes import gpus_in
from hpo.slurm.request import CONFIG, SlurmSettings, make_request
from hpo.slurm.submission import queue
from hpo.store.atomic_files import write_atomically
from hpo.store.directory import LAUNCH_LOCK, LAUNCH_RECORD, ExperimentDirectory
from hpo.store.event_store import Store
from hpo.store.ownership import owned

_ACTIVE = (Phase.WAITING, Phase.RUNNING)


@dataclass(kw_only=True, eq=False)
class SlurmLauncher(SlurmSettings, RemoteLauncher):
    """A launcher that runs each experiment as one Slurm job, which is requeued until the experiment is complete.

    Args:
        partition: Partition of the job; None is the cluster's default.
        nodes: Number of nodes; more than one only with backend=ray. The resources below are per node.
        cpus_per_task: Cores; None is 4 per GPU, or a node's share if that is less; without GPUs, one per worker.
        gpus: Number of GPUs, or a text such as a100:2; None is the number that all workers together need.
        mem: Memory, such as 32G.
        timeout_min: Time limit of one session in minutes.
        signal_delay_s: Seconds before that limit at which the session is ended; None is the grace period and a minute.
        sbatch: Further options of sbatch.
        dry_run: See `RemoteLauncher`.
        wait: See `RemoteLauncher`.
    """

    def request(self, experiment: ExperimentConfig, output_dir: Path) -> dict[str, Any]:
        """Return the options of sbatch, the command and the folder of Slurm's own files; see `RemoteLauncher.request`."""
        return make_request(self, experiment, output_dir)

    def describe(self, experiment: ExperimentConfig, output_dir: Path) -> JobDescription:
        """Describe the job and the resources that it requests from the cluster; see `RemoteLauncher.describe`."""
        options = self.request(experiment, output_dir)["sbatch"]
        gpus = gpus_in(str(options.get("gres")))
        asked = [f"{options['cpus-per-task']} cores", f"{gpus} GPUs" if gpus else "", str(options.get("partition", ""))]
        limit, nodes = options["time"] / 60, self.nodes or 1
        machine = ", ".join(filter(None, asked))
        return JobDescription(
            name=options["job-name"],
            machine=machine if nodes == 1 else f"{nodes} nodes, each {machine}",
            gpus=gpus * nodes,
            # A session that reaches the time limit is requeued, so that the budget counts and not the limit.
            hours=hours_of(experiment, limit),
            limit_hours=limit,
        )

    def submit(self, experiment: ExperimentConfig, output_dir: Path, request: Mapping[str, Any]) -> dict[str, Any]:
        """Queue the job with sbatch, unless one is queued or the experiment is complete; see `RemoteLauncher.submit`."""
        with _alone(output_dir):
            known = _known(output_dir)
            if known is not None and known.get("job") is not None:
                state = job_state(known)
                if state.phase in _ACTIVE:
                    _check_same(experiment, output_dir, known)
                    return {**known, "said": f"job {known['job']} is {state.phase}; nothing submitted"}
                if state.phase == Phase.UNKNOWN:
                    raise BackendError(f"{output_dir}: is job {known['job']} still there? {state.detail}")
            if (begun := _prepare(experiment, output_dir)) is None:
                record = known or {"job": None, "directory": str(output_dir.absolute())}
                return {**record, "said": "complete; nothing submitted"}
            write_atomically(output_dir / CONFIG, to_yaml(begun).encode())
            (output_dir / NOTE).unlink(missing_ok=True)
            by_default = self.cpus_per_task is None and bool(experiment.num_gpus_per_trial)
            record = {
                "job": queue(request, output_dir / REQUEST, lower=by_default),
                "name": request["sbatch"]["job-name"],
                "directory": str(output_dir.absolute()),
            }
            write_record(output_dir, experiment, record)  # before the lock is released, so that nobody submits another
        return record

    def state(self, record: Mapping[str, Any]) -> JobState:
        """Return the job's state from Slurm and from the job's own note; see `RemoteLauncher.state`."""
        return job_state(record)

    def fetch(self, record: Mapping[str, Any], output_dir: Path) -> int:
        """Return 0: the directory is shared, so nothing has to be copied.

        Raises:
            StoreError: The directory does not exist on this machine.
        """
        if not Path(record["directory"]).is_dir():
            raise StoreError(
                f"{record['directory']}: not on this machine; job {record['job']} writes its results there, on the cluster's "
                f"shared file system"
            )
        return 0

    def cancel(self, record: Mapping[str, Any]) -> None:
        """End the job; a running one gets a signal that leaves its trials their grace period. See `RemoteLauncher.cancel`."""
        job = record.get("job")
        if job is None:
            return
        answer = queued_as(job)
        if answer is None or job_state(record).phase not in _ACTIVE:
            return
        directory = Path(record["directory"])
        write_note(directory, **{**read_note(directory), "job": job, "phase": Phase.STOPPED, "detail": "by hpo stop"})
        if answer.state == "RUNNING" and call("scancel", "--batch", "--signal=INT", job).returncode == 0:
            return
        call("scancel", job)

    def join(self, record: Mapping[str, Any]) -> JobState:
        """Wait for the job's final note in the shared directory; asks Slurm at most every half minute."""
        pause = 1.0
        directory = Path(record["directory"])
        while (state := job_state(record)).phase in (*_ACTIVE, Phase.UNKNOWN):  # unknown: Slurm does not answer now
            seen, until = read_note(directory), time.monotonic() + pause
            while time.monotonic() < until and read_note(directory) == seen:
                time.sleep(0.25)
            pause = min(pause * 1.5, 30.0)
        return state


@contextlib.contextmanager
def _alone(output_dir: Path) -> Iterator[None]:
    """Hold a lock so that only one command at a time looks for a job and submits one.

    The tuner's lock cannot serve for this: it would keep the job out.
    """
    with (output_dir / LAUNCH_LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _known(output_dir: Path) -> dict[str, Any] | None:
    """Return the record of an earlier submission by this launcher; None if there is none."""
    if not (output_dir / LAUNCH_RECORD).is_file():
        return None
    content = read_record(output_dir)
    ours = content["launcher"].get("_target_", "").rpartition(".")[2] == SlurmLauncher.__name__
    return dict(content["record"]) if ours else None


def _check_same(experiment: ExperimentConfig, output_dir: Path, record: Mapping[str, Any]) -> None:
    """Raise StoreError if the job that is queued or running belongs to a different experiment."""
    remedy = f"end it with `hpo stop {output_dir}` first, or choose another experiment_tag"
    if experiment.overwrite:
        raise StoreError(f"overwrite=true, but job {record['job']} works in {output_dir}; {remedy}")
    path = output_dir / CONFIG
    changes = differences(read_config(path), experiment) if path.is_file() else []
    if changes:
        shown = "; ".join(changes[:10])
        raise StoreError(f"job {record['job']} works in {output_dir} with another configuration ({shown}); {remedy}")


def _prepare(experiment: ExperimentConfig, output_dir: Path) -> ExperimentConfig | None:
    """Return the configuration that the job will run; None when the experiment is complete.

    Mistakes are reported at submission, not hours later from the queue. `overwrite` and `resume` apply to this call
    only: otherwise the job would delete its own work each time it is requeued.

    Raises:
        ExperimentError: The experiment has ended without a result.
    """
    files = ExperimentDirectory(output_dir)
    with owned(files):
        experiment, stored = settle(files, experiment)
        scheduler_of(experiment)
        if experiment.benchmark.script is not None:  # a command may be there on the nodes only
            find_program(experiment.benchmark)
        if experiment.benchmark.function is not None:
            find_function(experiment.benchmark.function, output_dir)
        if stored is not None and files.events.is_file():
            with contextlib.closing(Store(files.events)) as store:
                over = what_is_over(store, stored, experiment)
            if over is not None:
                if (failure := failure_of(over, output_dir)) is not None:
                    raise ExperimentError(failure)
                return None
    return replace(experiment, overwrite=False, resume=True)
