"""What priors are worth: regret with a good one and with a bad one, and what a proposal takes longer.

    python perf/priors.py                              # the nine held-out tasks, 10 seeds: half an hour on two cores

A good prior has a configuration of the best tenth of a task as the `default` of every hyperparameter, a bad one of the worst,
another for each seed, with confidence high. Regret is that of the incumbent at multiples of the median full training per
worker; differences are to ASHA without priors, paired by (task, seed), as in model_search.py.
"""

import argparse
import itertools
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from typing import Any

import model_search
import numpy as np
import search_tasks

from hpo import build_scheduler
from hpo.analysis.scores import ScoreScale
from hpo.randomness import Randomness
from hpo.space.search_space import parse_space

TIMES = (0.5, 1.0, 3.0, 6.0)
VARIANTS = ("ASHA", "ASHA-GP", *(f"{m} {kind}" for m in ("ASHA", "ASHA-GP", "PRIORBAND") for kind in ("good", "bad")))
SAMPLE = 200


@lru_cache(maxsize=16)
def ranked(task_name: str) -> list[dict[str, Any]]:
    """Configurations of a task, from the best to the worst at the end."""
    task = search_tasks.task_of(task_name)
    space, rng = parse_space(task.space), np.random.default_rng(0)
    drawn = [space.sample(rng) for _ in range(SAMPLE)]
    return sorted(drawn, key=lambda one: task.training(one, Randomness(3, 0))[0][-1])


def space_of(task_name: str, kind: str, seed: int) -> dict[str, Any]:
    """The task's space, with a prior."""
    tenth = SAMPLE // 10
    order = ranked(task_name)[:tenth] if kind == "good" else ranked(task_name)[-tenth:]
    centre = order[seed % tenth]
    space = search_tasks.task_of(task_name).space
    return {name: {**spec, "default": centre[name], "confidence": "high"} for name, spec in space.items()}


def run_one(job: tuple[str, str, int, int]) -> list[float]:
    """Regret at each time, and CPU milliseconds of the method per trial."""
    task_name, variant, workers, seed = job
    task = search_tasks.task_of(task_name)
    method, _, kind = variant.partition(" ")
    space = space_of(task_name, kind, seed) if kind else task.space
    scheduler = build_scheduler(method, space, max_resource=task.max_resource, seed=seed, random_seed=1)
    course = model_search.follow(scheduler, task, workers, Randomness(1, seed), TIMES[-1] * task.full)
    scale = ScoreScale(0, 0, task.best, "", task.median, "")
    regrets = scale.regret(np.array([course.trajectory.at(t * task.full) for t in TIMES]))
    return [*regrets, 1000 * course.deciding / max(len(course.trials), 1)]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--tasks", default=",".join(search_tasks.HELD_OUT))
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    tasks, seeds, variants = options.tasks.split(","), range(options.seeds), options.variants.split(",")
    for task in tasks:
        search_tasks.task_of(task)
        ranked(task)
    began = time.monotonic()
    jobs = [(task, variant, options.workers, seed) for task, seed, variant in itertools.product(tasks, seeds, variants)]
    with ProcessPoolExecutor(options.processes, mp_context=multiprocessing.get_context("fork")) as pool:
        flat = np.array(list(pool.map(run_one, jobs, chunksize=len(variants))))
    result = flat.reshape(len(tasks), len(seeds), len(variants), -1)
    print(
        f"{options.workers} workers, {len(seeds)} seeds, {len(tasks)} tasks, {time.monotonic() - began:.0f} s; regret, and"
    )
    print(f"difference to {variants[0]}")
    for v, variant in enumerate(variants):
        line = f"  {variant:16s}"
        for t, moment in enumerate(TIMES):
            here, base = result[:, :, v, t], result[:, :, 0, t]
            mean, low, high = model_search.interval(here - base, np.random.default_rng(0))
            line += f" {moment:g}: {here.mean():.3f} {mean:+.4f} [{low:+.4f}, {high:+.4f}]"
        print(f"{line}  {result[:, :, v, -1].mean():.2f} ms/trial")


if __name__ == "__main__":
    main()
