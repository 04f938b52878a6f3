"""All methods over all tasks that a table can simulate, paired against ASHA and ASHA-GP; interrupted, it goes on.

    python perf/all_methods.py --kept table.jsonl                  # what is kept there is not computed again
    python perf/all_methods.py --kept table.jsonl --methods ASHA,RS,MEDIAN --seeds 10
    python perf/all_methods.py --kept table.jsonl --show --details # only what is kept, task by task too
    python perf/all_methods.py --kept table.jsonl --show --best-others ASHA-GP-TIME

Tasks, clock and score are those of model_search.py, 1, 4 and 8 workers, 30 seeds; 10 where a proposal takes more than 10 ms.
Every result is one line of the file (kept_results.py); one of a method that has changed since is computed anew. Seed after
seed, so that what is there at any time can be compared. What the rest will take is said after the first seed.
"""

import argparse
import itertools
import math
import multiprocessing
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import model_search
import numpy as np
import search_tasks
from kept_results import Cell, Kept, Result, marks_of

from hpo.config.config_folders import CONF_DIR

LEFT_OUT = {
    "BOTORCH": "what it proposes is a library's, which changes, at a tenth of a second and more each",
    **{name: "what it proposes is a library's, which changes, at a tenth of a second" for name in ("CQR", "ASHA-CQR")},
    "PBT": "its trials go on from each other's checkpoints, and a table has no such trainings",
    **{name: "for several objectives: perf/objectives.py" for name in ("MO-ASHA", "MO-ASHA-GP", "MO-BO", "NSGA-II")},
}
CONTINUOUS_ALONE = ("CMA-ES",)
BASES = ("ASHA", "ASHA-GP")
FEW_SEEDS = 10
"""Of methods whose proposals take longer than SLOW."""
SLOW = 10.0
"""Milliseconds."""
BEHIND = 0.02
"""Regret of a task that counts."""


@dataclass(frozen=True)
class Plan:
    """What is asked for."""

    methods: Sequence[str]
    bases: Sequence[str]
    tasks: Sequence[str]
    workers: Sequence[int]
    seeds: int

    def tasks_of(self, method: str) -> list[str]:
        """Those that a method is measured on."""
        alone = method in CONTINUOUS_ALONE
        return [task for task in self.tasks if task.startswith("continuous/") or not alone]

    def cells(self, seed: int, kept: Kept) -> Iterator[Cell]:
        """All of one seed, but those of methods that are too slow for it."""
        for method, workers in itertools.product(self.methods, self.workers):
            if seed < FEW_SEEDS or not self._slow(method, workers, kept):
                yield from (Cell(method, task, workers, seed) for task in self.tasks_of(method))

    def _slow(self, method: str, workers: int, kept: Kept) -> bool:
        first = itertools.product(self.tasks_of(method), range(FEW_SEEDS))
        known = [found.milliseconds for task, seed in first if (found := kept.get(Cell(method, task, workers, seed)))]
        return bool(known) and float(np.mean(known)) > SLOW

    def complete_seeds(self, methods: Sequence[str], workers: int, kept: Kept) -> list[int]:
        """Seeds of which all these methods have all results that the first of them can have."""
        tasks = self.tasks_of(methods[0])
        return [
            seed
            for seed in range(self.seeds)
            if tasks and all(Cell(m, t, workers, seed) in kept for m, t in itertools.product(methods, tasks))
        ]


def compute(cell: Cell) -> tuple[Cell, Result]:
    """One experiment."""
    *regrets, milliseconds, trials, seconds = model_search.run_one((*cell, ()))
    return cell, Result(tuple(regrets), milliseconds, int(trials), seconds)


