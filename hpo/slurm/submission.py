"""Submission of a job to sbatch, through submitit."""

import contextlib
import io
import json
import logging
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import hpo
from hpo.errors import ConfigError, how_to_install
from hpo.slurm.commands import TooLargeError, call, sbatch_error_as_sentence
from hpo.slurm.job import work
from hpo.slurm.nodes import shares
from hpo.slurm.request import CORES_PER_GPU
from hpo.store.atomic_files import write_atomically

log = logging.getLogger(__name__)


def queue(request: Mapping[str, Any], kept: Path, *, lower: bool) -> str:
    """Submit a job to sbatch and return its id.

    Args:
        request: Request as `make_request` returns it.
        kept: File that records the request.
        lower: Whether the cores are hpo's default, `CORES_PER_GPU`, and may be lowered to a node's share for the GPUs if
            no node has that many.

    Raises:
        HPOError: sbatch rejected the request; the sentence says what to do.
    """
    options = request["sbatch"]
    asked = options["cpus-per-task"]
    gpus = asked // CORES_PER_GPU
    try:
        return _sbatch(request, kept)
    except TooLargeError:
        for cores in shares(options, gpus) if lower else ():
            with contextlib.suppress(TooLargeError):
                job = _sbatch({**request, "sbatch": {**options, "cpus-per-task": cores}}, kept)
                log.warning(
                    "launcher.cpus_per_task: no node has %d cores for %d GPU(s); the job gets %d, which is a node's share",
                    asked,
                    gpus,
                    cores,
                )
                return job
        raise


def _sbatch(request: Mapping[str, Any], kept: Path) -> str:
    write_atomically(kept, json.dumps(request, indent=1).encode())
    for program in ("sbatch", "srun", "squeue"):
        call(program, "--version")
    try:
        import submitit
        from submitit.core.utils import FailedJobError, FailedSubmissionError
    except ImportError as error:
        raise ConfigError(f"launcher=slurm: submitit is not installed; {how_to_install('slurm')}") from error
    options = request["sbatch"]
    # exec replaces the batch script by the job's Python, which then gets its signals under any of Slurm's process trackers.
    executor = submitit.SlurmExecutor(folder=request["folder"], python=f"exec {python()}")
    names = {name.replace("-", "_"): value for name, value in options.items()}
    executor.update_parameters(use_srun=False, wckey=None, additional_parameters=names)
    config, directory = request["command"][-2:]
    try:
        with clean_environment(options), contextlib.redirect_stderr(io.StringIO()):  # submitit repeats what sbatch says
            job = executor.submit(work, config, directory)
    except (FailedJobError, FailedSubmissionError) as error:
        raise sbatch_error_as_sentence(str(error), options) from error
    return str(job.job_id)


def python() -> str:
    """Return the shell command of the job's Python.

    With -m, as submitit calls it, Python looks for hpo in the working directory first.
    """
    package = Path(hpo.__file__).parent
    other = PathFinder.find_spec("hpo", [str(Path.cwd())])
    hidden = other is not None and other.has_location and not package.samefile(Path(str(other.origin)).parent)
    return shlex.quote(sys.executable) + (" -P" if hidden else "")


@contextlib.contextmanager
def clean_environment(options: Mapping[str, Any]) -> Iterator[None]:
    """Remove the variables of the Slurm job that this command runs in, so that a new job inherits the rest only.

    sbatch prefers SBATCH_* variables to the options of a script, so these are removed too: the launcher's options apply.
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
