"""An experiment of many trials in a process of its own, which measures its work per report and its memory.

    python -m tests.reliability.many_trials FOLDER METHOD TRIALS

Only the trials are pretended: they take no time. Runs the experiment in FOLDER/experiment, resumes it, and prints what
was found as JSON. The end of the experiment is compared with the start of others of its kind, a few trials of each in
turn: in the CPU time of this process, and in numbers that no other process disturbs, the lines and calls of Python and
the instructions of SQLite's machine.
"""

import contextlib
import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import hpo.experiment.run
from hpo.config.reading import load_config, resolve
from hpo.config.schema import ExperimentConfig
from hpo.events.objective import Objective
from hpo.events.state import ExperimentState
from hpo.events.types import BackendEvent, Kind, Report
from hpo.schedulers.construction import scheduler_of
from hpo.schedulers.replay import restore
from hpo.store.event_store import Store
from hpo.tuner.loop import Tuner
from hpo.tuner.stopping import Budget
from hpo.tuner.trial_limits import Limits
from hpo.watching.plain_lines import PlainLines
from perf.scale import EPOCHS, SPACE, InstantBackend

WORKERS = 4
BLOCK = 40
"""Trials that are measured at a time: enough for what an experiment does now and then to be in each."""
ROUNDS = 5


class Metered(InstantBackend):
    """Knows what the tuner spent after each event until it waited for the next."""

    def __init__(self, meter: Callable[[], float] = time.thread_time) -> None:
        super().__init__()
        self.meter = meter
        self.spent: list[float] = []
        self._after: float | None = None  # what the meter said when the tuner got its last event
        self._report = False

    def wait(self, timeout: float | None) -> Sequence[BackendEvent]:
        now = self.meter()
        if self._after is not None and self._report:
            self.spent.append(now - self._after)
        (event,) = super().wait(timeout)
        self._report = isinstance(event, Report)
        self._after = self.meter()
        return [event]


class Python:
    """Counts the lines that Python executes and the functions that it calls, those in C too."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> float:
        return self.count

    def _line(self, *_: Any) -> Any:
        self.count += 1
        return self._line

    def _call(self, _frame: Any, event: str, _argument: Any) -> None:
        self.count += event == "c_call"

    @contextlib.contextmanager
    def counting(self, _store: Store) -> Iterator[None]:
        """While this lasts."""
        sys.settrace(self._line)
        sys.setprofile(self._call)
        try:
            yield
        finally:
            sys.settrace(None)
            sys.setprofile(None)


class Machine:
    """Counts the instructions that SQLite's virtual machine executes."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> float:
        return self.count

    def _instruction(self) -> int:
        self.count += 1
        return 0

    @contextlib.contextmanager
    def counting(self, store: Store) -> Iterator[None]:
        """While this lasts."""
        store._db.set_progress_handler(self._instruction, 1)
        yield
        store._db.set_progress_handler(None, 1)


class Side:
    """An experiment that a few trials at a time are added to."""

    def __init__(self, config: ExperimentConfig, path: Path) -> None:
        self.store = Store(path)
        self.scheduler, self.state = scheduler_of(config), ExperimentState(Objective("loss", "min", "epoch"))
        begin = time.thread_time()
        restore(self.scheduler, self.state, self.store.read())
        self.restoring = time.thread_time() - begin

    def block(self, config: ExperimentConfig, meter: Callable[[], float] = time.thread_time) -> list[float]:
        """Run some more trials. Returns what each of their reports cost."""
        backend = Metered(meter)
        budget = Budget(max_num_trials=len(self.state.trials) + BLOCK)
        limits = Limits(n_workers=WORKERS, max_resource=EPOCHS, ends_by_itself=True)
        backend.done = {trial: state.resource for trial, state in self.state.trials.items()}
        counting = meter.counting(self.store) if isinstance(meter, Python | Machine) else contextlib.nullcontext()
        tuner = Tuner(self.scheduler, backend, self.store, self.state, budget, limits, [PlainLines(config)])
        with counting:
            tuner.run()
        return backend.spent


def ratios(config: ExperimentConfig, old: Side, folder: Path) -> dict[str, float]:
    """Work per report of an old experiment, divided by that of new ones."""
    found = {}
    meters: dict[str, Callable[[], Callable[[], float]]] = {
        "cpu": lambda: time.thread_time, "python": Python, "sqlite": Machine,
    }  # fmt: skip
    for name, meter in meters.items():
        late, early = [], []
        for number in range(ROUNDS if name == "cpu" else 1):
            new = Side(config, folder / f"{name}{number}.db")
            early.append(_mean(new.block(config, meter())))
            new.store.close()
            late.append(_mean(old.block(config, meter())))
        found[name] = median(late) / median(early)
    return found


def _mean(spent: Sequence[float]) -> float:
    return sum(spent) / len(spent)


def configuration(method: str, trials: int) -> ExperimentConfig:
    """Of the experiment; its script is never started."""
    content = {
        "name": "many",
        "script": __file__,
        "metric": "loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "epochs",
        "config_space": SPACE,
        "arguments": {"epochs": EPOCHS},
    }
    keys = {"n_workers": WORKERS, "max_num_trials": trials, "max_wallclock_time": 1e9, "num_gpus_per_trial": 0}
    return resolve(load_config(content, method, random_seed=0, **keys))


def highest_megabytes() -> float:
    """Peak resident memory of this program; rusage would count what its parent had when it was forked."""
    (found,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found) / 1024


def main(folder: Path, method: str, trials: int) -> None:
    """Run, resume, measure, print."""
    config, backend = configuration(method, trials), Metered()

    hpo.experiment.run.open_backend = lambda _config, _files: backend
    begin = time.monotonic()
    outcome = hpo.run_experiment(config, folder / "experiment", callbacks=[PlainLines(config)])
    seconds, megabytes = time.monotonic() - begin, highest_megabytes()
    shutil.copyfile(folder / "experiment" / "events.db", folder / "resumed.db")
    old = Side(config, folder / "resumed.db")
    restored = old.state
    same = [
        (state.status, state.resource, state.loss, dict(state.trial.configuration), state.attempt)
        for state in restored.trials.values()
    ] == [
        (state.status, state.resource, state.loss, dict(state.trial.configuration), state.attempt)
        for state in outcome.state.trials.values()
    ]
    resumed_megabytes = highest_megabytes()
    reports = sum(1 for event in old.store.read() if event.kind == Kind.REPORTED)
    found = {
        "trials": len(outcome.state.trials),
        "reports": outcome.state.reports,
        "stored": reports,
        "same": same and restored.incumbent == outcome.state.incumbent,
        "finished": outcome.reason,
        "seconds": seconds,
        "milliseconds": 1e3 * median(backend.spent),
        "megabytes": megabytes,
        "resumed_megabytes": resumed_megabytes,
        "restoring": old.restoring,
        "ratios": ratios(config, old, folder),
    }
    sys.stdout.write("\n" + json.dumps(found) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
