"""What methods for several objectives are worth: hypervolume regret on tables whose front is known.

    python perf/objectives.py --seeds 30               # two hours on two cores
    python perf/objectives.py --seeds 5 --tasks fcnet_naval_propulsion:model_size,nasbench201_cifar10:latency

Each task is a table's own metric and a second one. Regret at a time is 1 - H(reports so far) / H(the table's front), where H
is the hypervolume in the box around that front, on logarithms for FC-Net; the score is its mean over log time. Clock, ranges
and intervals are those of model_search.py; a pair is METHOD-BASELINE, and below 0 where the first is ahead. A method that
knows one objective (`--methods ASHA,MO-ASHA --pairs MO-ASHA-ASHA`) gets the mean of both, each scaled by the table's front.
"""

import argparse
import itertools
import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from typing import Any

import model_search
import numpy as np
import search_tasks

from hpo import Decision, Trial, build_scheduler
from hpo.events.fronts import Front, FrontPoint, extend_front
from hpo.events.outcome import ReportOutcome
from hpo.randomness import Randomness, canonical
from hpo.schedulers.base import Scheduler
from hpo.schedulers.construction import MULTI_OBJECTIVE_METHODS
from hpo.surrogate.hypervolume import fit_box, front_of

TASKS = (
    *(
        f"fcnet_{name}:{metric}"
        for name in ("naval_propulsion", "parkinsons_telemonitoring", "protein_structure", "slice_localization")
        for metric in ("train_time", "model_size")
    ),
    *(f"nasbench201_{name}:latency" for name in ("cifar10", "cifar100", "imagenet")),
)


class TableFront(search_tasks.TableTask):
    """A table, and the front of its final values."""

    def __init__(self, name: str) -> None:
        benchmark, self.metric = name.split(":")
        super().__init__(benchmark)
        log = benchmark.startswith("fcnet")
        mode = "max" if self.sign < 0 else "min"
        self.objectives = {
            self.table.about["metric"]: {"mode": mode, "log": log},
            self.metric: {"mode": "min", "log": log},
        }
        finals = np.column_stack(
            [self.sign * self.table.means(self.table.about["metric"]), self.table.means(self.metric)]
        )
        front = finals[front_of(finals)]
        box = fit_box(front, [int(log), int(log)])
        assert box is not None
        self.box, self.all = box, box.share(front)


class FrontTask(search_tasks.Asked):
    """One experiment on a table: what is kept from report to report is the front."""

    def __init__(self, known: TableFront) -> None:
        self._known, self.max_resource = known, known.max_resource
        self._second: dict[str, list[float]] = {}
        self._front: Front = ()
        self._regret = 1.0

    def training(self, configuration: Mapping[str, Any], randomness: Randomness) -> tuple[list[float], list[float]]:
        """Losses and elapsed seconds after each unit of resource."""
        table = self._known.table
        metrics, seconds = table.training(configuration, table.replicate(randomness, configuration))
        self._second[canonical(configuration)] = metrics[self._known.metric]
        return [self._known.sign * value for value in metrics[table.about["metric"]]], seconds

    def tell(self, scheduler: Scheduler, trial: Trial, resource: int, loss: float) -> tuple[float, Decision]:
        """The regret so far, and the scheduler's decision."""
        losses = loss, self._second[canonical(trial.configuration)][resource - 1]
        front = extend_front(self._front, FrontPoint(losses, trial.id, resource, 0.0))
        if front is not self._front:
            self._front = front
            share = self._known.box.share(np.array([point.losses for point in front]))
            self._regret = max(1.0 - share / self._known.all, 0.0)
        if not scheduler.capabilities.objectives:
            return self._regret, scheduler.on_report(
                trial, resource, float(self._known.box.places(np.array(losses)).mean())
            )
        return self._regret, scheduler.on_outcome(trial, resource, ReportOutcome(loss, further=losses[1:]))


@lru_cache(maxsize=64)
def table_of(name: str) -> TableFront:
    return TableFront(name)


def run_one(job: tuple[str, str, int, int, tuple[tuple[str, Any], ...]]) -> list[float]:
    """Mean regret in all ranges, CPU milliseconds per trial, and trials."""
    method, name, workers, seed, overrides = job
    known = table_of(name)
    scheduler = build_scheduler(
        method,
        known.space,
        max_resource=known.max_resource,
        seed=seed,
        random_seed=1,
        objectives=known.objectives if method in MULTI_OBJECTIVE_METHODS else None,
        **dict(overrides),
    )
    until = model_search.RANGES[-1][1] * known.full
    course = model_search.follow(scheduler, FrontTask(known), workers, Randomness(1, seed), until)  # type: ignore[arg-type]
    scores = []
    for low, high in model_search.RANGES:
        edges, regrets = course.trajectory.steps(low * known.full, high * known.full)
        scores.append(model_search.log_time_mean(edges, np.minimum(regrets, 1.0)))
    return [*scores, 1000 * course.deciding / len(course.trials), float(len(course.trials))]


def difference_text(found: np.ndarray, base: np.ndarray) -> str:
    """Of two methods, each of shape (tasks, seeds, ranges)."""
    text = ""
    for r, (low, high) in enumerate(model_search.RANGES):
        mean, start, end = model_search.interval(found[:, :, r] - base[:, :, r], np.random.default_rng(0))
        text += f"  [{low:g}, {high:g}]: {mean:+.4f} [{start:+.4f}, {end:+.4f}]"
    return text


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--methods", default="RS,NSGA-II,MO-BO,MO-ASHA,MO-ASHA-GP")
    parser.add_argument("--pairs", default="MO-ASHA-GP-MO-ASHA,MO-ASHA-RS,NSGA-II-RS,MO-BO-RS")
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    tasks = options.tasks.split(",")
    variants = [model_search.variant_of(text) for text in options.methods.split(",")]
    for name in tasks:
        table_of(name)
    jobs = [
        (method, task, options.workers, options.first_seed + seed, overrides)
        for (_, method, overrides), task, seed in itertools.product(variants, tasks, range(options.seeds))
    ]
    with ProcessPoolExecutor(options.processes, mp_context=multiprocessing.get_context("fork")) as pool:
        flat = np.array(list(pool.map(run_one, jobs, chunksize=2)))
    results = dict(
        zip([v[0] for v in variants], flat.reshape(len(variants), len(tasks), options.seeds, -1), strict=True)
    )
    print(f"{options.workers} workers, {options.seeds} seeds, {len(tasks)} tasks; hypervolume regret")
    for label, found in results.items():
        *regrets, cost, trials = found.mean(axis=(0, 1))
        print(
            f"  {label:34s} {'  '.join(f'{regret:.3f}' for regret in regrets)}  {cost:.1f} ms/trial, {trials:.0f} trials"
        )
    pairs = [
        (one, other)
        for one, other in itertools.permutations(results, 2)
        if f"{one}-{other}" in options.pairs.split(",") or (":" in one and other == one.partition(":")[0])
    ]
    for one, other in pairs:
        print(f"  {one} - {other}:{difference_text(results[one], results[other])}")
        for task, found, base in zip(tasks, results[one], results[other], strict=True):
            print(f"    {task:44s}{difference_text(found[None], base[None])}")


if __name__ == "__main__":
    main()
