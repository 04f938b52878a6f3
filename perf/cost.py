"""What it is worth to name a cost, and to let it count less the less of its budget is left: regret over cost, on tables.

    python perf/cost.py                          # the 15 tables whose trainings have a time, 6 seeds: ten minutes on a core
    python perf/cost.py --seeds 2 --tasks hpobench_car

The cost of a trial is the time that its training took in the table. The score of an experiment is the mean of normalised
regret over the logarithm of what all its trials have cost, from 2 to 24 median full trainings, of which the latter is the
budget; and regret there. Differences to the event clock are paired by (task, seed), as in model_search.py.
"""

import argparse
import contextlib
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
from hpo.analysis.scores import ScoreScale
from hpo.events.trial_costs import Spending
from hpo.history.trajectories import Trajectory, log_time_mean
from hpo.randomness import Randomness, canonical
from hpo.schedulers.base import Scheduler

TASKS = tuple(
    name
    for name in (*search_tasks.DESIGN, *search_tasks.HELD_OUT)
    if name.startswith(("fcnet", "hpobench", "nasbench201"))
)
SPAN = (2.0, 24.0)
VARIANTS = {
    "event clock": (False, {}, False),
    "no cost": (False, {"cost_weight": 0.0}, False),
    "named": (True, {}, False),
    "named, cooling": (True, {}, True),
    "named, weight 1": (True, {"cost_weight": 1.0}, False),
    "named, weight 1, cooling": (True, {"cost_weight": 1.0}, True),
}


class Spent(Exception):
    """The budget is."""


class PaidTask(search_tasks.TableTask):
    """A table whose trainings cost what they take."""

    def begin(self, *, named: bool) -> None:
        """A new experiment."""
        self.named, self.spending = named, Spending()
        self.costs: dict[str, list[float]] = {}
        self.reports: list[tuple[float, float]] = []

    def training(self, configuration: Mapping[str, Any], randomness: Randomness) -> tuple[list[float], list[float]]:
        """As of the table."""
        losses, seconds = super().training(configuration, randomness)
        self.costs[canonical(configuration)] = seconds
        return losses, seconds

    def tell(self, scheduler: Scheduler, trial: Trial, resource: int, loss: float) -> tuple[float, Decision]:
        """Also what it has cost."""
        cost = self.costs[canonical(trial.configuration)][resource - 1]
        self.spending.add(trial.id, cost)
        self.reports.append((self.spending.total, loss))
        if self.spending.total >= SPAN[1] * self.full:
            raise Spent
        if self.named:
            scheduler.on_cost(trial, resource, cost)
        return super().tell(scheduler, trial, resource, loss)


@lru_cache(maxsize=16)
def task_of(name: str) -> PaidTask:
    """Read once."""
    return PaidTask(name)


def run_one(job: tuple[str, str, int, int, str]) -> list[float]:
    """The score, regret at the end, and the number of trials."""
    method, task_name, workers, seed, variant = job
    named, overrides, cooling = VARIANTS[variant]
    task = task_of(task_name)
    task.begin(named=named)
    scheduler = build_scheduler(
        method, task.space, max_resource=task.max_resource, seed=seed, random_seed=1, **overrides
    )
    scheduler.on_budget(max_cost=SPAN[1] * task.full if cooling else None)
    with contextlib.suppress(Spent):
        model_search.follow(scheduler, task, workers, Randomness(1, seed), np.inf)
    scale = ScoreScale(0, 0, task.best, "", task.median, "")
    trajectory = Trajectory.of(task.reports)
    edges, losses = trajectory.steps(SPAN[0] * task.full, SPAN[1] * task.full)
    final = scale.regret(np.array([trajectory.at(SPAN[1] * task.full)]))[0]
    return [log_time_mean(edges, scale.regret(losses)), float(final), float(len(task.costs))]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--method", default="ASHA-GP")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--variants", default=";".join(VARIANTS))
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    tasks, seeds, variants = options.tasks.split(","), range(options.seeds), options.variants.split(";")
    jobs = [(options.method, t, options.workers, seed, v) for t, seed, v in itertools.product(tasks, seeds, variants)]
    with ProcessPoolExecutor(options.processes, mp_context=multiprocessing.get_context("fork")) as pool:
        flat = np.array(list(pool.map(run_one, jobs, chunksize=len(variants))))
    result = flat.reshape(len(tasks), len(seeds), len(variants), -1)
    print(f"{options.method}, {options.workers} worker(s), {len(seeds)} seeds, {len(tasks)} tasks; less {variants[0]}")
    for v, variant in enumerate(variants):
        line = f"  {variant:26s}"
        for number, what in enumerate(("over cost", "at the end")):
            here, base = result[:, :, v, number], result[:, :, 0, number]
            mean, low, high = model_search.interval(here - base, np.random.default_rng(0))
            line += f" {what}: {here.mean():.3f} {mean:+.4f} [{low:+.4f}, {high:+.4f}]"
        print(f"{line}  {result[:, :, v, 2].mean():.0f} trials")


if __name__ == "__main__":
    main()
