"""Running a confirmation: an experiment per seed trains all candidates that may still win, until the answer is clear."""

import logging
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hpo.analysis.loading import load_runs
from hpo.config.choices import Mode
from hpo.config.reading import read_config
from hpo.config.schema import ExperimentConfig, MethodConfig
from hpo.confirmation.candidates import METHOD, Contender, Search, find_searches, from_json, to_json, trained_trials
from hpo.confirmation.evidence import Contrast, Interval, choose, contrasts, mean_of, worthwhile
from hpo.errors import ConfigError, ExperimentError
from hpo.functions.finding import OWN, is_own
from hpo.launchers.base import make_launcher
from hpo.randomness import canonical
from hpo.results.files import is_complete
from hpo.store.atomic_files import write_atomically
from hpo.store.directory import CONFIG
from hpo.store.tags import OUTPUTS, master_seed

log = logging.getLogger(__name__)

CANDIDATES = "candidates.json"
"""In a confirmation's folder: the configurations that it trains, chosen once."""
_FRESH: Mapping[str, Any] = {
    "max_wallclock_time": None,
    "max_num_trials": None,
    "max_num_evaluations": None,
}
_METHOD = MethodConfig(
    METHOD,
    {"_target_": "hpo.searchers.RandomSearcher", "_partial_": True},
    {"_target_": "hpo.schedulers.FIFO", "_partial_": True},
)
"""Trains `points_to_evaluate` to the end, in order; `max_num_trials` ends it before the searcher draws any other."""


@dataclass(frozen=True)
class Confirmation:
    """Results and conclusions of the confirmation of one benchmark.

    Attributes:
        benchmark: Name of the benchmark.
        folder: Directory that holds its experiments, one per seed.
        metric: Metric that is compared.
        maximise: Whether a higher value is better.
        candidates: The configurations, those of the search first, best first.
        values: Values of the metric, one list per candidate with one value per seed; +-inf if a training failed.
        means: Mean of each candidate with its 95 % confidence interval, in the metric's own direction; None if one failed.
        chosen: Index of the candidate to take; None if all failed.
        contrasts: How much worse each other candidate is than the chosen one; None for itself and for failed ones.
        planned: Number of trainings without stopping early.
        searched: Directories of the experiments that the candidates come from.
    """

    benchmark: str
    folder: Path
    metric: str
    maximise: bool
    candidates: Sequence[Contender]
    values: Sequence[Sequence[float]]
    means: Sequence[Interval | None]
    chosen: int | None
    contrasts: Sequence[Contrast | None]
    planned: int
    searched: Sequence[Path]

    @property
    def trained(self) -> int:
        """Number of trainings."""
        return sum(map(len, self.values))

    @property
    def optimism(self) -> float | None:
        """Amount by which the search's value of the chosen candidate was too good; below 0 if it was too bad."""
        if self.chosen is None:
            return None
        searched, mean = self.candidates[self.chosen].search_value, self.means[self.chosen]
        if searched is None or mean is None:
            return None
        return (searched - mean.value) * (1 if self.maximise else -1)

    @property
    def ignores_seeds(self) -> bool:
        """Whether all trainings of each candidate gave the same value, because the program does not use its seed."""
        repeated = [values for values in self.values if len(values) > 1]
        return bool(repeated) and all(len(set(values)) == 1 for values in repeated)


def confirm(place: str | Path, *, top: int = 3, seeds: int = 5) -> list[Confirmation]:
    """Train the best configurations of a search again, each with the same fresh seeds, and compare them.

    Trainings are experiments of their own in outputs/TAG-confirm, run by launcher and backend of the search. The same call
    resumes an interrupted confirmation; one with more seeds continues it. A candidate gets no further seed once it is not
    worth it, and the confirmation ends when a single one is left.

    Args:
        place: Directory of an experiment, or tag of several; each benchmark is confirmed for itself.
        top: Number of configurations of each benchmark; the default configuration is trained besides.
        seeds: Number of trainings of each configuration, at most.

    Raises:
        ConfigError: An argument is wrong, or the search cannot be confirmed.
        ExperimentError: An experiment of the confirmation did not complete.
        StoreError: A directory cannot be read or written.
    """
    if top < 1:
        raise ConfigError(f"--top {top}: use 1 or more")
    if seeds < 2:
        raise ConfigError(f"--seeds {seeds}: use 2 or more; one training cannot show how much trainings vary")
    searches, warnings = find_searches(place, top)
    for warning in warnings:
        log.warning("%s", warning)
    return [_confirm(search, seeds) for search in searches]


