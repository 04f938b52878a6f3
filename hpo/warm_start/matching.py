"""Matching of earlier experiments with a new one: which results can be used, by a model too, and why others cannot.

Hyperparameters are matched by name. One that only the new experiment tunes gets the constant value that the earlier
experiment used. If there was none, it gets its default, which is acceptable for a configuration that is evaluated again
and not for a model. One that only the earlier experiment tuned is dropped, and the result counts as less certain. A
value outside the new search space makes a result unusable.
"""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hpo.config.choices import WarmStartUse
from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError
from hpo.events.objective import Aim
from hpo.events.types import Configuration
from hpo.space.domains import Choice, Domain, Integer
from hpo.space.search_space import SearchSpace, parse_space
from hpo.surrogate.earlier_data import EarlierData
from hpo.warm_start.results import EarlierExperiment, EarlierResult

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class MatchedResult:
    """A result of an earlier experiment, converted to the new search space."""

    trial: tuple[int, int]
    """Index of the earlier experiment, and id of the trial in it."""
    configuration: Configuration
    resource: int
    loss: float
    reached: float
    """Resource as a fraction of the earlier experiment's maximum resource."""
    certain: bool
    """Whether all hyperparameters that are not tuned now had the values that they have now."""
    losses: tuple[float, ...] = ()
    """Loss of each objective if there are several; infinite for objectives that were not measured."""


@dataclass
class MatchedSource:
    """The usable results of one source, which is an entry of `warm_start`, and reasons why others are not usable."""

    name: str
    count: int = 0
    """Total number of results of the source."""
    fits: list[MatchedResult] = field(default_factory=list)
    unusable_counts: Counter[str] = field(default_factory=Counter)
    """Reasons why results cannot be used, with the number of results for each."""
    remarks: dict[str, None] = field(default_factory=dict)
    """Assumptions made in the conversion, as an ordered set of sentences."""

    @property
    def said(self) -> str:
        """A one-line summary of the results that are used, for the log and for error messages."""
        parts = [
            f"{len(self.fits)} of {self.count} results fit",
            *(f"{n} {why}" for why, n in self.unusable_counts.items()),
        ]
        return f"warm_start={self.name}: {'; '.join([*parts, *self.remarks])}"


def match_results(experiments: Sequence[EarlierExperiment], config: ExperimentConfig) -> list[MatchedSource]:
    """Return the usable results of each source for an experiment, in the order of the sources.

    Raises:
        ConfigError: An earlier experiment measured a different metric, or no result of any source can be used.
    """
    sources = {experiment.source: MatchedSource(experiment.source) for experiment in experiments}
    for number, experiment in enumerate(experiments):
        _check_metric(experiment, config)
        _match_one(number, experiment, config, sources[experiment.source])
    if not any(source.fits for source in sources.values()):
        raise ConfigError(
            f"warm_start: nothing in common ({' | '.join(source.said for source in sources.values())}); name other "
            "experiments, or leave warm_start out"
        )
    return list(sources.values())


def _check_metric(experiment: EarlierExperiment, config: ExperimentConfig) -> None:
    benchmark = config.benchmark
    there, here = (experiment.metric, experiment.mode), (benchmark.metric, benchmark.mode.value)
    if there != here:
        raise ConfigError(
            f"warm_start={experiment.source}: {experiment.experiment} has benchmark.metric={there[0]}, mode={there[1]}, and "
            f"this experiment {here[0]}, {here[1]}; name experiments that measured the same"
        )


