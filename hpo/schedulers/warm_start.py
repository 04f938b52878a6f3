"""Warm starts: which results of earlier experiments a method starts from, and which methods support which use of them."""

from collections.abc import Sequence

from hpo.config.choices import WarmStartUse
from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError
from hpo.schedulers.asha import ASHA, StoppingASHA
from hpo.schedulers.base import Scheduler
from hpo.schedulers.capabilities import SchedulerCapabilities, capabilities_of, method_names
from hpo.searchers.capabilities import SearcherCapabilities
from hpo.warm_start.matching import MatchedSource
from hpo.warm_start.results import EarlierExperiment

_LACKING = {
    WarmStartUse.data: "has no model that learns from earlier experiments",
    WarmStartUse.box: "looks everywhere, and not in a part of the space",
}
"""Reason why a method does not support a use."""


def apply_warm_start(scheduler: Scheduler, config: ExperimentConfig, experiments: Sequence[EarlierExperiment]) -> None:
    """Pass results of earlier experiments to a method, in the way that `warm_start_use` selects.

    Args:
        scheduler: Scheduler in its initial state.
        config: Configuration of the experiment that it belongs to.
        experiments: Earlier experiments, as returned by `hpo.warm_start.results.read_copy`.

    Raises:
        ConfigError: The method, the benchmark or the matching earlier results do not allow this `warm_start_use`.
    """
    use, searcher = config.warm_start_use, scheduler.searcher
    _check_method(scheduler, config)
    if not experiments:
        return
    from hpo.warm_start.best_configurations import best_points, box_of
    from hpo.warm_start.matching import match_results, to_model_data
    from hpo.warm_start.portfolio import portfolio

    sources = match_results(experiments, config)
    check_count(use, sources)
    match use:
        case WarmStartUse.points:
            searcher.start_with(best_points(sources, config.space))
        case WarmStartUse.data:
            searcher.learn_from([to_model_data(source, {*scheduler.levels, config.max_resource}) for source in sources])
        case WarmStartUse.portfolio:
            searcher.start_with(portfolio(sources, config))
        case WarmStartUse.box:
            box = box_of(sources, config.space)
            if box is None:
                raise _too_few(use, "one source alone has a finite result")
            searcher.restrict_to(box)
        case WarmStartUse.hurdle if isinstance(scheduler, ASHA | StoppingASHA):
            several = sum(bool(source.fits) for source in sources) > 1
            first = portfolio(sources, config) if several else best_points(sources, config.space)
            searcher.start_with(first)
            scheduler.set_hurdles(first)


def _check_method(scheduler: Scheduler, config: ExperimentConfig) -> None:
    """Raise ConfigError unless the method and the benchmark support the `warm_start_use` of the experiment."""
    use, searcher = config.warm_start_use, scheduler.searcher
    key, points = f"warm_start_use={use.value}", "warm_start_use=points"
    if not _supports(use, searcher.capabilities, scheduler.capabilities):
        others = _listed([name for name in method_names() if _supports(use, *capabilities_of(name))])
        raise ConfigError(f"{key}: {config.method.name} {_LACKING[use]}; use {points}, or method={others}")
    if use in (WarmStartUse.portfolio, WarmStartUse.box) and config.benchmark.objectives:
        raise ConfigError(
            f"{key}: it goes by one objective, and there are several in benchmark.objectives; use {points}"
        )
    if use == WarmStartUse.box and config.space.conditions:
        name = next(iter(config.space.conditions))
        raise ConfigError(f"{key}: a box has all hyperparameters, and config_space.{name} is conditional; use {points}")


def check_count(use: WarmStartUse, sources: Sequence[MatchedSource]) -> None:
    """Raise ConfigError if a use needs matching results of at least two earlier experiments and there are fewer."""
    count = sum(bool(source.fits) for source in sources)
    if use in (WarmStartUse.portfolio, WarmStartUse.box) and count < 2:
        raise _too_few(use, "results of one source alone fit")


def _too_few(use: WarmStartUse, why: str) -> ConfigError:
    return ConfigError(
        f"warm_start_use={use.value}: it is about what several sources have in common, and {why}; name another in "
        "warm_start, or use warm_start_use=points"
    )


def _supports(use: WarmStartUse, searcher: SearcherCapabilities, scheduler: SchedulerCapabilities) -> bool:
    if use == WarmStartUse.data:
        return searcher.earlier_results
    return use != WarmStartUse.box or (searcher.box and scheduler.box)


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