def leave_signals() -> None:
    """In a process that computes: what ends the command is its parent's to tell."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def go_on(plan: Plan, kept: Kept, processes: int) -> None:
    """Compute what is missing."""
    with multiprocessing.get_context("fork").Pool(processes, leave_signals) as pool:
        for seed in range(plan.seeds):
            missing = [cell for cell in plan.cells(seed, kept) if cell not in kept]
            begin = time.monotonic()
            for cell, result in pool.imap_unordered(compute, missing):
                kept.add(cell, result)
            if missing:
                took = time.monotonic() - begin
                print(f"seed {seed}: {took / 60:.1f} min; {expectation(plan, kept)}", file=sys.stderr, flush=True)


def expectation(plan: Plan, kept: Kept) -> str:
    """What is there, and how long the rest and the whole take on two idle cores."""
    there, rest, whole, unknown = 0, 0.0, 0.0, set()
    means: dict[tuple[str, int, str], list[float]] = {}
    for cell, result in kept:
        means.setdefault((cell.method, cell.workers, cell.task), []).append(result.seconds)
    for seed in range(plan.seeds):
        for cell in plan.cells(seed, kept):
            known = means.get((cell.method, cell.workers, cell.task))
            if known is None:
                unknown.add(cell.method)
                continue
            found = kept.get(cell)
            there += found is not None
            whole += found.seconds if found else float(np.mean(known))
            rest += 0.0 if found else float(np.mean(known))
    text = f"{there} results; the rest takes {rest / 7200:.2f} h on two idle cores, the whole {whole / 7200:.2f} h"
    return text + (f"; not known of {', '.join(sorted(unknown))}" if unknown else "")


def difference(found: np.ndarray) -> str:
    """The mean of (tasks, seeds) paired differences with its interval."""
    mean, low, high = model_search.interval(found, np.random.default_rng(0))
    return f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"


def regrets_of(method: str, workers: int, seeds: Sequence[int], tasks: Sequence[str], kept: Kept) -> np.ndarray:
    """Shape (ranges, tasks, seeds)."""
    rows = [[kept[Cell(method, task, workers, seed)].regrets for seed in seeds] for task in tasks]
    return np.moveaxis(np.array(rows), 2, 0)


def show(plan: Plan, kept: Kept) -> None:
    """Print one table per number of workers: markdown."""
    spans = [f"{low:g} to {high:g}" for low, high in model_search.RANGES]
    heads = [f"{span}{title}" for span in spans for title in ("", *(f", to {base}" for base in plan.bases))]
    for workers in plan.workers:
        print(
            f"\n{workers} worker{'s'[: workers > 1]}; regret over so many full trainings, and differences paired by seed"
        )
        print(f"\n| method | tasks | seeds | {' | '.join(heads)} | ms per trial | trials |")
        print("|---|" + "---:|" * (len(heads) + 4))
        for method in plan.methods:
            tasks, seeds = plan.tasks_of(method), plan.complete_seeds([method], workers, kept)
            if not seeds:
                continue
            own = regrets_of(method, workers, seeds, tasks, kept)
            cells = []
            for span, regrets in enumerate(own):
                cells.append(f"{regrets.mean():.3f}")
                for base in plan.bases:
                    both = plan.complete_seeds([method, base], workers, kept)
                    if base == method or len(both) < 2:
                        cells.append("")
                        continue
                    pair = [regrets_of(name, workers, both, tasks, kept)[span] for name in (method, base)]
                    cells.append(difference(pair[0] - pair[1]))
            results = [kept[Cell(method, task, workers, seed)] for task, seed in itertools.product(tasks, seeds)]
            cost = f"{np.mean([r.milliseconds for r in results]):.2f} | {np.mean([r.trials for r in results]):.0f}"
            print(f"| {method} | {len(tasks)} | {len(seeds)} | {' | '.join(cells)} | {cost} |")


def show_details(plan: Plan, kept: Kept) -> None:
    """Print one table per method: markdown."""
    for method, base in itertools.product(plan.methods, plan.bases):
        seeds = {workers: plan.complete_seeds([method, base], workers, kept) for workers in plan.workers}
        columns = [(workers, span) for workers in plan.workers for span in range(2) if len(seeds[workers]) > 1]
        if method == base or not columns:
            continue
        ranges = [f"{low:g} to {high:g}" for low, high in model_search.RANGES]
        print(f"\n{method} to {base}, 95 % of the mean of so many seeds\n")
        print("| task |" + "".join(f" {w} x {ranges[span]}, {len(seeds[w])} |" for w, span in columns))
        print("|---|" + "---:|" * len(columns))
        for task in plan.tasks_of(method):
            line = f"| `{task}` |"
            for workers, span in columns:
                pair = [regrets_of(name, workers, seeds[workers], [task], kept)[span, 0] for name in (method, base)]
                found = pair[0] - pair[1]
                line += f" {found.mean():+.3f} ± {1.96 * found.std(ddof=1) / math.sqrt(len(found)):.3f} |"
            print(line)


def show_best(plan: Plan, kept: Kept, method: str) -> None:
    """A method to the best other one of each task, which half of the seeds choose for the other half: markdown."""
    print(f"\n{method} to the best other method of each task, chosen by one half of the seeds for the other")
    print("\n| workers | full trainings | seeds | all tasks | chosen most | behind by more than .02, 95 % without 0 |")
    print("|---:|---|---:|---:|---|---|")
    for workers in plan.workers:
        there = [m for m in plan.methods if plan.complete_seeds([m], workers, kept)]
        others = [m for m in there if m != method]
        seeds = sorted(set.intersection(*(set(plan.complete_seeds([m], workers, kept)) for m in there)))
        if method not in there or not others or len(seeds) < 4:
            continue
        own = regrets_of(method, workers, seeds, plan.tasks, kept)
        rivals = np.full((len(others), *own.shape), np.inf)
        for number, other in enumerate(others):
            tasks = plan.tasks_of(other)
            rows = [plan.tasks.index(task) for task in tasks]
            rivals[number][:, rows] = regrets_of(other, workers, seeds, tasks, kept)
        for span, (low, high) in enumerate(model_search.RANGES):
            found, chosen = np.empty(own.shape[1:]), Counter[str]()
            for half in (np.arange(0, len(seeds), 2), np.arange(1, len(seeds), 2)):
                rest = np.setdiff1d(np.arange(len(seeds)), half)
                best = rivals[:, span][:, :, half].mean(axis=2).argmin(axis=0)
                chosen.update(others[number] for number in best)
                found[:, rest] = (own[span] - rivals[best, span, np.arange(len(best))])[:, rest]
            error = 1.96 * found.std(axis=1, ddof=1) / math.sqrt(len(seeds))
            means = found.mean(axis=1)
            behind = [
                f"`{task}` {mean:+.2f} ± {width:.2f}"
                for task, mean, width in zip(plan.tasks, means, error, strict=True)
                if mean > max(width, BEHIND)
            ]
            most = ", ".join(name for name, _ in chosen.most_common(3))
            print(
                f"| {workers} | {low:g} to {high:g} | {len(seeds)} | {difference(found)} | {most} | {', '.join(behind)} |"
            )


def main() -> None:
    """Compute and print."""
    known = sorted(path.stem for path in (CONF_DIR / "method").glob("*.yaml"))
    parser = argparse.ArgumentParser()
    parser.add_argument("--kept", type=Path, default=Path("all_methods.jsonl"), help="the file of results")
    parser.add_argument("--methods", default=",".join([*BASES, *(m for m in known if m not in (*BASES, *LEFT_OUT))]))
    parser.add_argument("--against", default=",".join(BASES), help="what differences are to")
    parser.add_argument("--tasks", default="all", help="design, held-out, all, recorded, or names")
    parser.add_argument("--workers", default="1,4,8")
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--show", action="store_true", help="compute nothing")
    parser.add_argument("--details", action="store_true")
    parser.add_argument("--best-others", metavar="METHOD", help="compare it to the best other of each task")
    options = parser.parse_args()
    workers = [int(text) for text in options.workers.split(",")]
    bases = options.against.split(",")
    plan = Plan(options.methods.split(","), bases, search_tasks.tasks_of(options.tasks), workers, options.seeds)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Kept.at(options.kept, marks_of(plan.methods, plan.tasks), alone=not options.show) as kept:
        try:
            if not options.show:
                go_on(plan, kept, options.processes)
        except KeyboardInterrupt:
            print("interrupted; the same command resumes it", file=sys.stderr)
        print(expectation(plan, kept))
        for name, reason in LEFT_OUT.items():
            if name not in plan.methods:
                print(f"left out: {name}, {reason}")
        show(plan, kept)
        if options.details:
            show_details(plan, kept)
        if options.best_others:
            show_best(plan, kept, options.best_others)


if __name__ == "__main__":
    main()