def _match_one(number: int, experiment: EarlierExperiment, config: ExperimentConfig, source: MatchedSource) -> None:
    source.count += len(experiment.results) + experiment.left_out
    if experiment.left_out:
        source.unusable_counts["were too many"] += experiment.left_out
    aims = config.objective.aims
    space, as_data = config.space, config.warm_start_use == WarmStartUse.data
    there, here = (
        (experiment.resource_attr, experiment.max_resource),
        (config.benchmark.resource_attr, config.max_resource),
    )
    if as_data and there != here:
        source.unusable_counts[f"are of trainings up to {_training(there)}, not {_training(here)}"] += len(
            experiment.results
        )
        return
    if (other := _other_kind(space, parse_space(experiment.config_space))) is not None:
        source.unusable_counts[other] += len(experiment.results)
        return
    constants = {**space.constants, **config.benchmark.arguments}
    known: dict[int, _ConvertedConfiguration] = {}
    for result, loss in zip(experiment.results, experiment.losses(), strict=True):
        if result.trial not in known:
            placed = _place(result.configuration, space, experiment.constants, constants)
            if as_data and placed.guessed and placed.unusable_reason is None:
                placed = replace(placed, unusable_reason=f"lack {', '.join(placed.guessed)}")
            if placed.unusable_reason is None:
                source.remarks |= dict.fromkeys(f"{name} is new and takes its default" for name in placed.guessed)
                source.remarks |= dict.fromkeys(f"{name} is not tuned here" for name in placed.dropped)
            known[result.trial] = placed
        placed = known[result.trial]
        if placed.unusable_reason is not None:
            source.unusable_counts[placed.unusable_reason] += 1
            continue
        source.fits.append(
            MatchedResult(
                trial=(number, result.trial),
                configuration=placed.configuration,
                resource=result.resource,
                loss=loss,
                reached=result.resource / (experiment.max_resource or 1),
                certain=not placed.dropped,
                losses=tuple(_loss_of(result, aim) for aim in aims),
            )
        )


def _loss_of(result: EarlierResult, aim: Aim) -> float:
    value = result.metrics.get(aim.metric)
    known = isinstance(value, int | float) and math.isfinite(value)
    return aim.loss(value) if known else math.inf  # type: ignore[arg-type]


def _training(training: tuple[str | None, int | None]) -> str:
    name, most = training
    return "their end" if name is None and most is None else f"{name or 'resource'}={most}"


def _other_kind(space: SearchSpace, earlier: SearchSpace) -> str | None:
    """Return why no result can be used, if a hyperparameter has a different type in the earlier experiment; else None."""
    for name, domain in space.domains.items():
        before = earlier.domains.get(name)
        if before is not None and _kind(before) != _kind(domain):
            return f"have {name} as {_kind(before)}, which is {_kind(domain)} here"
    return None


def _kind(domain: Domain) -> str:
    if isinstance(domain, Choice):
        return "a list of values"
    return "a whole number" if isinstance(domain, Integer) else "a real number"


@dataclass(frozen=True)
class _ConvertedConfiguration:
    """An earlier configuration, converted to the new search space."""

    configuration: Configuration
    guessed: Sequence[str] = ()
    dropped: Sequence[str] = ()
    unusable_reason: str | None = None


def _place(
    earlier: Configuration, space: SearchSpace, then: Mapping[str, Any], now: Mapping[str, Any]
) -> _ConvertedConfiguration:
    """Convert an earlier configuration to the new search space.

    Args:
        earlier: The configuration; hyperparameters that were not used are absent.
        space: Search space of the new experiment.
        then: Constants of the earlier experiment.
        now: Constants of the new experiment.
    """
    found: dict[str, Any] = {}
    guessed = []
    for name, domain in space.domains.items():
        if not space.is_used(name, found):
            continue
        value = earlier.get(name, then.get(name, _ABSENT))
        if value is _ABSENT:
            guessed.append(name)
            value = space.defaults[name]
        elif value not in domain:
            return _ConvertedConfiguration({}, unusable_reason=f"have {name} outside {domain}")
        found[name] = domain.normalise(value)
    dropped = [name for name, value in earlier.items() if name not in found and now.get(name, _ABSENT) != value]
    return _ConvertedConfiguration(found, guessed, dropped)


def to_model_data(source: MatchedSource, levels: Collection[int | None]) -> EarlierData:
    """Return the results of each trial at the given resources, and its last result.

    Args:
        source: Usable results of an earlier source.
        levels: Resources at which the new experiment compares its trials.
    """
    last: dict[tuple[int, int], MatchedResult] = {}
    for fit in source.fits:
        if fit.trial not in last or fit.resource >= last[fit.trial].resource:
            last[fit.trial] = fit
    numbers = {trial: number for number, trial in enumerate(last)}
    kept: dict[tuple[int, int], MatchedResult] = {}  # a trial restarted without a checkpoint reports a resource twice
    for fit in source.fits:
        if fit.resource in levels or fit is last[fit.trial]:
            kept[numbers[fit.trial], fit.resource] = fit
    return EarlierData(
        configurations=[fit.configuration for fit in last.values()],
        trials=[number for number, _ in kept],
        resources=[resource for _, resource in kept],
        losses=[fit.loss for fit in kept.values()],
        certain=[fit.certain for fit in kept.values()],
    )
