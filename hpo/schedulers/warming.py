"""A method that starts from earlier experiments: what it is given of them, and which methods can do with it."""

from collections.abc import Callable, Sequence

from hpo.config.choices import WarmStartUse
from hpo.config.reading import content_of
from hpo.config.schema import CONF_DIR, ExperimentConfig
from hpo.config.targets import factory_of
from hpo.earlier.agreement import EarlierSource
from hpo.earlier.results import EarlierExperiment
from hpo.errors import ConfigError
from hpo.schedulers.base import Scheduler
from hpo.searchers.base import Searcher


def warm(scheduler: Scheduler, config: ExperimentConfig, experiments: Sequence[EarlierExperiment]) -> None:
    """Give a method what it starts from.

    Args:
        scheduler: fresh.
        config: of its experiment.
        experiments: as `hpo.earlier.results.read_copy` gives them.

    Raises:
        ConfigError: it, or the benchmark, or what fits of the sources, is not what `warm_start_use` is for.
    """
    use, searcher = config.warm_start_use, scheduler.searcher
    _check_method(scheduler, config)
    if not experiments:
        return
    from hpo.earlier.agreement import match
    from hpo.earlier.box import box_of
    from hpo.earlier.data import for_model
    from hpo.earlier.points import best_points
    from hpo.earlier.portfolio import portfolio

    sources = match(experiments, config)
    check_count(use, sources)
    match use:
        case WarmStartUse.points:
            searcher.start_with(best_points(sources, config.space))
        case WarmStartUse.data:
            searcher.learn_from([for_model(source, {*scheduler.levels, config.max_resource}) for source in sources])
        case WarmStartUse.portfolio:
            searcher.start_with(portfolio(sources, config))
        case WarmStartUse.box:
            box = box_of(sources, config.space)
            if box is None:
                raise _too_few(use, "one source alone has a finite result")
            searcher.stay_in(box)
        case WarmStartUse.hurdle:
            several = sum(bool(source.fits) for source in sources) > 1
            first = portfolio(sources, config) if several else best_points(sources, config.space)
            searcher.start_with(first)
            scheduler.set_hurdles(first)


def _check_method(scheduler: Scheduler, config: ExperimentConfig) -> None:
    """Raise ConfigError unless a method and a benchmark are what a use of earlier experiments is for."""
    use, searcher = config.warm_start_use, scheduler.searcher
    key, points = f"warm_start_use={use.value}", "warm_start_use=points"
    lacking = {
        WarmStartUse.data: (searcher.learns_from_earlier, "has no model that learns from earlier experiments"),
        WarmStartUse.box: (
            searcher.takes_box and scheduler.takes_box,
            "looks everywhere, and not in a part of the space",
        ),
        WarmStartUse.hurdle: (
            scheduler.takes_hurdles,
            "has no rungs at which trials could be measured by earlier ones",
        ),
    }
    able, why = lacking.get(use, (True, ""))
    if not able:
        raise ConfigError(f"{key}: {config.method.name} {why}; use {points}, or method={_listed(_methods_for(use))}")
    of_one = (WarmStartUse.portfolio, WarmStartUse.box, WarmStartUse.hurdle)
    if use in of_one and config.benchmark.objectives:
        raise ConfigError(
            f"{key}: it goes by one objective, and there are several in benchmark.objectives; use {points}"
        )
    if use == WarmStartUse.box and config.space.conditions:
        name = next(iter(config.space.conditions))
        raise ConfigError(
            f"{key}: a box has all hyperparameters, and config_space.{name} is not always used; use {points}"
        )


def check_count(use: WarmStartUse, sources: Sequence[EarlierSource]) -> None:
    """Raise ConfigError where a use needs several sources of which something fits, and there are fewer."""
    count = sum(bool(source.fits) for source in sources)
    if use in (WarmStartUse.portfolio, WarmStartUse.box) and count < 2:
        raise _too_few(use, "results of one source alone fit")


def _too_few(use: WarmStartUse, why: str) -> ConfigError:
    return ConfigError(
        f"warm_start_use={use.value}: it is about what several sources have in common, and {why}; name another in "
        "warm_start, or use warm_start_use=points"
    )


def _methods_for(use: WarmStartUse) -> list[str]:
    """The methods of hpo that can do with it, by what their parts say of themselves."""
    asked: dict[WarmStartUse, Callable[[type, type], bool]] = {
        WarmStartUse.data: lambda searcher, _: bool(getattr(searcher, "learns_from_earlier", False)),
        WarmStartUse.box: lambda *parts: all(getattr(part, "takes_box", False) for part in parts),
        WarmStartUse.hurdle: lambda _, scheduler: bool(getattr(scheduler, "takes_hurdles", False)),
    }
    names = sorted(path.stem for path in (CONF_DIR / "method").glob("*.yaml"))
    return [name for name in names if (classes := _classes_of(name)) and asked[use](*classes)]


def _classes_of(method: str) -> tuple[type, type] | None:
    """Of its searcher and its scheduler; None where a library for it is missing."""
    content = content_of("method", method)
    try:
        searcher, scheduler = (
            factory_of(f"method.{part}", content[part], (), (Searcher, Scheduler)) for part in ("searcher", "scheduler")
        )
    except ConfigError:
        return None
    return getattr(searcher, "func", type(None)), getattr(scheduler, "func", type(None))


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
