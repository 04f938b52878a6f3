"""Does a model help? Anytime regret of methods over all tables of the simulated backend, and over continuous spaces.

    python perf/model_search.py                                    # the figures of the documentation: about an hour
    python perf/model_search.py --methods ASHA,ASHA-GP --workers 4 --seeds 10 --tasks design

The score of an experiment is the mean over log time of normalised regret, from a to b median full-training times per
worker; 0 is the best of the table, 1 its median. Differences are paired by (task, seed); intervals are bootstrapped over
seeds within each task. A third of the tasks is held out: constants were chosen without looking at them.
Scheduler and searcher are the product's; the clock is as in hpo.backends.simulated, without a store behind it.
"""

import argparse
import heapq
import itertools
import json
import math
import multiprocessing
import os
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from search_tasks import ContinuousTask, TableTask, task_of, tasks_of

from hpo import Decision, Start, Trial, build_scheduler
from hpo.analysis.scores import ScoreScale
from hpo.history.trajectories import Trajectory, log_time_mean
from hpo.randomness import Randomness
from hpo.schedulers.base import Scheduler

RANGES = ((0.5, 6.0), (3.0, 12.0))


@dataclass
class Course:
    """What came of a simulated experiment."""

    trajectory: Trajectory
    """Incumbents."""
    deciding: float
    """CPU seconds of the method."""
    trials: list[Trial]
    results: list[tuple[int, int, float]]
    """Trial, resource and loss of each report."""
    times: list[float]
    """Seconds at each report."""


def simulate(
    method: str | Mapping[str, Any],
    task: TableTask | ContinuousTask,
    workers: int,
    seed: int,
    until: float,
    **overrides: Any,
) -> Course:
    """One experiment up to `until` seconds."""
    scheduler = build_scheduler(
        method, task.space, max_resource=task.max_resource, seed=seed, random_seed=1, **overrides
    )
    return follow(scheduler, task, workers, Randomness(1, seed), until)


def follow(
    scheduler: Scheduler,
    task: TableTask | ContinuousTask,
    workers: int,
    randomness: Randomness,
    until: float,
    most: int | None = None,
) -> Course:
    """What comes of a method up to `until` seconds, with at most `most` trials."""
    trials: list[Trial] = []
    curves: list[tuple[list[float], list[float]]] = []
    reached: list[int] = []
    heap: list[tuple[float, int, int, int, float]] = []
    idle = list(range(workers))
    reports: list[tuple[float, float]] = []
    results: list[tuple[int, int, float]] = []
    now, deciding = 0.0, 0.0
    target: dict[int, int] = {}

    def give_work() -> None:
        nonlocal deciding
        while idle:
            begin = time.process_time()
            suggestion = scheduler.suggest(new_trials=most is None or len(trials) < most)
            deciding += time.process_time() - begin
            if suggestion is None:
                return
            if isinstance(suggestion, Start):
                trial = Trial(len(trials), suggestion.configuration)
                trials.append(trial)
                curves.append(task.training(trial.configuration, randomness))
                reached.append(0)
                scheduler.on_start(trial)
            else:
                trial = trials[suggestion.trial_id]
            target[trial.id] = suggestion.until or task.max_resource
            seconds, done = curves[trial.id][1], reached[trial.id]
            began = now - (seconds[done - 1] if done else 0.0)
            heapq.heappush(heap, (began + seconds[done], idle.pop(0), trial.id, done + 1, began))

    give_work()
    while heap:
        now, worker, number, resource, began = heapq.heappop(heap)
        if now > until:
            break
        losses, seconds = curves[number]
        reached[number] = resource
        if scheduler.capabilities.counts_seconds:
            scheduler.on_cost(trials[number], resource, seconds[resource - 1])
        merit, decision = task.tell(scheduler, trials[number], resource, losses[resource - 1])
        reports.append((now, merit))
        results.append((number, resource, losses[resource - 1]))
        if decision == Decision.CONTINUE and resource < target[number]:
            heapq.heappush(heap, (began + seconds[resource], worker, number, resource + 1, began))
            continue
        if decision != Decision.PAUSE and decision != Decision.STOP:
            scheduler.on_complete(trials[number])
        idle.append(worker)
        idle.sort()
        give_work()
    return Course(Trajectory.of(reports), deciding, trials, results, [time for time, _ in reports])


def score(trajectory: Trajectory, task: TableTask | ContinuousTask, span: tuple[float, float]) -> float:
    """Mean normalised regret over log time between two multiples of the median full training."""
    scale = ScoreScale(0, 0, task.best, "", task.median, "")
    edges, losses = trajectory.steps(span[0] * task.full, span[1] * task.full)
    return log_time_mean(edges, scale.regret(losses))


