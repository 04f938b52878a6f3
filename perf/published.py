"""What papers say of methods, in sign, on the tasks of model_search.py.

    python perf/published.py                        # ten minutes on two cores
    python perf/published.py --seeds 3 --only REA

A claim compares two methods after so many trials, with 4 workers: normalised regret of the best trial, trained to its end;
0 is the best of a task and 1 its median. Differences are paired by (task, seed), intervals bootstrapped over seeds within
each task.
"""

import argparse
import itertools
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import model_search
import numpy as np
import search_tasks

from hpo import build_scheduler
from hpo.analysis.scores import ScoreScale
from hpo.randomness import Randomness

HPOBENCH = tuple(task for task in (*search_tasks.DESIGN, *search_tasks.HELD_OUT) if task.startswith("hpobench"))
NASBENCH = tuple(task for task in (*search_tasks.DESIGN, *search_tasks.HELD_OUT) if task.startswith("nasbench"))
CONTINUOUS = tuple(task for task in (*search_tasks.DESIGN, *search_tasks.HELD_OUT) if task.startswith("continuous"))
CLAIMS = (  # method, against, tasks, trials, what is said
    ("TPE", "RS", HPOBENCH, 20, "not separable"),
    ("TPE", "RS", HPOBENCH, 200, "below 0"),
    ("REA", "RS", NASBENCH, 200, "below 0"),
    ("MEDIAN", "RS", (*HPOBENCH, *NASBENCH), 60, "within .01 of 0, at half to three quarters of the resource"),
    ("PASHA", "ASHA", NASBENCH, 256, "within .01 of 0, at .3 to .5 of the resource"),
    ("CMA-ES", "BO", CONTINUOUS, 100, "above 0"),
    ("CMA-ES", "TPE", CONTINUOUS, 1000, "below 0"),
)
WORKERS = 4


def outcome(job: tuple[str, str, int, int]) -> tuple[float, float]:
    """Regret of the best of the furthest trials once it is trained to its end, and what all took, in complete trainings."""
    method, name, trials, seed = job
    task = search_tasks.task_of(name)
    scheduler = build_scheduler(method, task.space, max_resource=task.max_resource, seed=seed, random_seed=1)
    course = model_search.follow(scheduler, task, WORKERS, Randomness(1, seed), np.inf, trials)
    scale = ScoreScale(0, 0, task.best, "", task.median, "")
    furthest = max(resource for _, resource, _ in course.results)
    _, best = min((loss, trial) for trial, resource, loss in course.results if resource == furthest)
    final = task.training(course.trials[best].configuration, Randomness(1, seed))[0][-1]
    return float(scale.regret(np.array([final]))[0]), len(course.results) / task.max_resource


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", help="a method")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    for method, against, tasks, trials, said in CLAIMS:
        if options.only not in (None, method):
            continue
        for task in tasks:
            search_tasks.task_of(task)
        jobs = [(m, t, trials, s) for t, m, s in itertools.product(tasks, (method, against), range(options.seeds))]
        with ProcessPoolExecutor(options.processes, mp_context=multiprocessing.get_context("fork")) as pool:
            found = np.array(list(pool.map(outcome, jobs))).reshape(len(tasks), 2, options.seeds, 2)
        mean, low, high = model_search.interval(found[:, 0, :, 0] - found[:, 1, :, 0], np.random.default_rng(0))
        ratio = found[:, 0, :, 1].sum() / found[:, 1, :, 1].sum()
        print(
            f"{method} to {against}, {len(tasks)} tasks, {trials} trials: {mean:+.4f} [{low:+.4f}, {high:+.4f}], "
            f"{found[:, 0, :, 0].mean():.4f} and {found[:, 1, :, 0].mean():.4f}, resource x {ratio:.2f}; said: {said}",
            flush=True,
        )


if __name__ == "__main__":
    main()
