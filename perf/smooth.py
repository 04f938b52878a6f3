"""How precisely is the minimum of a smooth function found? BO beside Optuna's and BoTorch's Gaussian processes.

    python perf/smooth.py                               # 10 functions, 5 seeds, without noise: half an hour
    python perf/smooth.py --noise .1 --methods BO,optuna --functions branin,hartmann6 --seeds 20
    python perf/smooth.py --kept smooth.jsonl --seeds 20 --noise 0,.01,.1   # what is kept there is not computed again

One evaluation after the other, on the unit cube; median regret, noise-free, of the best that was evaluated, after 25, 50 and
100 evaluations. Noise is normal, in units of the standard deviation of the function over the cube. The first evaluation is
the centre for BO and BOTORCH; Optuna's sampler is asked as it comes. The ratio is that of BO's median to the smaller one of
the others, 1e-6 taken off.
"""

import argparse
import contextlib
import importlib.metadata
import io
import itertools
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from kept_results import Cell, Kept, Result, mark_of_method

from hpo import Start, Trial, build_scheduler

UNIT = {"type": "float", "lower": 0.0, "upper": 1.0}
BUDGETS = (25, 50, 100)
Floats = np.ndarray[Any, np.dtype[np.float64]]


def branin(x: Floats) -> float:
    a, b = 15 * x[0] - 5, 15 * x[1]
    curve = (b - 5.1 / (4 * math.pi**2) * a * a + 5 / math.pi * a - 6) ** 2
    return float(curve + 10 * (1 - 1 / (8 * math.pi)) * math.cos(a) + 10 - 0.39788735772973816)


def quadratic(x: Floats) -> float:
    return float(np.square(x - np.linspace(0.3, 0.7, len(x))).sum())


HEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
WIDTHS = {
    3: [[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]],
    6: [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]],
}
CENTRES = {
    3: [[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]],
    6: [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ],
}


def hartmann(x: Floats) -> float:
    least = {3: 3.86277978734, 6: 3.32236801141551}[len(x)]
    away = np.square(x - 1e-4 * np.array(CENTRES[len(x)]))
    return least - float(HEIGHTS @ np.exp(-(np.array(WIDTHS[len(x)]) * away).sum(axis=1)))


def ackley(x: Floats) -> float:
    """Its minimum is not in the centre, where BO begins."""
    y = 65.536 * (x - 0.5) - 7.3
    root = math.sqrt(float(np.square(y).mean()))
    return float(20 + math.e - 20 * math.exp(-0.2 * root) - math.exp(np.cos(2 * math.pi * y).mean()))


def rosenbrock(x: Floats) -> float:
    y = 4 * x - 2
    return float((100 * (y[1:] - y[:-1] ** 2) ** 2 + (1 - y[:-1]) ** 2).sum())


def levy(x: Floats) -> float:
    w = 1 + (20 * x - 11) / 4
    middle = (np.square(w[:-1] - 1) * (1 + 10 * np.sin(math.pi * w[:-1] + 1) ** 2)).sum()
    end = (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2)
    return float(math.sin(math.pi * w[0]) ** 2 + middle + end)


def mixed(x: Floats, n: int, c: str) -> float:
    """The place of the minimum depends on the choice, its depth on both."""
    centre = {"p": 0.2, "q": 0.5, "r": 0.8}[c]
    depth = {"p": 0.3, "q": 0.0, "r": 0.1}[c]
    return float(np.square(x - centre).sum() + depth + 0.02 * (n - 5) ** 2)


def counted(x: Floats, n: int, m: int) -> float:
    return branin(x) / 100 + 0.01 * (n - 3) ** 2 + 0.05 * (m - 7) ** 2


FUNCTIONS: Mapping[str, tuple[Callable[..., float], int, Mapping[str, Any]]] = {
    "branin": (branin, 2, {}),
    "quadratic2": (quadratic, 2, {}),
    "quadratic10": (quadratic, 10, {}),
    "hartmann3": (hartmann, 3, {}),
    "hartmann6": (hartmann, 6, {}),
    "ackley5": (ackley, 5, {}),
    "rosenbrock4": (rosenbrock, 4, {}),
    "levy10": (levy, 10, {}),
    "mixed": (
        mixed,
        3,
        {"n": {"type": "int", "lower": 1, "upper": 12}, "c": {"type": "choice", "values": ["p", "q", "r"]}},
    ),
    "counted": (
        counted,
        2,
        {"n": {"type": "int", "lower": 1, "upper": 8}, "m": {"type": "int", "lower": 1, "upper": 16}},
    ),
}
"""Name: function, continuous dimensions, further hyperparameters."""


def of_hpo(method: str, space: Mapping[str, Any], seed: int) -> Iterator[Any]:
    """Configurations of a method, each to be answered by its loss."""
    scheduler = build_scheduler(method, space, max_resource=1, seed=seed)
    for number in itertools.count():
        start = scheduler.suggest()
        assert isinstance(start, Start)
        trial = Trial(number, start.configuration)
        scheduler.on_start(trial)
        loss = yield start.configuration
        scheduler.on_report(trial, 1, loss)
        scheduler.on_complete(trial)


