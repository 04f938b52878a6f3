"""The Ray cluster of a Slurm job: the head runs on the first node with the tuner, and one job step starts the other nodes."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from hpo.config.schema import ExperimentConfig
from hpo.ray.job_cluster import ClusterPlan, makes_cluster, ray_cluster

_OF_STEPS = (
    "PMI",
    "SLURM_GTIDS",
    "SLURM_JOB_NUM_NODES",
    "SLURM_LOCALID",
    "SLURM_NNODES",
    "SLURM_NODEID",
    "SLURM_NPROCS",
    "SLURM_NTASKS",
    "SLURM_PROCID",
    "SLURM_SRUN",
    "SLURM_STEP",
    "SLURM_TASK",
    "SRUN_",
)
"""Prefixes of environment variables that would make a trial's framework take it for one task of many on several nodes."""


@contextlib.contextmanager
def cluster_of_job(config: ExperimentConfig, logs: Path) -> Iterator[None]:
    """Run the Ray cluster that an experiment needs while the context lasts; do nothing if it needs none.

    Args:
        config: Configuration of the experiment.
        logs: Folder of Slurm's own files.

    Raises:
        BackendError: The cluster did not start.
    """
    if not makes_cluster(config):
        yield
        return
    job, restart = os.environ["SLURM_JOB_ID"], os.environ.get("SLURM_RESTART_COUNT", "0")
    plan = ClusterPlan(
        nodes=int(os.environ.get("SLURM_JOB_NUM_NODES", "1")),
        folder=f"/tmp/hpo-{os.getuid()}-{job}-{restart}",
        gpus=bool(config.num_gpus_per_trial),
        hidden=_OF_STEPS,
    )

    def join(command: Sequence[str]) -> Sequence[str]:
        others = plan.nodes - 1
        step = [f"--nodes={others}", f"--ntasks={others}", "--ntasks-per-node=1", "--relative=1"]
        shared = ["--overlap", "--cpu-bind=none", "--export=ALL"]
        return ["srun", *step, *shared, "--no-kill", "--kill-on-bad-exit=0", *command]

    with ray_cluster(plan, join, logs / f"{job}_ray.log"):
        yield
