"""`hpo check-script`: the script of one benchmark, run for real in a temporary folder, and what is wrong with it."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hpo.backends.rehearsal import Rehearsal
from hpo.checking.changing import CHECK, check_changing
from hpo.checking.findings import Findings, Verdict
from hpo.checking.hyperparameters import check_conditions, check_hyperparameters
from hpo.checking.interruptions import check_interrupted, check_promoted
from hpo.checking.training import Training
from hpo.checking.uninterrupted import check_uninterrupted
from hpo.config.reading import resolve
from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError
from hpo.schedulers.assembly import scheduler_of


def check_script(
    config: ExperimentConfig,
    promoting: Sequence[str],
    *,
    units: int | None = None,
    tolerance: float = 0.0,
    silence: float = 600.0,
    hyperparameters: bool = False,
) -> Findings:
    """Check the script of a resolved experiment.

    Args:
        config: which script, and how it is called.
        promoting: names of the methods in question that pause trials and resume them.
        units: of resource, for each training; None chooses.
        tolerance: relative difference of metrics that is none.
        silence: seconds without a report after which an attempt is given up.
        hyperparameters: also look for hyperparameters that do nothing.

    Raises:
        ConfigError: an option has no meaning.
        BackendError: nothing can be run here.
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
                check_changing(training, findings, mutable)
        else:
            for check in ("SIGTERM", "resume", "promotion", *([CHECK] if mutable else ())):
                findings.skip(check, obstacle)
        if config.space.conditions and findings.of("reports") == Verdict.OK:
            check_conditions(rehearsal, findings)
        if hyperparameters and findings.of("reports") == Verdict.OK:
            check_hyperparameters(rehearsal, findings)
    return findings


def script_of(configs: Sequence[ExperimentConfig]) -> tuple[ExperimentConfig, list[str]]:
    """The resolved experiment whose script is meant, and which of the methods pause and resume trials.

    Of several methods it has one that changes hyperparameters on the way, if there is one.

    Raises:
        ConfigError: it is no script, or several.
    """
    seeded = [replace(config, random_seed=config.random_seed or 0) for config in map(resolve, configs)]
    first = resolve(next((config for config in configs if config.copies_checkpoints), configs[0]))
    names = list(dict.fromkeys(config.benchmark.name for config in configs))
    if len(names) > 1:
        raise ConfigError(f"benchmark={','.join(names)}: one script is checked at a time; name one benchmark")
    if first.simulated or not first.benchmark.has_program:
        raise ConfigError(f"benchmark={names[0]}: it is simulated from a table; there is no script to check")
    methods = {config.method.name: config for config in seeded if config.max_resource is not None}
    return first, [name for name, config in methods.items() if scheduler_of(config).pauses]
