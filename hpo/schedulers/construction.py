"""Construction of a searcher and a scheduler from a method's YAML. Only hpo's own and trusted modules are imported."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hpo.config.choices import WarmStartUse
from hpo.config.objectives import parse_objectives
from hpo.config.reading import content_of
from hpo.config.schema import ExperimentConfig
from hpo.config.targets import factory_of, parameters_of
from hpo.errors import ConfigError
from hpo.randomness import Randomness
from hpo.schedulers.base import Scheduler
from hpo.schedulers.warm_start import apply_warm_start
from hpo.searchers.base import Searcher
from hpo.space.search_space import SearchSpace, parse_space
from hpo.warm_start.results import EarlierExperiment

MULTI_OBJECTIVE_METHODS = ("MO-ASHA-GP", "MO-ASHA", "MO-BO", "NSGA-II", "RS", "SOBOL", "GRID")
"""Names of the methods that support multi-objective optimisation."""

RANDOM = {"_target_": "hpo.searchers.RandomSearcher"}
"""YAML of a random searcher, which takes no time to propose."""


def scheduler_of(config: ExperimentConfig, earlier: Sequence[EarlierExperiment] = ()) -> Scheduler:
    """Construct the scheduler of a resolved experiment, in its initial state.

    Args:
        config: Configuration of the experiment.
        earlier: Results of earlier experiments to start from, as returned by `hpo.warm_start.results.read_copy`.

    Raises:
        ConfigError: The description of the method is invalid, or the experiment has no random_seed.
    """
    if config.random_seed is None:
        raise ConfigError("random_seed=null: a stored experiment has one; write there what tag.json or hpo.log say")
    scheduler = _assemble(
        {"searcher": config.method.searcher, "scheduler": config.method.scheduler},
        {},
        config.space,
        config.randomness,
        max_resource=config.max_resource,
        points_to_evaluate=config.benchmark.points_to_evaluate,
        max_size_data_for_model=config.max_size_data_for_model,
        aims=config.objective.aims,
        trusted=config.trusted_modules,
    )
    apply_warm_start(scheduler, config, earlier)
    benchmark = config.benchmark
    if benchmark.constraints:
        _check_constraints(config, scheduler)
    _check_objectives(config.method.name, scheduler, len(benchmark.objectives))
    if (
        benchmark.foreign
        and benchmark.named_resource is None
        and scheduler.capabilities.pauses
        and not config.simulated
    ):
        name = benchmark.resource_attr or "epoch"
        key = f"benchmark.patterns.{name}" if benchmark.patterns else "benchmark.resource_attr"
        raise ConfigError(
            f"method={config.method.name}: it pauses trials, and where reports are only counted nobody can tell what a "
            f"resumed one reports again; give {key}, or use a method that pauses none"
        )
    return scheduler


def _check_constraints(config: ExperimentConfig, scheduler: Scheduler) -> None:
    """Raise ConfigError unless both the scheduler and the searcher support constraints."""
    for part, made in (("scheduler", scheduler), ("searcher", scheduler.searcher)):
        if not made.capabilities.constraints:
            raise ConfigError(
                f"method={config.method.name}: its {part} {type(made).__name__} knows nothing of benchmark.constraints; "
                f"remove them, or use another method, such as ASHA-GP"
            )


def _check_objectives(method: str, scheduler: Scheduler, count: int) -> None:
    """Raise ConfigError if there are several objectives and the scheduler or the searcher does not support them."""
    for part, made in (("scheduler", scheduler), ("searcher", scheduler.searcher)):
        if count and not made.capabilities.objectives:
            raise ConfigError(
                f"method={method}: its {part} {type(made).__name__} knows one objective, and there are {count} in "
                f"benchmark.objectives; use {', '.join(MULTI_OBJECTIVE_METHODS[:-1])} or {MULTI_OBJECTIVE_METHODS[-1]}"
            )


def scheduler_for_inspection(config: ExperimentConfig) -> Scheduler | None:
    """Construct an experiment's scheduler with a cheap random searcher, only to inspect its rungs.

    Return None if the scheduler is not one of hpo's own, since nothing else is imported here, or if this version of hpo
    cannot construct it.
    """
    try:
        return scheduler_of(replace(with_random_search(config), random_seed=0, trusted_modules=[]))
    except ConfigError:
        return None


def with_random_search(config: ExperimentConfig) -> ExperimentConfig:
    """Return a copy of the configuration that uses random search and no earlier experiments."""
    method = replace(config.method, searcher=RANDOM)
    return replace(config, method=method, warm_start=[], warm_start_use=WarmStartUse.points)


def build_scheduler(
    method: str | Mapping[str, Any],
    config_space: Mapping[str, Any],
    *,
    max_resource: int | None,
    seed: int,
    random_seed: int = 0,
    points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
    objectives: Mapping[str, Any] | None = None,
    **overrides: Any,
) -> Scheduler:
    """Construct a scheduler for use outside an experiment, through its own `suggest`, `on_start` and `on_report` calls.

    Args:
        method: Name of a file in conf/method, or the contents of such a file.
        config_space: Search space, as in a benchmark's YAML.
        max_resource: Resource at which a trial is complete; None for methods that do not stop trials early.
        seed: Seed number.
        random_seed: Master seed.
        points_to_evaluate: Configurations to evaluate first; None for the centre of the space.
        objectives: Several objectives, as in a benchmark's YAML; results are then passed to `on_outcome`.
        **overrides: Arguments of the scheduler or the searcher, such as `reduction_factor=4`.

    Raises:
        ConfigError: A name or a value is invalid.
    """
    parts = content_of("method", method)
    scheduler = _assemble(
        {part: parts.get(part) for part in ("searcher", "scheduler")},
        overrides,
        parse_space(config_space),
        Randomness(random_seed, seed),
        max_resource=max_resource,
        points_to_evaluate=points_to_evaluate,
        aims=parse_objectives(objectives or {}),
        trusted=("",),
    )
    _check_objectives(str(parts.get("name", "mine")), scheduler, len(objectives or {}))
    return scheduler


def _assemble(
    parts: Mapping[str, Any],
    overrides: Mapping[str, Any],
    space: SearchSpace,
    randomness: Randomness,
    *,
    trusted: Sequence[str],
    **context: Any,
) -> Scheduler:
    """Construct searcher and scheduler from their YAML; each gets the arguments in `context` that its signature names."""
    factories = {
        part: factory_of(f"method.{part}", spec, trusted, (Searcher, Scheduler)) for part, spec in parts.items()
    }
    known = {part: parameters_of(f"method.{part}", factory) for part, factory in factories.items()}
    for name in overrides:
        if not any(name in names for names in known.values()):
            options = sorted({n for names in known.values() for n in names} - {"searcher", "space", "randomness"})
            raise ConfigError(f"{name}: neither searcher nor scheduler takes it; they take {', '.join(options)}")
    given = {
        part: {k: v for k, v in {**context, "randomness": randomness, **overrides}.items() if k in known[part]}
        for part in parts
    }
    try:
        searcher = factories["searcher"](space, **given["searcher"])
        scheduler = factories["scheduler"](searcher, **given["scheduler"])
    except TypeError as error:
        raise ConfigError(f"method: {error}; check the names under method.searcher and method.scheduler") from error
    if not isinstance(searcher, Searcher) or not isinstance(scheduler, Scheduler):
        raise ConfigError("method: searcher and scheduler must be subclasses of hpo's Searcher and Scheduler")
    if space.conditions and not scheduler.capabilities.conditions:
        raise ConfigError(
            f"method.scheduler: {type(scheduler).__name__} needs all hyperparameters in every configuration; remove "
            f"config_space.{next(iter(space.conditions))}.when, or use another method, such as ASHA"
        )
    if searcher.capabilities.needs_complete and not scheduler.capabilities.completes:
        raise ConfigError(
            f"method.scheduler: {type(searcher).__name__} compares complete trainings alone; use hpo.schedulers.FIFO with it"
        )
    return scheduler
