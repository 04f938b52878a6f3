"""One Slurm job per experiment, through submitit. Its directory is on a file system that all nodes share.

The job reads the resolved configuration and works in the experiment's own directory, so nothing is copied either way.
The pickle that submitit makes holds the name of a function and two paths, no state of the experiment.
"""

import contextlib
import fcntl
import io
import json
import os
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpo.backends.program import find_program
from hpo.config.reading import read_config, to_yaml
from hpo.config.schema import ExperimentConfig
from hpo.errors import BackendError, ConfigError, StoreError, installing
from hpo.experiment.opening import differences, is_done, settle
from hpo.launchers.remote import RECORD, REQUEST, JobState, Phase, RemoteLauncher, read_record, write_record
from hpo.launchers.slurm.commands import call, queued_as, refusal
from hpo.launchers.slurm.job import NOTE, read_note, work, write_note
from hpo.launchers.slurm.request import CONFIG, check_numbers, further_options, make_request
from hpo.launchers.slurm.state import look
from hpo.schedulers.assembly import scheduler_of
from hpo.store.directory import LAUNCH_LOCK, ExperimentDirectory, write_atomically
from hpo.store.event_store import Store
from hpo.store.ownership import owned

_ACTIVE = (Phase.WAITING, Phase.RUNNING)


class SlurmLauncher(RemoteLauncher):
    """Has each experiment run as one Slurm job, which is requeued until the experiment is complete.

    Args:
        partition: None is the cluster's default.
        cpus_per_task: cores of the job; None is 4 per GPU, or one per worker where trials use none.
        gpus: GPUs of the job, a number or a text such as a100:2; None is what all workers together need.
        mem: memory of the job, such as 32G.
        timeout_min: time limit of one session in minutes.
        signal_delay_s: seconds before that limit at which the session is ended; None is the grace period and a minute.
        sbatch: any further option of sbatch.
        dry_run: see `RemoteLauncher`.
        wait: see `RemoteLauncher`.
    """

    def __init__(
        self,
        *,
        partition: str | None = None,
        cpus_per_task: int | None = None,
        gpus: int | str | None = None,
        mem: str | int | None = None,
        timeout_min: int = 240,
        signal_delay_s: int | None = None,
        sbatch: Mapping[str, Any] | None = None,
        dry_run: bool = False,
        wait: bool = False,
    ) -> None:
        super().__init__(dry_run=dry_run, wait=wait)
        numbers = {"cpus_per_task": cpus_per_task, "timeout_min": timeout_min, "signal_delay_s": signal_delay_s}
        check_numbers(numbers, gpus)
        self.partition = partition
        self.cpus_per_task = cpus_per_task
        self.gpus = gpus
        self.mem = mem
        self.timeout_min = timeout_min
        self.signal_delay_s = signal_delay_s
        self.sbatch = further_options({} if sbatch is None else sbatch)

    def request(self, experiment: ExperimentConfig, output_dir: Path) -> dict[str, Any]:
        """The options of sbatch, the command and where Slurm's own files go; see `RemoteLauncher.request`."""
        return make_request(self, experiment, output_dir)

    def submit(self, experiment: ExperimentConfig, output_dir: Path, request: Mapping[str, Any]) -> dict[str, Any]:
        """Have sbatch queue the job, unless one is queued or the experiment is complete; see `RemoteLauncher.submit`."""
        with _alone(output_dir):
            known = _known(output_dir)
            if known is not None and known.get("job") is not None:
                state = look(known)
                if state.phase in _ACTIVE:
                    _check_same(experiment, output_dir, known)
                    return {**known, "said": f"job {known['job']} is {state.phase}; nothing submitted"}
                if state.phase == Phase.UNKNOWN:
                    raise BackendError(f"{output_dir}: is job {known['job']} still there? {state.detail}")
            if (begun := _prepare(experiment, output_dir)) is None:
                record = known or {"job": None, "directory": str(output_dir.absolute())}
                return {**record, "said": "complete; nothing submitted"}
            write_atomically(
                output_dir / REQUEST, json.dumps(request, indent=1).encode()
            )  # overwrite=true took it away
            write_atomically(output_dir / CONFIG, to_yaml(begun).encode())
            (output_dir / NOTE).unlink(missing_ok=True)
            record = {
                "job": _sbatch(request),
                "name": request["sbatch"]["job-name"],
                "directory": str(output_dir.absolute()),
            }
            write_record(output_dir, experiment, record)  # before the lock is released, so that nobody submits another
        return record

    def state(self, record: Mapping[str, Any]) -> JobState:
        """What Slurm and the job's own note say; see `RemoteLauncher.state`."""
        return look(record)

    def fetch(self, record: Mapping[str, Any], output_dir: Path) -> int:
        """Nothing is to be fetched from a shared directory: 0.

        Raises:
            StoreError: the directory is not here.
        """
        if not Path(record["directory"]).is_dir():
            raise StoreError(
                f"{record['directory']}: not on this machine; job {record['job']} writes its results there, on the cluster's "
                f"shared file system"
            )
        return 0

    def cancel(self, record: Mapping[str, Any]) -> None:
        """End the job: a running one by a signal that gives its trials their grace; see `RemoteLauncher.cancel`."""
        job = record.get("job")
        if job is None:
            return
        answer = queued_as(job)
        if answer is None or look(record).phase not in _ACTIVE:
            return
        directory = Path(record["directory"])
        write_note(directory, **{**read_note(directory), "job": job, "phase": Phase.STOPPED, "detail": "by hpo stop"})
        if answer.state == "RUNNING" and call("scancel", "--batch", "--signal=INT", job).returncode == 0:
            return
        call("scancel", job)

    def join(self, record: Mapping[str, Any]) -> JobState:
        """Wait for the job's last word in the shared directory, and ask Slurm every half minute at most."""
        pause = 1.0
        directory = Path(record["directory"])
        while (state := look(record)).phase in (*_ACTIVE, Phase.UNKNOWN):  # unknown: nobody answers just now
            seen, until = read_note(directory), time.monotonic() + pause
            while time.monotonic() < until and read_note(directory) == seen:
                time.sleep(0.25)
            pause = min(pause * 1.5, 30.0)
        return state


