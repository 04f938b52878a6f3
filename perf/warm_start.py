"""What a warm start is worth: regret after it, on tables and a continuous space, and what it takes.

    python perf/warm_start.py                          # the nine held-out tasks, 30 seeds: a quarter of an hour on two cores
    python perf/warm_start.py --seeds 5 --tasks nasbench201_imagenet
    python perf/warm_start.py --others --seeds 8       # FC-Net, HPOBench and NAS-Bench-201: from all other tasks of the set

Each experiment starts from one of ASHA with 40 trials on the same task, another random_seed and the same number of workers.
`misleading` turns the losses of that one round, so that its best are its worst. With `--others` it starts from such
experiments on each of the other tasks of its set, and not on its own. Regret is that of the incumbent at multiples of the
median full training per worker; differences to no warm start are paired by (task, seed), as in model_search.py.
"""

import argparse
import itertools
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache

import model_search
import numpy as np
import search_tasks

from hpo import build_scheduler, load_config
from hpo.analysis.scores import ScoreScale
from hpo.config.schema import ExperimentConfig
from hpo.randomness import Randomness
from hpo.schedulers.construction import scheduler_of
from hpo.warm_start.results import EarlierExperiment, EarlierResult, from_lines, to_lines

TIMES = (0.5, 1.0, 2.0, 3.0, 6.0)
STARTS = ("cold", "points", "data", "misleading points", "misleading data")
OF_OTHERS = ("cold", "points", "portfolio", "data", "box")
TRIALS = 40
SETS = ("fcnet", "hpobench", "nasbench201")
TABLES = tuple(name for name in (*search_tasks.DESIGN, *search_tasks.HELD_OUT) if name.startswith(SETS))


@lru_cache(maxsize=32)
def earlier_of(task_name: str, workers: int, seed: int, sign: float) -> EarlierExperiment:
    """What an experiment of ASHA has left; with sign -1 turned round."""
    task = search_tasks.task_of(task_name)
    scheduler = build_scheduler("ASHA", task.space, max_resource=task.max_resource, seed=seed, random_seed=2)
    course = model_search.follow(scheduler, task, workers, Randomness(2, seed), np.inf, TRIALS)
    results = [
        EarlierResult(trial, course.trials[trial].configuration, resource, {"loss": sign * loss})
        for trial, resource, loss in course.results
    ]
    return EarlierExperiment(
        source=task_name,
        experiment=task_name,
        events=len(results),
        metric="loss",
        mode="min",
        resource_attr="epoch",
        max_resource=task.max_resource,
        config_space=task.space,
        constants={},
        results=results,
    )


def config_of(task_name: str, method: str, seed: int, use: str) -> ExperimentConfig:
    """An experiment that starts so."""
    task = search_tasks.task_of(task_name)
    benchmark = {
        "name": "task",
        "table": "none",
        "metric": "loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "epochs",
        "arguments": {"epochs": task.max_resource},
        "config_space": task.space,
    }
    warm = {} if use == "cold" else {"warm_start": [task_name], "warm_start_use": use.split()[-1]}
    return load_config(benchmark, method, seed=seed, random_seed=1, **warm)


def run_one(job: tuple[str, str, int, int, str, bool]) -> list[float]:
    """Regret at each time, and milliseconds that the start took: reading the copy, matching, making the method."""
    task_name, method, workers, seed, use, others = job
    task = search_tasks.task_of(task_name)
    experiments = []
    if use != "cold":
        of_set = [
            other for other in TABLES if other.partition("_")[0] == task_name.partition("_")[0] and other != task_name
        ]
        sign = -1.0 if "misleading" in use else 1.0
        experiments = [earlier_of(name, workers, seed, sign) for name in (of_set if others else [task_name])]
    config, copy = config_of(task_name, method, seed, use), to_lines(experiments)
    begin = time.process_time()
    scheduler = scheduler_of(config, from_lines(copy, model_search.Path("copy")))
    start = 1000 * (time.process_time() - begin)
    until = TIMES[-1] * task.full
    course = model_search.follow(scheduler, task, workers, Randomness(1, seed), until)
    scale = ScoreScale(0, 0, task.best, "", task.median, "")
    return [*scale.regret(np.array([course.trajectory.at(t * task.full) for t in TIMES])), start]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--method", default="ASHA-GP")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument(
        "--others", action="store_true", help="start from the other tasks of the set, and not from its own"
    )
    parser.add_argument("--tasks")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--starts")
    options = parser.parse_args()
    starts = ["cold", *(options.starts or ",".join((OF_OTHERS if options.others else STARTS)[1:])).split(",")]
    tasks = (options.tasks or ",".join(TABLES if options.others else search_tasks.HELD_OUT)).split(",")
    seeds = range(options.seeds)
    for task in tasks:
        search_tasks.task_of(task)
    jobs = [
        (task, options.method, options.workers, seed, use, options.others)
        for task, seed, use in itertools.product(tasks, seeds, starts)
    ]
    with ProcessPoolExecutor(options.processes, mp_context=multiprocessing.get_context("fork")) as pool:
        flat = np.array(list(pool.map(run_one, jobs, chunksize=len(starts))))
    result = flat.reshape(len(tasks), len(seeds), len(starts), -1)
    print(f"{options.method}, {options.workers} workers, {len(seeds)} seeds, {len(tasks)} tasks; regret, and less cold")
    show(result, starts)
    for group in SETS if options.others else ():
        kept = [number for number, task in enumerate(tasks) if task.startswith(group)]
        if kept:
            print(f" {group}")
            show(result[kept], starts)


def show(result: np.ndarray, starts: list[str]) -> None:
    """A line per start. `result`: shape (tasks, seeds, starts, times + 1)."""
    for s, start in enumerate(starts):
        line = f"  {start:18s}"
        for t, moment in enumerate(TIMES):
            here, cold = result[:, :, s, t], result[:, :, 0, t]
            mean, low, high = model_search.interval(here - cold, np.random.default_rng(0))
            line += f" {moment:g}: {here.mean():.3f} {mean:+.4f} [{low:+.4f}, {high:+.4f}]"
        print(f"{line}  start {np.median(result[:, :, s, -1]):.1f} ms")


if __name__ == "__main__":
    main()
