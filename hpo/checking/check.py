"""The command `hpo check-script`, which runs a benchmark's script in a temporary folder and reports what is wrong with it."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hpo.backends.single_attempts import Rehearsal
from hpo.checking.findings import Findings, Verdict
from hpo.checking.hyperparameter_changes import CHECK, check_hyperparameter_changes
from hpo.checking.hyperparameters import check_conditions, check_hyperparameters
from hpo.checking.interruptions import check_interrupted, check_promoted
from hpo.checking.training import Training
from hpo.checking.uninterrupted_training import check_uninterrupted
from hpo.config.reading import resolve
from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError
from hpo.schedulers.construction import scheduler_of


def check_script(
    config: ExperimentConfig,
    promoting: Sequence[str],
    *,
    units: int | None = None,
    tolerance: float = 0.0,
    silence: float = 600.0,
    hyperparameters: bool = False,
) -> Findings:
    """Check the script of a resolved experiment by training with it.

    Args:
        config: Experiment that names the script and its arguments.
        promoting: Names of the methods in question that pause and resume trials.
        units: Units of resource for each training; None chooses.
        tolerance: Relative difference up to which metric values count as equal.
        silence: Seconds without a report after which an attempt is ended.
        hyperparameters: Also look for hyperparameters without an effect.

    Raises:
        ConfigError: An option is invalid.
        BackendError: This machine cannot run the script.
    """
    if units is not None and units < 1:
        raise ConfigError(f"--units={units}: use a positive number")
    if not tolerance >= 0:
        raise ConfigError(f"--tolerance={tolerance}: use zero or a positive number, such as 1e-6")
    findings = Findings()
    mutable = config.method.scheduler["mutable"] if config.copies_checkpoints else []
    with (
        tempfile.TemporaryDirectory(prefix="hpo-check-") as folder,
        Rehearsal(config, Path(folder), silence=silence) as rehearsal,
    ):
        training = Training(rehearsal, units, tolerance)
        if (obstacle := check_uninterrupted(training, findings)) is None:
            check_interrupted(training, findings, promoting)
            check_promoted(training, findings, promoting)
            if mutable:
                check_hyperparameter_changes(training, findings, mutable)
        else:
            for check in ("SIGTERM", "resume", "promotion", *([CHECK] if mutable else ())):
                findings.skip(check, obstacle)
        if config.space.conditions and findings.of("reports") == Verdict.OK:
            check_conditions(rehearsal, findings)
        if hyperparameters and findings.of("reports") == Verdict.OK:
            check_hyperparameters(rehearsal, findings)
    return findings


def script_of(configs: Sequence[ExperimentConfig]) -> tuple[ExperimentConfig, list[str]]:
    """Return the resolved experiment whose script is checked, and the names of the methods that pause and resume trials.

    If one of several methods changes hyperparameters while trials train, the experiment with that method is returned.

    Raises:
        ConfigError: The benchmark has no script, or several benchmarks are named.
    """
    seeded = [replace(config, random_seed=config.random_seed or 0) for config in map(resolve, configs)]
    first = resolve(next((config for config in configs if config.copies_checkpoints), configs[0]))
    names = list(dict.fromkeys(config.benchmark.name for config in configs))
    if len(names) > 1:
        raise ConfigError(f"benchmark={','.join(names)}: one script is checked at a time; name one benchmark")
    if first.simulated or not first.benchmark.has_program:
        raise ConfigError(f"benchmark={names[0]}: it is simulated from a table; there is no script to check")
    methods = {config.method.name: config for config in seeded if config.max_resource is not None}
    return first, [name for name, config in methods.items() if scheduler_of(config).capabilities.pauses]
