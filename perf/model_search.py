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
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from hpo import Decision, Start, Trial, build_scheduler, load_config
from hpo.analysis.scores import ScoreScale
from hpo.events.outcome import ReportOutcome
from hpo.history.trajectories import Trajectory, log_time_mean
from hpo.randomness import Randomness
from hpo.schedulers.base import Scheduler
from hpo.space.search_space import parse_space
from hpo.tables.find import find_table
from hpo.tables.generated import stated_correlation

RANGES = ((0.5, 6.0), (3.0, 12.0))

DESIGN = (
    *("fcnet_naval_propulsion", "fcnet_parkinsons_telemonitoring", "fcnet_protein_structure"),
    *("nasbench201_cifar10", "nasbench201_cifar100"),
    *("hpobench_australian", "hpobench_blood_transfusion", "hpobench_car", "hpobench_kc1", "hpobench_phoneme"),
    *("generated/faithful/0", "generated/typical/0", "generated/misleading/0", "mlp_digits_grid"),
    *("continuous/typical/0", "continuous/typical/1"),
)
HELD_OUT = (
    *("fcnet_slice_localization", "nasbench201_imagenet"),
    *("hpobench_credit_g", "hpobench_segment", "hpobench_vehicle"),
    *("generated/faithful/7", "generated/typical/7", "generated/misleading/7"),
    "continuous/typical/7",
)


class Asked:
    """What is asked of a result: here its loss alone."""

    def tell(
        self, scheduler: Scheduler, trial: Trial, resource: int, loss: float, seconds: float
    ) -> tuple[float, Decision]:
        """The loss that counts for the best so far, and the scheduler's decision."""
        if scheduler.takes_seconds:
            return loss, scheduler.on_outcome(trial, resource, ReportOutcome(loss, seconds=seconds))
        return loss, scheduler.on_report(trial, resource, loss)


class TableTask(Asked):
    """A table as the simulated backend would use it."""

    def __init__(self, name: str) -> None:
        if name.startswith("generated/"):
            self.table = find_table(name)
        else:
            config = load_config(name, "RS", seed=0, random_seed=0)
            self.table = find_table(str(config.benchmark.table))
        self.space = self.table.about["config_space"]
        self.max_resource = self.table.max_resource
        self.sign = -1.0 if self.table.about["mode"] == "max" else 1.0
        final = self.sign * self.table.metrics[self.table.about["metric"]][:, :, -1].mean(axis=1)
        self.best, self.median = float(np.nanmin(final)), float(np.nanmedian(final))
        self.full = float(np.median(self.table.seconds[:, :, -1]))

    def training(self, configuration: Mapping[str, Any], randomness: Randomness) -> tuple[list[float], list[float]]:
        """Losses and elapsed seconds after each unit of resource."""
        metrics, seconds = self.table.training(configuration, self.table.replicate(randomness, configuration))
        values = metrics[self.table.about["metric"]]
        return ([-v for v in values] if self.sign < 0 else values), seconds


