"""Candidates of a confirmation: the best configurations of a search, and the default that they have to beat."""

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hpo.analysis.conditions import check_conditions
from hpo.analysis.loading import LoadedExperiment, load_runs
from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError
from hpo.events.trial_state import TrialState
from hpo.randomness import canonical
from hpo.results.experiment import load_experiment

METHOD = "CONFIRM"
"""Name of the method of a confirmation's experiments."""
DEFAULT = "the default"


@dataclass(frozen=True)
class Contender:
    """A configuration to be confirmed."""

    label: str
    """How it is called: `trial 7 of ASHA/seed_0`, or `the default`."""
    configuration: Mapping[str, Any]
    search_value: float | None
    """The best value of the metric that the search had for it; None if the search did not train it."""


@dataclass(frozen=True)
class Search:
    """All experiments of one benchmark that a confirmation begins from."""

    config: ExperimentConfig
    """Configuration of the experiment with the best result."""
    directory: Path
    """Directory of that experiment."""
    directories: Sequence[Path]
    """Directories of all experiments of the benchmark."""
    candidates: Sequence[Contender]
    """Distinct configurations, best first; the default is the last unless it is one of the best."""


def find_searches(place: str | Path, top: int) -> tuple[list[Search], list[str]]:
    """Find the best configurations of each benchmark in a directory or of a tag.

    Args:
        place: Directory, or tag under outputs/.
        top: Number of configurations of each benchmark; the default comes besides.

    Returns:
        One search per benchmark, and warnings about experiments that are left out.

    Raises:
        ConfigError: Nothing can be confirmed: several objectives, no finite result, or experiments that cannot be compared.
        StoreError: The place holds no experiment, or one is damaged.
    """
    runs, warnings = load_runs([place])
    groups: defaultdict[str, list[LoadedExperiment]] = defaultdict(list)
    for run in runs:
        if run.config.method.name != METHOD:
            groups[run.benchmark].append(run)
    if not groups:
        raise ConfigError(f"{place}: has no experiment to confirm; name the tag or directory of a search")
    return [_search(name, members, top) for name, members in sorted(groups.items())], warnings


def _search(benchmark: str, runs: Sequence[LoadedExperiment], top: int) -> Search:
    for run in runs:
        if run.config.benchmark.objectives:
            raise ConfigError(f"{run.directory}: hpo confirm knows one objective, and {benchmark} has several")
    check_conditions(benchmark, runs)
    ranked = sorted(
        (float(loss), number, trial)
        for number, run in enumerate(runs)
        for trial, loss in enumerate(run.trial_losses)
        if math.isfinite(loss)
    )
    if not ranked:
        raise ConfigError(f"{runs[0].directory}: no trial of {benchmark} has a result yet; run the search first")
    value = runs[0].config.objective.value
    trials = [trained_trials(run) for run in runs]
    known: dict[str, Contender] = {}
    for loss, number, position in ranked:
        run, trial = runs[number], trials[number][position][0]
        label = f"trial {trial.trial.id} of {run.config.method.name}/seed_{run.seed}"
        configuration = trial.trial.configuration
        known.setdefault(canonical(configuration), Contender(label, dict(configuration), value(loss)))
        if len(known) == top:
            break
    config = runs[ranked[0][1]].config
    default = default_of(config)
    reached = _loss_of(trials, default)
    known.setdefault(canonical(default), Contender(DEFAULT, default, None if reached is None else value(reached)))
    best, directories = runs[ranked[0][1]].directory, [run.directory for run in runs]
    return Search(config, best, directories, list(known.values()))


def trained_trials(run: LoadedExperiment) -> list[tuple[TrialState, float]]:
    """Return the trials of an experiment, by id, each with the best loss that it reported; +inf if it has none."""
    trials = load_experiment(run.directory).state.trials
    return [(trials[identity], float(loss)) for identity, loss in zip(sorted(trials), run.trial_losses, strict=True)]


def default_of(config: ExperimentConfig) -> dict[str, Any]:
    """Return the configuration that a search has to beat: the first of `points_to_evaluate`, else the centre of the space."""
    points = config.benchmark.points_to_evaluate
    return dict(config.space.complete(points[0], "points_to_evaluate[0]") if points else config.space.default)


def _loss_of(
    experiments: Sequence[Sequence[tuple[TrialState, float]]], configuration: Mapping[str, Any]
) -> float | None:
    """Return the best loss of a configuration over its trainings to the end; None if there is none."""
    key, best = canonical(configuration), math.inf
    for trials in experiments:
        full = max((trial.resource for trial, _ in trials), default=0)
        for trial, loss in trials:
            if trial.resource == full and canonical(trial.trial.configuration) == key:
                best = min(best, loss)
    return best if math.isfinite(best) else None


def to_json(candidates: Sequence[Contender]) -> str:
    """Return candidates as JSON."""
    return json.dumps([asdict(candidate) for candidate in candidates], indent=1)


def from_json(text: str) -> list[Contender]:
    """Return the candidates in a JSON text that `to_json` wrote.

    Raises:
        ValueError: It is another text.
    """
    try:
        return [Contender(**content) for content in json.loads(text)]
    except (TypeError, ValueError) as error:
        raise ValueError(f"it holds no candidates of hpo confirm ({error})") from error
