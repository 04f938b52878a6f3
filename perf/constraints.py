"""What a model of the constraints is worth: feasible regret where a part of the table meets them, and where all of it does.

    python perf/constraints.py --seeds 10              # some minutes on two cores

Of each table with a second metric there is a task whose bound `--share` of the configurations meet; in the other the bound is
one that all meet, and the same method without any is run beside it. A result that is beyond the bound counts for nothing;
0 is the best configuration that does, 1 the median of those. Clock, scores and intervals are those of model_search.py.
"""

import argparse
import itertools
import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from typing import Any

import model_search
import numpy as np
import search_tasks

from hpo import Decision, Trial
from hpo.events.outcome import Constraint, ReportOutcome
from hpo.randomness import Randomness, canonical
from hpo.schedulers.base import Scheduler

TASKS = (
    *(
        f"nasbench201_{name}:{metric}"
        for name in ("cifar10", "cifar100", "imagenet")
        for metric in ("latency", "model_size")
    ),
    *(f"fcnet_{name}:model_size" for name in ("protein_structure", "slice_localization")),
)


class ConstrainedTask(search_tasks.TableTask):
    """A table with an upper bound on its second metric."""

    def __init__(self, name: str, share: float) -> None:
        benchmark, metric = name.split(":")
        super().__init__(benchmark)
        values = self.table.means(metric)
        self.constraint = Constraint(metric, float(np.quantile(values, share)))
        met = values <= self.constraint.bound
        final = self.sign * self.table.means(self.table.about["metric"])
        self.best, self.median = float(np.nanmin(final[met])), float(np.nanmedian(final[met]))
        self._values: dict[str, list[float]] = {}

    def training(self, configuration: Mapping[str, Any], randomness: Randomness) -> tuple[list[float], list[float]]:
        """Also keeps what has the bound."""
        metrics, _ = self.table.training(configuration, self.table.replicate(randomness, configuration))
        self._values[canonical(configuration)] = metrics[self.constraint.metric]
        return super().training(configuration, randomness)

    def tell(self, scheduler: Scheduler, trial: Trial, resource: int, loss: float) -> tuple[float, Decision]:
        """With the constraint."""
        excess = self.constraint.excess(self._values[canonical(trial.configuration)][resource - 1])
        outcome = ReportOutcome(loss, max(excess, 0.0), True, (excess,))
        return outcome.merit, scheduler.on_outcome(trial, resource, outcome)


@lru_cache(maxsize=64)
def task_of(name: str, share: float | None) -> search_tasks.TableTask:
    """Share: which configurations meet the bound; None: there is none."""
    return search_tasks.TableTask(name.split(":")[0]) if share is None else ConstrainedTask(name, share)


def run_one(job: tuple[str, str, float | None, int, int]) -> list[float]:
    """Scores in all ranges."""
    method, name, share, workers, seed = job
    task = task_of(name, share)
    most = model_search.RANGES[-1][1] * task.full
    trajectory = model_search.simulate(method, task, workers, seed, most).trajectory
    return [model_search.score(trajectory, task, span) for span in model_search.RANGES]


def show(label: str, found: np.ndarray, base: np.ndarray) -> None:
    """Regret of (tasks, seeds, ranges), and its difference to `base`."""
    line = f"  {label:34s}"
    for r, (low, high) in enumerate(model_search.RANGES):
        mean, start, end = model_search.interval(found[:, :, r] - base[:, :, r], np.random.default_rng(0))
        line += f" [{low:g}, {high:g}]: {found[:, :, r].mean():.3f} {mean:+.4f} [{start:+.4f}, {end:+.4f}]"
    print(line, flush=True)


def measure(variants: Sequence[tuple[str, float | None]], options: argparse.Namespace) -> np.ndarray:
    """Scores, shape (variants, tasks, seeds, ranges)."""
    for name, share in itertools.product(TASKS, {share for _, share in variants}):
        task_of(name, share)
    jobs = [
        (method, name, share, options.workers, seed)
        for (method, share), name, seed in itertools.product(variants, TASKS, range(options.seeds))
    ]
    with ProcessPoolExecutor(options.processes, mp_context=multiprocessing.get_context("fork")) as pool:
        flat = np.array(list(pool.map(run_one, jobs)))
    return flat.reshape(len(variants), len(TASKS), options.seeds, -1)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--methods", default="ASHA,ASHA-GP,MOBSTER,RS", help="differences are to the first")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--share", type=float, default=0.2)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    methods = options.methods.split(",")
    what = f"{options.workers} workers, {options.seeds} seeds, {len(TASKS)} tasks"
    found = measure([(method, options.share) for method in methods], options)
    print(f"{what}; {options.share:.0%} meet the bound; against {methods[0]}")
    for method, scores in zip(methods, found, strict=True):
        show(method, scores, found[0])
    bound, free = measure([("ASHA-GP", 1.0), ("ASHA-GP", None)], options)
    print(f"{what}; all meet the bound; against the same without one")
    show("ASHA-GP", bound, free)


if __name__ == "__main__":
    main()
