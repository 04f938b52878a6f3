"""The processes that one trial trains with: their number, from `benchmark.processes_per_trial`, and its check."""

from importlib.util import find_spec

from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError

OF_GPUS = "gpu"
"""Value of `benchmark.processes_per_trial` for one process per device of a trial."""
_PLACE = "{processes}"


def processes_per_trial(config: ExperimentConfig) -> int | None:
    """Return how many processes a trial trains with; None if it is started as a single process, without a launcher."""
    given = config.benchmark.processes_per_trial
    return config.num_gpus_per_trial if given == OF_GPUS else given


def check_processes(config: ExperimentConfig) -> None:
    """Raise ConfigError if trials cannot be started with the number of processes that is asked for."""
    benchmark, given = config.benchmark, config.benchmark.processes_per_trial
    if given is None:
        return
    key = f"benchmark.processes_per_trial={str(given)[:200]}"
    if given != OF_GPUS and (isinstance(given, bool) or not isinstance(given, int) or given < 1):
        raise ConfigError(f"{key}: use a positive whole number, {OF_GPUS} for one process per GPU of a trial, or null")
    if config.simulated:
        raise ConfigError(f"{key}: a simulation looks trials up in a table and starts no process; remove it")
    if benchmark.function is not None:
        raise ConfigError(
            f"{key}: benchmark.function is called in one process; put the training into a script, and name it in "
            "benchmark.script"
        )
    if given == OF_GPUS and not config.num_gpus_per_trial:
        raise ConfigError(
            f"{key}: a trial has no GPU, since num_gpus_per_trial=0; give it some, or the number of processes"
        )
    if benchmark.command is not None:
        if not any(_PLACE in word for word in benchmark.command):
            raise ConfigError(
                f"{key}: benchmark.command does not say where the number goes; write {_PLACE} in it, as in "
                f"[torchrun, --standalone, '--nproc-per-node={_PLACE}', train.py]"
            )
    elif not str(benchmark.script).endswith(".py"):
        raise ConfigError(
            f"{key}: only Python scripts are started by torch's launcher, and benchmark.script={benchmark.script} is none; "
            f"give a benchmark.command with {_PLACE} in it, such as [mpirun, -n, '{_PLACE}', {benchmark.script}]"
        )


def check_launcher(config: ExperimentConfig) -> None:
    """Raise ConfigError if torch, whose launcher starts a script's processes, is not installed here."""
    if (
        config.benchmark.processes_per_trial is not None
        and config.benchmark.command is None
        and find_spec("torch") is None
    ):
        raise ConfigError(
            f"benchmark.processes_per_trial={config.benchmark.processes_per_trial}: the launcher of torch starts the "
            "processes, and torch is not installed here; pip install torch, or give a benchmark.command"
        )