def of_optuna(space: Mapping[str, Any], seed: int) -> Iterator[Any]:
    """Configurations of Optuna's Gaussian process, each to be answered by its loss."""
    import warnings

    import optuna
    import torch

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.GPSampler(seed=seed))
    while True:
        trial = study.ask()
        configuration = {
            name: trial.suggest_categorical(name, spec["values"])
            if spec["type"] == "choice"
            else (trial.suggest_int if spec["type"] == "int" else trial.suggest_float)(
                name, spec["lower"], spec["upper"]
            )
            for name, spec in space.items()
        }
        loss = yield configuration
        study.tell(trial, loss)


def regrets(method: str, name: str, seed: int, noise: float, most: int) -> Floats:
    """After each evaluation."""
    function, dimension, more = FUNCTIONS[name]
    space = {**{f"x{number}": UNIT for number in range(dimension)}, **more}
    rng = np.random.default_rng(seed)
    asking = of_optuna(space, seed) if method == "optuna" else of_hpo(method, space, seed)
    best, seen = math.inf, []
    configuration = next(asking)
    for _ in range(most):
        x = np.array([configuration[f"x{number}"] for number in range(dimension)])
        value = function(x, **{key: configuration[key] for key in more})
        best = min(best, value)
        seen.append(best)
        configuration = asking.send(value + noise * float(rng.standard_normal()))  # type: ignore[attr-defined]
    return np.array(seen)


def spread_of(name: str) -> float:
    """The standard deviation over the space."""
    function, dimension, more = FUNCTIONS[name]
    rng = np.random.default_rng(0)

    def one(spec: Mapping[str, Any]) -> Any:
        if spec["type"] == "choice":
            return spec["values"][rng.integers(len(spec["values"]))]
        return int(rng.integers(spec["lower"], spec["upper"] + 1))

    return float(np.std([function(rng.random(dimension), **{k: one(s) for k, s in more.items()}) for _ in range(4000)]))


def mark_of(method: str) -> str:
    """Another one once it is another method."""
    if method == "optuna":
        return importlib.metadata.version("optuna")
    more = importlib.metadata.version("botorch") if method == "BOTORCH" else ""
    return mark_of_method(method) + more


def run(kept: Kept, method: str, name: str, noise: float, seed: int, evaluations: int) -> Result:
    """What came of a run, which is made if it is not kept."""
    cell = Cell(method, task_of(name, noise, evaluations), 1, seed)
    if cell not in kept:
        begin = time.process_time()
        found = regrets(method, name, seed, noise * spread_of(name) if noise else 0.0, evaluations)
        seconds = time.process_time() - begin
        at_budgets = tuple(float(found[budget - 1]) for budget in budgets_of(evaluations))
        kept.add(cell, Result(at_budgets, 1000 * seconds / evaluations, evaluations, seconds))
    return kept[cell]


def task_of(name: str, noise: float, evaluations: int) -> str:
    """What a result is kept under."""
    return f"{name} {noise:g} {evaluations}"


def budgets_of(evaluations: int) -> list[int]:
    """After how many evaluations it is looked at."""
    return [budget for budget in BUDGETS if budget <= evaluations]


def show(name: str, runs: Mapping[str, list[Result]]) -> None:
    """A line per method, and how BO compares."""
    medians = {method: np.median([result.regrets for result in results], axis=0) for method, results in runs.items()}
    for method, results in runs.items():
        text = "".join(f"{value:12.2g}" for value in medians[method])
        print(f"{name:14s}{method:10s}{text}{np.mean([result.seconds for result in results]):14.1f}", flush=True)
    others = [median for method, median in medians.items() if method != "BO"]
    if "BO" in medians and others:
        ratios = np.maximum(medians["BO"] - 1e-6, 0.0) / np.maximum(np.min(others, axis=0), 1e-300)
        print(f"{name:14s}{'ratio':10s}" + "".join(f"{value:12.2g}" for value in ratios), flush=True)


def main() -> None:
    """Print median regrets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--functions", default=",".join(FUNCTIONS))
    parser.add_argument("--methods", default="BO,optuna,BOTORCH")
    parser.add_argument("--seeds", type=int, default=5, help="BOTORCH has 5 at most")
    parser.add_argument("--noise", default="0", help="one or several")
    parser.add_argument("--evaluations", type=int, default=BUDGETS[-1])
    parser.add_argument("--kept", type=Path, help="file of the runs made so far")
    given = parser.parse_args()
    functions, methods = given.functions.split(","), given.methods.split(",")
    noises = [float(noise) for noise in given.noise.split(",")]
    tasks = [task_of(name, noise, given.evaluations) for name, noise in itertools.product(functions, noises)]
    marks = {(method, task): mark_of(method) for method, task in itertools.product(methods, tasks)}
    seeds = {method: min(given.seeds, 5) if method == "BOTORCH" else given.seeds for method in methods}
    with (
        Kept.at(given.kept, marks, alone=True)
        if given.kept
        else contextlib.nullcontext(Kept(io.StringIO(), marks)) as kept
    ):
        for noise in noises:
            print(f"median regret of {given.seeds} seeds, noise {noise:g}")
            head = "".join(f"{f'after {budget}':>12s}" for budget in budgets_of(given.evaluations))
            print(f"{'':24s}{head}{'CPU s a run':>14s}")
            for name in functions:
                runs = {
                    method: [run(kept, method, name, noise, seed, given.evaluations) for seed in range(seeds[method])]
                    for method in methods
                }
                show(name, runs)


if __name__ == "__main__":
    main()