@contextlib.contextmanager
def _alone(output_dir: Path) -> Iterator[None]:
    """One command at a time looks whether there is a job, and submits one. The tuner's lock would keep the job out."""
    with (output_dir / LAUNCH_LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _known(output_dir: Path) -> dict[str, Any] | None:
    """The record of an earlier submission by this launcher."""
    if not (output_dir / RECORD).is_file():
        return None
    content = read_record(output_dir)
    ours = content["launcher"].get("_target_", "").rpartition(".")[2] == SlurmLauncher.__name__
    return dict(content["record"]) if ours else None


def _check_same(experiment: ExperimentConfig, output_dir: Path, record: Mapping[str, Any]) -> None:
    """Raise StoreError when another experiment is asked for than the one that is queued or running."""
    remedy = f"end it with `hpo stop {output_dir}` first, or choose another experiment_tag"
    if experiment.overwrite:
        raise StoreError(f"overwrite=true, but job {record['job']} works in {output_dir}; {remedy}")
    path = output_dir / CONFIG
    changes = differences(read_config(path), experiment) if path.is_file() else []
    if changes:
        shown = "; ".join(changes[:10])
        raise StoreError(f"job {record['job']} works in {output_dir} with another configuration ({shown}); {remedy}")


def _prepare(experiment: ExperimentConfig, output_dir: Path) -> ExperimentConfig | None:
    """What the job shall run; None when it is complete. Mistakes are said now, not hours later from the queue.

    `overwrite` and `resume` concern this call: the job would otherwise delete its own work each time it is requeued.
    """
    files = ExperimentDirectory(output_dir)
    with owned(files):
        experiment, stored = settle(files, experiment)
        scheduler_of(experiment)
        if experiment.benchmark.script is not None:  # a command may be there on the nodes only
            find_program(experiment.benchmark)
        if stored is not None and files.events.is_file():
            with contextlib.closing(Store(files.events)) as store:
                if is_done(store.last(), stored, experiment):
                    return None
    return replace(experiment, overwrite=False, resume=True)


def _sbatch(request: Mapping[str, Any]) -> str:
    """Submit. Returns the job's id."""
    for program in ("sbatch", "srun", "squeue"):
        call(program, "--version")
    try:
        import submitit
        from submitit.core.utils import FailedJobError, FailedSubmissionError
    except ImportError as error:
        raise ConfigError(f"launcher=slurm: submitit is not installed; {installing('slurm')}") from error
    options = request["sbatch"]
    # exec makes the batch script the job's Python: its signals are then ours, under any of Slurm's process trackers.
    executor = submitit.SlurmExecutor(folder=request["folder"], python=f"exec {shlex.quote(sys.executable)}")
    names = {name.replace("-", "_"): value for name, value in options.items()}
    executor.update_parameters(use_srun=False, wckey=None, additional_parameters=names)
    config, directory = request["command"][-2:]
    try:
        with _environment(options), contextlib.redirect_stderr(io.StringIO()):  # submitit repeats what sbatch says
            job = executor.submit(work, config, directory)
    except (FailedJobError, FailedSubmissionError) as error:
        raise refusal(str(error), options) from error
    return str(job.job_id)


@contextlib.contextmanager
def _environment(options: Mapping[str, Any]) -> Iterator[None]:
    """The job inherits the environment, but nothing of a job that this command itself runs in.

    sbatch takes SBATCH_* variables before the options of a script; what the launcher decides shall count.
    """
    inherited = {f"SBATCH_{name.replace('-', '_').upper()}" for name in options}
    inherited |= {"SBATCH_TIMELIMIT", "SBATCH_MEM_PER_NODE", "SBATCH_NO_REQUEUE", "SBATCH_WAIT", "SBATCH_ARRAY_INX"}
    if "SLURM_JOB_ID" in os.environ:
        inherited |= {name for name in os.environ if name.startswith(("SLURM", "SUBMITIT_")) and name != "SLURM_CONF"}
        inherited |= {"CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"}
    hidden = {name: os.environ.pop(name) for name in inherited if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)