def _confirm(search: Search, seeds: int) -> Confirmation:
    tag = f"{search.config.experiment_tag}-confirm"
    folder = OUTPUTS / tag / search.config.benchmark.name / METHOD
    candidates = _stored_candidates(folder, search)
    random_seed, _ = master_seed(OUTPUTS / tag, None)
    values: list[list[float]] = [[] for _ in candidates]
    for seed in range(seeds):
        directory = folder / f"seed_{seed}"
        if (directory / CONFIG).is_file():  # what is trained counts, even if fewer trainings would have done
            config = read_config(directory / CONFIG)
        else:
            losses, sound = _losses(values, search.config)
            left = [sound[index] for index in worthwhile(losses, seeds)] if seed and losses else _sound(values)
            if not left:
                break
            config = _experiment(search.config, tag, seed, random_seed, [candidates[k].configuration for k in left])
            _bring_function(search, directory)
        if not is_complete(directory):
            _run(config, directory)
        for k, value in _results(directory, candidates).items():
            values[k].append(value)
    return _concluded(search, folder, candidates, values, seeds)


def _stored_candidates(folder: Path, search: Search) -> list[Contender]:
    """Return the candidates that a confirmation began with; those of the search if it has not begun."""
    path = folder / CANDIDATES
    try:
        stored = from_json(path.read_text())
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, to_json(search.candidates).encode())
        return list(search.candidates)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}; delete {folder} to start again") from error
    new = {canonical(candidate.configuration) for candidate in search.candidates}
    if new != {canonical(candidate.configuration) for candidate in stored}:
        log.warning(
            "%s: the search has other candidates now (it went on, or --top is another); this continues with the %d that were "
            "chosen first: delete the folder to start again",
            folder,
            len(stored),
        )
    return stored


def _experiment(
    config: ExperimentConfig, tag: str, seed: int, random_seed: int, points: Sequence[Mapping[str, Any]]
) -> ExperimentConfig:
    """Return the configuration of the experiment that trains some configurations with one seed."""
    return replace(
        config,
        **{**_FRESH, "max_num_trials": len(points)},
        benchmark=replace(config.benchmark, **_FRESH, points_to_evaluate=[dict(point) for point in points]),
        method=_METHOD,
        experiment_tag=tag,
        seed=seed,
        random_seed=random_seed,
        paired_training_seeds=True,
        max_cost=None,
        target_value=None,
        stop_when=None,
        scale_max_wallclock_time=False,
        warm_start=[],
        warm_start_sha256=None,
        overwrite=False,
        retry=None,
        max_failures=len(points),
    )


def _bring_function(search: Search, directory: Path) -> None:
    """Copy the source of a notebook's function to an experiment that trains it."""
    if is_own(search.config.benchmark.function):
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(search.directory / OWN, directory / OWN)


def _run(config: ExperimentConfig, directory: Path) -> None:
    code = make_launcher(config).launch(config, directory)
    if code > 128:
        raise SystemExit(code)
    if not is_complete(directory):
        raise ExperimentError(
            f"{directory}: is not complete; give the same command again when it is, after `hpo sync` if it runs elsewhere"
        )


def _results(directory: Path, candidates: Sequence[Contender]) -> dict[int, float]:
    """Return the value of each candidate that an experiment trained, by index: the best that the training reported."""
    runs, _ = load_runs([directory])
    value = runs[0].config.objective.value
    index = {canonical(candidate.configuration): k for k, candidate in enumerate(candidates)}
    trials = [(canonical(trial.trial.configuration), loss) for trial, loss in trained_trials(runs[0])]
    return {index[key]: value(loss) for key, loss in trials if key in index}


def _sound(values: Sequence[Sequence[float]]) -> list[int]:
    """Return the indices of candidates of which no training failed."""
    return [k for k, own in enumerate(values) if all(map(math.isfinite, own))]


def _losses(values: Sequence[Sequence[float]], config: ExperimentConfig) -> tuple[list[list[float]], list[int]]:
    """Return the losses of the candidates that did not fail, and their indices."""
    sound = [k for k in _sound(values) if values[k]]
    return [list(map(config.objective.value, values[k])) for k in sound], sound  # the same change of sign both ways


def _concluded(
    search: Search, folder: Path, candidates: Sequence[Contender], values: list[list[float]], seeds: int
) -> Confirmation:
    config = search.config
    losses, sound = _losses(values, config)
    maximise = config.benchmark.mode == Mode.max
    means: list[Interval | None] = [None] * len(candidates)
    found: list[Contrast | None] = [None] * len(candidates)
    chosen = None
    if losses:
        best = choose(losses)
        chosen = sound[best]
        for position, (k, contrast) in enumerate(zip(sound, contrasts(losses, best), strict=True)):
            interval = mean_of(losses, position)
            means[k] = Interval(-interval.value, -interval.high, -interval.low) if maximise else interval
            found[k] = contrast
    return Confirmation(
        benchmark=config.benchmark.name,
        folder=folder,
        metric=config.benchmark.metric,
        maximise=maximise,
        candidates=candidates,
        values=values,
        means=means,
        chosen=chosen,
        contrasts=found,
        planned=len(candidates) * seeds,
        searched=search.directories,
    )
