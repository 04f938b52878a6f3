"""The expected number of trials at each resource, from a simulation of the method's own scheduler over a virtual clock.

Losses come from the benchmark's table if it has one. Otherwise they are random, and a configuration has the same loss
at every resource, which is right if early results predict late ones. The searcher is random search, because no searcher
does better on random losses. The values are means over a few repetitions with fixed seeds, the same in every call.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from hpo.config.budgets import longest_seconds
from hpo.config.choices import WarmStartUse
from hpo.config.schema import ExperimentConfig
from hpo.events.outcome import ReportOutcome
from hpo.events.types import Configuration, Decision, Start, Status, Trial
from hpo.randomness import Randomness
from hpo.schedulers.construction import RANDOM, scheduler_of, with_random_search
from hpo.schedulers.replay import tell_end

REPETITIONS = 10
MOST_REPORTS = 20_000
"""Largest number of simulated reports per repetition; values of a simulation cut there are reported as `at least`."""
ASSUMED_TRIALS = 100
"""Number of trials assumed if neither their number nor their cost is known."""


@dataclass(frozen=True)
class TrainingCourse:
    """The course of one training: seconds and losses after each unit of resource."""

    seconds: Sequence[float]
    losses: Sequence[float] | None = None
    """Loss after each unit of resource; None: random."""
    further: Sequence[tuple[float, ...]] = ()
    """Losses of the objectives after the first; random if they are not given."""


Trainings = Callable[[Randomness, Configuration], TrainingCourse]


@dataclass(frozen=True)
class Expectation:
    """The expected course of an experiment, as means over simulated repetitions."""

    trials: float
    """Number of trials that start."""
    reached: dict[int, float]
    """Number of trials that reach each rung and the maximum resource, by resource."""
    elapsed: float | None
    """Seconds until the experiment ends; None if the cost of trials is unknown."""
    assumed_trials: int | None = None
    """Number of trials that was assumed because nothing limits it; None if nothing was assumed."""
    cut: bool = False
    """Whether a simulation reached its limit of reports before its end, so that the real experiment has more trials."""


@dataclass
class _Run:
    """The counts of one simulated repetition."""

    reached: dict[int, int]
    trials: int = 0
    elapsed: float = 0.0
    reports: int = 0
    cut: bool = False


def simulate_method(
    config: ExperimentConfig, trainings: Trainings | None, workers: int, *, restart: float = 0.0
) -> Expectation:
    """Simulate the method of a resolved experiment.

    Args:
        config: Experiment with its budgets and its method.
        trainings: Function that returns the course of a training; None if costs are unknown, and a limit in time is
            ignored.
        workers: Number of trials that run at a time.
        restart: Seconds that a resumed trial takes to start again.

    Raises:
        ConfigError: The method does not fit the benchmark.
    """
    most, assumed = config.max_num_trials, None
    endless = not config.copies_checkpoints  # population-based training ends by itself
    if trainings is None and most is None and config.max_num_evaluations is None and endless:
        most = assumed = ASSUMED_TRIALS
    runs: list[_Run] = []
    while len(runs) < REPETITIONS and sum(run.reports for run in runs) < MOST_REPORTS:
        runs.append(_simulate(config, trainings, workers, most, restart, len(runs)))
    return Expectation(
        trials=fmean(run.trials for run in runs),
        reached={level: fmean(run.reached[level] for run in runs) for level in runs[0].reached},
        elapsed=None if trainings is None else fmean(run.elapsed for run in runs),
        assumed_trials=assumed,
        cut=any(run.cut for run in runs),
    )


def _simulate(
    config: ExperimentConfig,
    trainings: Trainings | None,
    workers: int,
    most: int | None,
    restart: float,
    repetition: int,
) -> _Run:
    randomness = Randomness(repetition, config.seed)
    scheduler = scheduler_of(replace(_random(config), random_seed=repetition))
    maximum = config.max_resource or 1
    rungs = [level for level in scheduler.levels if level < maximum]
    # Nothing is decided between rungs: trials skip to the next rung unless any report can end the experiment.
    every_report = config.max_num_evaluations is not None or config.target_value is not None
    stops = list(range(1, maximum + 1)) if every_report else [*rungs, maximum]
    by_resource = TrainingCourse(range(1, maximum + 1))  # used if costs are unknown
    run = _Run(dict.fromkeys([*rungs, maximum], 0))
    trials: list[tuple[Trial, TrainingCourse]] = []
    at: list[int] = []  # the resource each trial has reached
    agenda: list[tuple[float, int, int, int]] = []  # (time, trial, resource, until)

    copies = 0

    def go_on(now: float, trial_id: int, until: int) -> None:
        resource = min(next(stop for stop in stops if stop > at[trial_id]), until)
        seconds = trials[trial_id][1].seconds
        spent = seconds[resource - 1] - (seconds[at[trial_id] - 1] if at[trial_id] else 0.0)
        heapq.heappush(agenda, (now + spent, trial_id, resource, until))

    def fill(now: float) -> None:
        nonlocal copies
        while len(agenda) < workers:
            suggestion = scheduler.suggest(new_trials=most is None or len(trials) - copies < most)
            if suggestion is None:
                return
            if isinstance(suggestion, Start):
                trial = Trial(len(trials), suggestion.configuration, suggestion.source)
                copies += suggestion.source is not None
                scheduler.on_start(trial)
                course = trainings(randomness, trial.configuration) if trainings is not None else by_resource
                trials.append((trial, course))
                at.append(suggestion.source_resource or 0)
                go_on(now, trial.id, suggestion.until or maximum)
            else:
                go_on(now + restart, suggestion.trial_id, suggestion.until or maximum)

    fill(0.0)
    limit = longest_seconds(config.budget, devices=config.devices) if trainings is not None else None
    objective, target = config.objective, config.target_value
    while agenda:
        if run.reports >= MOST_REPORTS:
            run.cut = True
            break
        now, trial_id, resource, until = heapq.heappop(agenda)
        if limit is not None and now >= limit:
            run.elapsed = limit
            break
        run.elapsed, at[trial_id] = now, resource
        run.reports += 1
        if resource in run.reached:
            run.reached[resource] += 1
        trial, losses = trials[trial_id][0], trials[trial_id][1].losses
        rng = randomness.stream("plan", trial_id)
        loss = losses[resource - 1] if losses is not None else float(rng.random())
        if scheduler.capabilities.counts_seconds:
            scheduler.on_cost(trial, resource, float(trials[trial_id][1].seconds[resource - 1]))
        if objective.aims:
            known = trials[trial_id][1].further
            further = known[resource - 1] if known else tuple(rng.random(len(objective.aims) - 1).tolist())
            decision = scheduler.on_outcome(trial, resource, ReportOutcome(loss, further=further))
        else:
            decision = scheduler.on_report(trial, resource, loss)
        if config.max_num_evaluations is not None and run.reports >= config.max_num_evaluations:
            break
        if losses is not None and target is not None and objective.reaches(objective.value(loss), target):
            break
        if decision == Decision.CONTINUE and resource < until:
            go_on(now, trial_id, until)
        elif decision == Decision.PAUSE:
            tell_end(scheduler, trial, Status.PAUSED)
        else:
            tell_end(scheduler, trial, Status.COMPLETED if resource >= maximum else Status.STOPPED)
        fill(now)
    run.trials = len(trials)
    return run


_CHEAP = (RANDOM["_target_"], "hpo.searchers.SobolSearcher", "hpo.searchers.GridSearcher")


def _random(config: ExperimentConfig) -> ExperimentConfig:
    """Return the experiment with random search if its own searcher would be slow, and without earlier results."""
    method, config = config.method, replace(config, warm_start=[], warm_start_use=WarmStartUse.points)
    if method.searcher.get("_target_") in _CHEAP or not str(method.scheduler.get("_target_")).startswith("hpo."):
        return config
    return with_random_search(config)
