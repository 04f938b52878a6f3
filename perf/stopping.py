"""When does more search no longer pay? Stopping rules, applied to recorded traces of the tasks of model_search.py.

    python perf/stopping.py record --traces traces.pickle --seeds 3      # interrupted, it goes on
    python perf/stopping.py rules --traces traces.pickle                 # constants by the other families

Each trace is one experiment of 4 workers over 24 median full trainings per worker, the fixed budget. A rule stops it earlier;
the rest of the budget's time is saved, and what it loses is the normalised regret at that time minus the one at the end (0 is
the best of the table, 1 its median). Rules see what an experiment sees: reports in their order.
"""

import argparse
import bisect
import itertools
import multiprocessing
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import model_search
import numpy as np
from search_tasks import DESIGN, HELD_OUT, task_of

BUDGET = 24.0
"""Median full trainings per worker."""
WORKERS = 4
METHODS = ("ASHA-GP-TIME", "ASHA", "RS", "BO")


@dataclass(frozen=True)
class Trace:
    """The reports of one experiment, in their order."""

    method: str
    task: str
    seed: int
    times: np.ndarray
    """As a share of the budget."""
    trials: np.ndarray
    losses: np.ndarray
    best: float
    median: float

    @property
    def regrets(self) -> np.ndarray:
        """Normalised regret of the incumbent after each report."""
        return np.maximum(np.minimum.accumulate(self.losses) - self.best, 0.0) / (self.median - self.best)


def record(job: tuple[str, str, int]) -> Trace:
    """Run one experiment."""
    method, name, seed = job
    task = task_of(name)
    until = BUDGET * task.full
    course = model_search.simulate(method, task, WORKERS, seed, until)
    trials, _, losses = (np.array(column) for column in zip(*course.results, strict=True))
    return Trace(method, name, seed, np.array(course.times) / until, trials, losses, task.best, task.median)


def recorded(path: Path) -> dict[tuple[str, str, int], Trace]:
    """Traces in a file; a part that was written when the recording was killed is left out."""
    found = {}
    if path.exists():
        with path.open("rb") as file:
            while True:
                try:
                    trace = pickle.load(file)
                except (EOFError, pickle.UnpicklingError):
                    break
                found[trace.method, trace.task, trace.seed] = trace
    return found


def record_all(path: Path, seeds: int, processes: int) -> None:
    """Record what is missing, seed after seed."""
    there = recorded(path)
    jobs = [
        (method, task, seed)
        for seed, method, task in itertools.product(range(seeds), METHODS, (*DESIGN, *HELD_OUT))
        if (method, task, seed) not in there
    ]
    with multiprocessing.get_context("fork").Pool(processes) as pool, path.open("ab") as file:
        for trace in pool.imap_unordered(record, jobs):
            pickle.dump(trace, file)
            file.flush()


Key = tuple[str, str, float, str, float, int]
"""Rule, unit and relative share of its window, what its threshold is a share of, the threshold, and the window."""
SPREADS = ("trials", "table")
"""What a threshold is a share of: the distance from the best trial to the median one, or the table's (a user who knows)."""
THRESHOLDS = (0.0, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1)
PATIENCES = (8, 12, 16, 20, 24, 32, 48, 64)


