"""The remote jobs that experiments would become, from the launcher's own request. Nothing is asked and nothing is sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpo.config.targets import factory_of
from hpo.launchers.base import Launcher
from hpo.launchers.remote import RemoteLauncher
from hpo.planning.standing import Place

_UNDRAWN = "????"


@dataclass(frozen=True)
class RemoteJob:
    """One job."""

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


def remote_launcher(place: Place) -> RemoteLauncher | None:
    """The launcher of an experiment if it has it run elsewhere; what a submission would miss is made up.

    Raises:
        ConfigError: its keys are wrong.
    """
    spec = place.config.launcher
    if spec.get("_target_") == "hpo.launchers.local.LocalLauncher":
        return None
    factory = factory_of("launcher", spec, place.config.trusted_modules, (Launcher,))
    made = factory(dry_run=True) if "dry_run" in spec else factory()
    return made if isinstance(made, RemoteLauncher) else None


def job_of(launcher: RemoteLauncher, place: Place) -> RemoteJob:
    """The job that an experiment would become."""
    request = launcher.request(place.config, place.directory)
    if "TrainingJobName" in request:
        return _sagemaker(request, place)
    if "sbatch" in request:
        return _slurm(request["sbatch"], place)
    hours = (place.config.max_wallclock_time or 0.0) / 3600
    return RemoteJob(place.directory.as_posix(), type(launcher).__name__, None, hours, hours)


def _sagemaker(request: Mapping[str, Any], place: Place) -> RemoteJob:
    from hpo.launchers.sagemaker.images import gpus_of

    name = request["TrainingJobName"]
    if place.config.random_seed is None:  # it goes into the hash at the end of the name
        name = name[: -len(_UNDRAWN)] + _UNDRAWN
    instance = request["ResourceConfig"]["InstanceType"]
    limit = request["StoppingCondition"]["MaxRuntimeInSeconds"] / 3600
    return RemoteJob(name, instance, gpus_of(instance), _hours(place, limit), limit, instance)


def _slurm(options: Mapping[str, Any], place: Place) -> RemoteJob:
    gres = str(options.get("gres") or "")
    gpus = int(gres.rpartition(":")[2]) if gres else 0
    asked = [f"{options['cpus-per-task']} cores", f"{gpus} GPUs" if gpus else "", str(options.get("partition") or "")]
    limit = options["time"] / 60
    # A session that reaches the time limit is requeued, so that the budget counts and not the limit.
    return RemoteJob(options["job-name"], ", ".join(filter(None, asked)), gpus, _hours(place, limit), limit)


def _hours(place: Place, limit: float) -> float:
    budget = place.config.max_wallclock_time
    return limit if budget is None else budget / 3600
