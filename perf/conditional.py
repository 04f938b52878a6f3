"""What conditions are worth: regret on a space with `when`, on the same space flattened, and against random search.

    python perf/conditional.py                        # some minutes on two cores

Of each task there are two spaces with the same trainings: one says with `when` what is used, the other has all always, and
the training ignores what it does not use. `shared` is x = a: (y - t)², else (z - t)², of which t is shared; the others are
random smooth functions of two shared hyperparameters, a gate of three values, and those that each value brings along.
Clock, learning curves, scores and intervals are those of model_search.py; differences are paired by seed.
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
from scipy.special import log_ndtr

TASKS = (
    "shared/faithful/0",
    "shared/typical/0",
    *(f"smooth/{kind}/{n}" for kind in ("faithful", "typical") for n in (0, 1)),
)
SPACES = ("when", "flat")
METHODS = ("RS", "BO", "ASHA", "ASHA-GP", "ASHA-TPE", "MOBSTER", "HYPERTUNE")


def interval_of(gate: str, value: str) -> dict[str, Any]:
    """A hyperparameter that belongs to one value of a gate."""
    return {"type": "float", "lower": 0.0, "upper": 1.0, "when": {gate: value}}


class Smooth(search_tasks.ContinuousTask):
    """Random smooth functions; what is not used has no influence."""

    @staticmethod
    def make_space() -> dict[str, Any]:
        """Seven hyperparameters, of which three to five are used."""
        return {
            "rate": {"type": "float", "lower": 1e-5, "upper": 1.0, "log": True},
            "share": {"type": "float", "lower": 0.0, "upper": 1.0},
            "kind": {"type": "choice", "values": ["p", "q", "r"]},
            "p1": interval_of("kind", "p"),
            "p2": interval_of("kind", "p"),
            "q1": interval_of("kind", "q"),
            "q2": interval_of("kind", "q"),
        }

    def _point(self, configuration: Mapping[str, Any]) -> list[float]:
        names = set(self.parsed.used_names(configuration))
        domains = {name: domain for name, domain in self.parsed.domains.items() if name != "kind"}
        units = [domain.encode(configuration[n]) if n in names else 0.5 for n, domain in domains.items()]
        return [*units, *(float(configuration["kind"] == value) * 0.7 for value in "pqr")]

    @staticmethod
    def _above(wobble: np.ndarray) -> np.ndarray:
        """A training is never better before its end than at its end."""
        return np.asarray(-log_ndtr(-wobble))


class Shared(Smooth):
    """Two branches that have an optimum in common."""

    @staticmethod
    def make_space() -> dict[str, Any]:
        """Four hyperparameters, of which three are used."""
        return {
            "x": {"type": "choice", "values": ["a", "b"]},
            "t": {"type": "float", "lower": 0.0, "upper": 1.0},
            "y": interval_of("x", "a"),
            "z": interval_of("x", "b"),
        }

    def _point(self, configuration: Mapping[str, Any]) -> list[float]:
        return [configuration["t"], configuration["y"] if configuration["x"] == "a" else configuration["z"]]

    def _raw(self, field: tuple[np.ndarray, np.ndarray, np.ndarray], points: np.ndarray) -> np.ndarray:
        if field is not self._fields[0]:
            return super()._raw(field, points)
        return np.asarray((points[:, 1] - points[:, 0]) ** 2 + 0.1 * (points[:, 0] - 0.7) ** 2)


@lru_cache(maxsize=64)
def task_of(name: str, space: str) -> search_tasks.ContinuousTask:
    """The task, with one of its two spaces."""
    task = (Shared if name.startswith("shared/") else Smooth)(name)
    if space == "flat":
        task.space = {
            key: {part: value for part, value in spec.items() if part != "when"} for key, spec in task.space.items()
        }
    return task


def run_one(job: tuple[str, str, str, int, int]) -> list[float]:
    """Scores in all ranges."""
    name, space, method, workers, seed = job
    task = task_of(name, space)
    trajectory = model_search.simulate(method, task, workers, seed, 12.0 * task.full).trajectory
    return [model_search.score(trajectory, task, span) for span in model_search.RANGES]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    methods, tasks = options.methods.split(","), options.tasks.split(",")
    jobs = list(itertools.product(tasks, SPACES, methods, [options.workers], range(options.seeds)))
    with ProcessPoolExecutor(options.processes, mp_context=multiprocessing.get_context("fork")) as pool:
        flat = np.array(list(pool.map(run_one, jobs, chunksize=4)))
    result = flat.reshape(len(tasks), len(SPACES), len(methods), options.seeds, -1)
    print(f"{options.workers} workers, {options.seeds} seeds, {len(tasks)} tasks: regret, and paired differences")
    for m, method in enumerate(methods):
        for title, base in (("its flattened space", result[:, 1, m]), (methods[0], result[:, 0, 0])):
            line = f"  {method:10s} with `when`, to {title:20s}"
            for r, (low, high) in enumerate(model_search.RANGES):
                own = result[:, 0, m, :, r]
                mean, start, end = model_search.interval(own - base[..., r], np.random.default_rng(0))
                line += f" [{low:g}, {high:g}]: {own.mean():.3f} {mean:+.4f} [{start:+.4f}, {end:+.4f}]"
            print(line)


if __name__ == "__main__":
    main()