@dataclass(frozen=True)
class Steps:
    """What an experiment knows each time that another trial has reported for the first time; arrays over these times."""

    times: np.ndarray
    """As a share of the budget."""
    reports: np.ndarray
    """Number of reports so far, each of one unit of resource."""
    incumbents: np.ndarray
    ranked: list[list[float]]
    """Best losses of the trials, in order."""
    spreads: np.ndarray

    @classmethod
    def of(cls, trace: Trace) -> "Steps":
        """Go through the reports."""
        best: dict[int, float] = {}
        order: list[float] = []
        times, reports, incumbents, ranked, spreads = [], [], [], [], []
        columns = trace.times.tolist(), trace.trials.tolist(), trace.losses.tolist()
        for count, (time, trial, loss) in enumerate(zip(*columns, strict=True), 1):
            if not np.isfinite(loss):
                continue
            before = best.get(trial)
            if before is not None and loss >= before:
                continue
            if before is not None:
                order.pop(bisect.bisect_left(order, before))
            best[trial] = loss
            bisect.insort(order, loss)
            if before is None:
                times.append(time)
                reports.append(count)
                incumbents.append(order[0])
                ranked.append(order[:MOST])
                spreads.append(order[len(order) // 2] - order[0])
        return cls(np.array(times), np.array(reports), np.array(incumbents), ranked, np.array(spreads))


MOST = 48
"""Best trials that a rule looks at."""


def improved(steps: Steps, clock: np.ndarray, window: np.ndarray) -> np.ndarray:
    """What the last `window` of the clock have improved."""
    since = np.searchsorted(clock, clock - window, side="right") - 1
    return np.where(since >= 0, steps.incumbents[since] - steps.incumbents, np.inf)


def left_out(steps: Steps, clock: np.ndarray, window: np.ndarray) -> np.ndarray:
    """What `window` more improve, if trials are exchangeable: the mean loss of leaving out as large a share of them."""
    found = np.full(len(clock), np.inf)
    for index in np.flatnonzero(clock >= window):
        share = window[index] / (clock[index] + window[index])
        order = np.array(steps.ranked[index])
        weights = (1 - share) * share ** np.arange(len(order))
        found[index] = (weights * (order - order[0])).sum()
    return found


def slope(steps: Steps, clock: np.ndarray, window: np.ndarray) -> np.ndarray:
    """What `window` more improve, if the incumbent goes on in the log of the clock as over its later half."""
    return np.where(clock >= window, improved(steps, clock, clock / 2) * np.log2(1 + window / clock), np.inf)


def both(steps: Steps, clock: np.ndarray, window: np.ndarray) -> np.ndarray:
    """The larger of what was improved and what leaving out tells."""
    return np.maximum(improved(steps, clock, window), left_out(steps, clock, window))


RULES: dict[str, Callable[[Steps, np.ndarray, np.ndarray], np.ndarray]] = {
    "improved": improved,
    "left out": left_out,
    "slope": slope,
    "improved, left out": both,
}
SHARES = (0.0, 0.33)
"""A window is at least this share of what has been spent."""


def outcomes(trace: Trace) -> Iterator[tuple[Key, float, float]]:
    """Each rule, what it saves as a share of the budget, and what regret it loses."""
    steps, regrets = Steps.of(trace), trace.regrets
    clocks = {
        "trials": np.arange(1.0, len(steps.times) + 1),
        "trained": steps.reports / task_of(trace.task).max_resource,
    }
    for (name, rule), unit, share, least in itertools.product(RULES.items(), clocks, SHARES, PATIENCES):
        clock = clocks[unit]
        expected = rule(steps, clock, np.maximum(least, share * clock))
        for spread, threshold in itertools.product(SPREADS, THRESHOLDS):
            scale = steps.spreads if spread == "trials" else trace.median - trace.best
            stops = np.flatnonzero(expected <= threshold * scale)
            at = steps.times[stops[0]] if len(stops) else 1.0
            then = regrets[np.searchsorted(trace.times, at, side="right") - 1]
            yield (name, unit, share, spread, threshold, least), 1.0 - at, float(then - regrets[-1])
    for part in np.arange(0.3, 1.01, 0.05):
        then = regrets[max(np.searchsorted(trace.times, part, side="right") - 1, 0)]
        yield ("a smaller budget", "", 0.0, "", float(part), 0), 1.0 - part, float(then - regrets[-1])


def family_of(task: str) -> str:
    """The family of a task: constants for it are chosen by the other families."""
    return next(family for family in FAMILIES if task.startswith(family))


def show_rules(traces: dict[tuple[str, str, int], Trace], methods: Sequence[str]) -> None:
    """Print what each rule saves and loses; for each family of tasks with the constants that the others choose."""
    table: dict[Key, dict[tuple[str, str], list[tuple[float, float]]]] = {}
    for (method, task, _), trace in traces.items():
        if method in methods:
            for key, saved, lost in outcomes(trace):
                table.setdefault(key, {}).setdefault((method, task), []).append((saved, lost))
    cells = sorted(next(iter(table.values())))
    means = {key: np.array([np.mean(found[cell], axis=0) for cell in cells]) for key, found in table.items()}
    families = np.array([family_of(task) for _, task in cells])
    names = np.array([method for method, _ in cells])
    print(f"{len(traces)} traces; saved share of cost, lost regret, worst mean loss of a task and method")
    for group in sorted({key[:4] for key in table}):
        keys = [key for key in table if key[:4] == group]
        for limit in LOST:
            result = np.full((len(cells), 2), np.nan)
            for family in FAMILIES:
                own = families == family
                fit = [key for key in keys if means[key][~own, 1].mean() <= limit]
                if fit and own.any():
                    result[own] = means[max(fit, key=lambda key: means[key][~own, 0].mean())][own]
            every = [key for key in keys if means[key][:, 1].mean() <= limit]
            if np.isnan(result).any() or not every:
                continue
            last = max(every, key=lambda key: means[key][:, 0].mean())
            text = f"{group[0]:18s} {group[1]:6s} {group[2]:.2f} {group[3]:6s} {limit:.3f}: left-out families "
            text += f"{result[:, 0].mean():.2f} {result[:, 1].mean():.4f} {result[:, 1].max():.3f}"
            text += f"; by all X={last[4]:g} N={last[5]}: {means[last][:, 0].mean():.2f} {means[last][:, 1].mean():.4f}"
            for method in methods:
                saved, lost = result[names == method].mean(axis=0)
                text += f" | {method} {saved:.2f} {lost:.4f}"
            print(text)


FAMILIES = ("fcnet", "nasbench201", "hpobench", "generated", "continuous", "mlp_digits")
LOST = (0.005, 0.01)
"""Mean regrets that a rule may lose on the tasks by which its constants are chosen."""


def main() -> None:
    """Record, or apply rules."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("record", "rules"))
    parser.add_argument("--traces", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    if options.what == "record":
        record_all(options.traces, options.seeds, options.processes)
    else:
        show_rules(recorded(options.traces), options.methods.split(","))


if __name__ == "__main__":
    main()