class ContinuousTask(Asked):
    """As hpo.tables.generated, but over a space of floats, integers and a choice."""

    def __init__(self, name: str) -> None:
        _, self.family, number = name.split("/")
        rng = Randomness(0, int(number)).stream("continuous")
        self.space = self.make_space()
        self.max_resource = 27
        self.parsed = parse_space(self.space)
        self._fields = [self._field(rng) for _ in range(3)]
        sample = [self.parsed.sample(rng) for _ in range(20000)]
        points = np.array([self._point(c) for c in sample])
        raw = np.array([self._raw(field, points) for field in self._fields])
        self._centre, self._spread = raw.mean(axis=1), raw.std(axis=1)
        final = np.exp(0.5 * (raw[0] - self._centre[0]) / self._spread[0])
        self.best, self.median, self.full = float(final.min()), float(np.median(final)), 27.0
        resources = np.arange(1.0, 28.0)
        end = 27**-0.5
        self._gap = 3.0 * (resources**-0.5 - end) / (1 - end)
        rho = np.array([stated_correlation(self.family, int(r)) for r in resources[:-1]])
        self._strength = np.append(np.sqrt(1 - rho**2) / rho, 0.0)

    @staticmethod
    def make_space() -> dict[str, Any]:
        """As in a benchmark's YAML."""
        return {
            "a": {"type": "float", "lower": 1e-5, "upper": 1.0, "log": True},
            "b": {"type": "float", "lower": 0.0, "upper": 1.0},
            "c": {"type": "float", "lower": 0.0, "upper": 1.0},
            "d": {"type": "int", "lower": 4, "upper": 1024, "log": True},
            "e": {"type": "choice", "values": ["p", "q", "r"]},
        }

    def _field(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        width = len(self._point(self.parsed.default))
        return rng.normal(size=(width, 64)) * 2.5 / math.sqrt(5), rng.uniform(0, 2 * math.pi, 64), rng.normal(size=64)

    def _point(self, configuration: Mapping[str, Any]) -> list[float]:
        units = [self.parsed.domains[n].encode(configuration[n]) for n in "abcd"]
        return [*units, *(float(configuration["e"] == v) * 0.7 for v in "pqr")]

    @staticmethod
    def _raw(field: tuple[np.ndarray, np.ndarray, np.ndarray], points: np.ndarray) -> np.ndarray:
        return np.cos(points @ field[0] + field[1]) @ field[2]

    @staticmethod
    def _above(wobble: np.ndarray) -> np.ndarray:
        return wobble

    def training(self, configuration: Mapping[str, Any], randomness: Randomness) -> tuple[list[float], list[float]]:
        point = np.array([self._point(configuration)])
        y, region, pace = (
            (float(self._raw(f, point)[0]) - c) / s
            for f, c, s in zip(self._fields, self._centre, self._spread, strict=True)
        )
        noise = np.random.default_rng(randomness.training_seed(configuration)).standard_normal(27)
        losses = np.exp(0.5 * (y + self._gap + self._strength * self._above(0.7 * region + 0.714 * noise)))
        return losses.tolist(), (math.exp(0.7 * pace) * np.arange(1.0, 28.0)).tolist()


@lru_cache(maxsize=64)
def task_of(name: str) -> TableTask | ContinuousTask:
    return ContinuousTask(name) if name.startswith("continuous/") else TableTask(name)


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
        merit, decision = task.tell(scheduler, trials[number], resource, losses[resource - 1], seconds[resource - 1])
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
    return Course(Trajectory.of(reports), deciding, trials, results)


def score(trajectory: Trajectory, task: TableTask | ContinuousTask, span: tuple[float, float]) -> float:
    """Mean normalised regret over log time between two multiples of the median full training."""
    scale = ScoreScale(0, 0, task.best, "", task.median, "")
    edges, losses = trajectory.steps(span[0] * task.full, span[1] * task.full)
    return log_time_mean(edges, scale.regret(losses))


def run_one(job: tuple[str, str, int, int, tuple[tuple[str, Any], ...]]) -> list[float]:
    """Scores in all ranges, then CPU milliseconds per suggestion."""
    method, task_name, workers, seed, overrides = job
    task = task_of(task_name)
    course = simulate(method, task, workers, seed, 12.0 * task.full, **dict(overrides))
    trials = len(course.trials)
    return [
        *(score(course.trajectory, task, span) for span in RANGES),
        1000 * course.deciding / max(trials, 1),
        float(trials),
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
    parser.add_argument("--tasks", default="all", help="design, held-out, all, or names")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--details", action="store_true")
    options = parser.parse_args()
    named = {"design": DESIGN, "held-out": HELD_OUT, "all": DESIGN + HELD_OUT}
    tasks: Sequence[str] = named.get(options.tasks) or options.tasks.split(",")
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
        show(result, list(tasks), [v[0] for v in variants], options.against, workers, options.details)


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