def run_one(job: tuple[str, str, int, int, tuple[tuple[str, Any], ...]]) -> list[float]:
    """Scores in all ranges, CPU milliseconds of suggestions per trial, trials, and CPU seconds of all."""
    method, task_name, workers, seed, overrides = job
    task, begin = task_of(task_name), time.process_time()
    course = simulate(method, task, workers, seed, 12.0 * task.full, **dict(overrides))
    trials = len(course.trials)
    return [
        *(score(course.trajectory, task, span) for span in RANGES),
        1000 * course.deciding / max(trials, 1),
        float(trials),
        time.process_time() - begin,
    ]


def variant_of(text: str) -> tuple[str, str, tuple[tuple[str, Any], ...]]:
    """`ASHA-GP:cost_weight=0:num_candidates=40` as (label, method, overrides)."""
    method, *pairs = text.split(":")
    overrides = tuple((key, json.loads(value)) for key, _, value in (pair.partition("=") for pair in pairs))
    return text, method, overrides


def interval(differences: np.ndarray, rng: np.random.Generator) -> tuple[float, float, float]:
    """Mean and 95 % interval of (tasks, seeds) paired differences, seeds resampled within each task."""
    tasks, seeds = differences.shape
    index = rng.integers(seeds, size=(4000, tasks, seeds))
    means = differences[np.arange(tasks)[None, :, None], index].mean(axis=(1, 2))
    low, high = np.quantile(means, (0.025, 0.975))
    return float(differences.mean()), float(low), float(high)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--methods", default="RS,BO,ASHA,MOBSTER,HYPERTUNE,ASHA-GP")
    parser.add_argument("--against", default="ASHA")
    parser.add_argument("--workers", default="1,4,8")
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--tasks", default="all", help="design, held-out, all, recorded, or names")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--details", action="store_true")
    options = parser.parse_args()
    tasks = tasks_of(options.tasks)
    variants = [variant_of(text) for text in options.methods.split(",")]
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    for name in tasks:
        task_of(name)
    for workers in (int(w) for w in options.workers.split(",")):
        jobs = [
            (method, task, workers, seed, overrides)
            for task, (_, method, overrides), seed in itertools.product(tasks, variants, seeds)
        ]
        with ProcessPoolExecutor(options.processes, mp_context=multiprocessing.get_context("fork")) as pool:
            flat = np.array(list(pool.map(run_one, jobs, chunksize=4)))
        result = flat.reshape(len(tasks), len(variants), len(seeds), -1)
        if options.save:
            place = options.save.with_suffix(f".{workers}.npz")
            np.savez(place, result=result, tasks=tasks, methods=[v[0] for v in variants])
        show(result, tasks, [v[0] for v in variants], options.against, workers, options.details)


def show(result: np.ndarray, tasks: list[str], labels: list[str], against: str, workers: int, details: bool) -> None:
    """Print one table per number of workers."""
    base = labels.index(against) if against in labels else 0
    print(
        f"\n{workers} worker(s), {result.shape[2]} seeds, {len(tasks)} tasks; regret, and difference to {labels[base]}"
    )
    for m, label in enumerate(labels):
        line = f"  {label:44s}"
        for r, (low, high) in enumerate(RANGES):
            mean, start, end = interval(result[:, m, :, r] - result[:, base, :, r], np.random.default_rng(0))
            line += f" [{low:g}, {high:g}]: {result[:, m, :, r].mean():.3f} {mean:+.4f} [{start:+.4f}, {end:+.4f}]"
        print(line + f"  {result[:, m, :, 2].mean():.1f} ms/trial, {result[:, m, :, 3].mean():.0f} trials")
    if details:
        for t, task in enumerate(tasks):
            cells = []
            for m in range(len(labels)):
                if m != base:
                    pair = [(result[t, m, :, r] - result[t, base, :, r]) for r in range(2)]
                    errors = [1.96 * p.std(ddof=1) / math.sqrt(len(p)) if len(p) > 1 else math.nan for p in pair]
                    cells.append(" ".join(f"{p.mean():+.3f}±{e:.3f}" for p, e in zip(pair, errors, strict=True)))
            level = " ".join(f"{result[t, base, :, r].mean():.3f}" for r in range(2))
            print(f"    {task:34s} {level} | {' | '.join(cells)}")


if __name__ == "__main__":
    main()
