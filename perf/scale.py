"""10,000 trials x 10 reports through a backend that costs nothing: does the tuner's work per report grow?

    python perf/scale.py [--trials 10000] [--method RS]

Real event store, real scheduler, one commit per report. Prints the tuner's cost per report at the start and at the end,
peak memory, and the time to resume 100,000 reports.
"""

import argparse
import resource
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from hpo.backends.base import Backend
from hpo.events.objective import Objective
from hpo.events.state import ExperimentState
from hpo.events.types import BackendEvent, Exit, Report, Trial
from hpo.results.experiment import load_experiment  # noqa: F401  the module of a real run, so that its memory counts
from hpo.schedulers.base import Scheduler
from hpo.schedulers.construction import build_scheduler
from hpo.schedulers.replay import restore
from hpo.store.event_store import Store
from hpo.store.store_repair import open_store
from hpo.tuner.loop import Tuner
from hpo.tuner.stopping import Budget
from hpo.tuner.trial_limits import Limits

EPOCHS = 10
SPACE = {f"x{i}": {"type": "float", "lower": 0.0, "upper": 1.0} for i in range(5)}


class InstantBackend(Backend):
    """Every wait returns one event: the next report or exit of the oldest running attempt."""

    def __init__(self) -> None:
        self.queue: deque[tuple[Trial, int, int, int]] = deque()
        self.done: dict[int, int] = {}
        self.seconds: list[float] = []  # spent outside `wait`, per report
        self._left = time.perf_counter()
        self._stopped: set[int] = set()

    def start(self, trial: Trial, attempt: int, until: int | None) -> None:
        self.queue.append((trial, attempt, self.done.get(trial.id, 0) + 1, until or EPOCHS))

    def stop(self, trial_id: int, patience: float = 0.0) -> None:
        self._stopped.add(trial_id)

    def wait(self, timeout: float | None) -> Sequence[BackendEvent]:
        self.seconds.append(time.perf_counter() - self._left)
        trial, attempt, epoch, until = self.queue.popleft()
        event: BackendEvent
        if epoch > until or trial.id in self._stopped:
            self._stopped.discard(trial.id)
            event = Exit(trial.id, attempt, 0)
        else:
            self.done[trial.id] = epoch
            self.queue.append((trial, attempt, epoch + 1, until))
            loss = sum((v - 0.3) ** 2 for v in trial.configuration.values()) + 1 / epoch
            event = Report(trial.id, attempt, {"epoch": epoch, "loss": loss, "lr": 0.1, "seconds": 1.5}, 100 * epoch)
        self._left = time.perf_counter()
        return [event]

    def wake(self) -> None:
        pass


def fresh(method: str) -> tuple[Scheduler, ExperimentState]:
    """A scheduler and a state that know nothing."""
    scheduler = build_scheduler(method, SPACE, max_resource=EPOCHS, seed=0)
    return scheduler, ExperimentState(Objective("loss", "min", "epoch"))


def peak_mb() -> float:
    """Peak resident memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run, resume, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--method", default="RS")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "events.db"
        store, backend = Store(path), InstantBackend()
        scheduler, state = fresh(arguments.method)
        budget, limits = Budget(max_num_trials=arguments.trials), Limits(n_workers=4, max_resource=EPOCHS)
        tuner = Tuner(scheduler, backend, store, state, budget, limits)
        begin = time.perf_counter()
        tuner.run()
        wall = time.perf_counter() - begin
        store.close()
        tenth = len(backend.seconds) // 10
        first, last = backend.seconds[:tenth], backend.seconds[-tenth:]
        print(f"{arguments.method}: {len(state.trials)} trials, {state.reports} reports in {wall:.1f} s")
        print(
            f"  tuner per event  first tenth {1e3 * sum(first) / tenth:.3f} ms, last tenth "
            f"{1e3 * sum(last) / tenth:.3f} ms, ratio {sum(last) / sum(first):.2f}"
        )
        print(f"  peak memory      {peak_mb():.0f} MB, database {path.stat().st_size / 2**20:.0f} MB")
        scheduler, state = fresh(arguments.method)
        begin = time.perf_counter()
        store = open_store(path)
        restore(scheduler, state, store.read())
        print(
            f"  resume           {time.perf_counter() - begin:.2f} s for {state.reports} reports, "
            f"peak memory {peak_mb():.0f} MB"
        )


if __name__ == "__main__":
    main()
