"""A run that reports 100 times a second, watched: CPU of `hpo watch`, and the writer's commits without and with it.

    python perf/watch.py [--seconds 40] [--rate 100] [--folder /dev/shm]

One run. `hpo watch` is started on a terminal of 120 x 40 and ended again several times; the time that each commit takes in
the tuner is noted and told apart by whether a watcher was there at that moment.
"""

import argparse
import os
import pty
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import psutil

import hpo
from hpo.events.types import Event
from hpo.store import store_repair
from hpo.store.event_store import Store

SCRIPT = """
import argparse, json, os, time
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float); parser.add_argument("--epochs", type=int); parser.add_argument("--pause", type=float)
options = parser.parse_args()
import hpo
checkpoint = os.path.join(os.environ["HPO_CHECKPOINT_DIR"], "epoch")
done = int(open(checkpoint).read()) if os.path.exists(checkpoint) else 0
due = time.monotonic()
for epoch in range(done + 1, options.epochs + 1):
    open(checkpoint, "w").write(str(epoch))
    due += options.pause
    time.sleep(max(due - time.monotonic(), 0))
    hpo.report(epoch=epoch, loss=(options.x - 0.3) ** 2 + 1 / epoch)
"""
TURN = 5.0
"""Seconds with a watcher, and seconds without, by turns."""


class TimedStore(Store):
    """Notes how long each commit takes."""

    taken: ClassVar[list[tuple[float, float]]] = []

    def append(self, events: Sequence[Event]) -> None:
        begin = time.perf_counter()
        super().append(events)
        self.taken.append((time.monotonic(), time.perf_counter() - begin))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--folder", help="where to run: /dev/shm where the disk cannot take so many reports a second")
    arguments = parser.parse_args()
    store_repair.Store = TimedStore  # type: ignore[misc]
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        script = Path(folder) / "train.py"
        script.write_text(SCRIPT)
        benchmark = {
            "name": "chatty",
            "script": str(script),
            "metric": "loss",
            "mode": "min",
            "resource_attr": "epoch",
            "max_resource_attr": "epochs",
            "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
            "arguments": {"epochs": 2187, "pause": 8 / arguments.rate},
            "n_workers": 8,
            "max_wallclock_time": arguments.seconds,
            "num_gpus_per_trial": 0,
        }
        directory = Path(folder) / "outputs" / "t" / "chatty" / "ASHA" / "seed_0"
        watcher = Watcher(directory)
        watcher.start()
        rungs = {"method.scheduler.min_resource": 81}
        outcome = hpo.run_experiment(hpo.load_config(benchmark, "ASHA", random_seed=1, **rungs), directory)
        watcher.join()
    state = outcome.state
    rate = state.reports / state.elapsed
    print(f"{len(state.trials)} trials, {state.reports} reports in {state.elapsed:.0f} s: {rate:.0f} a second")
    used = 100 * watcher.cpu / watcher.seconds
    print(f"watch    {used:.1f} % of a core over {watcher.seconds:.0f} s, {watcher.drawn} kB drawn")
    watched = [took for at, took in TimedStore.taken if watcher.was_there(at)]
    alone = [took for at, took in TimedStore.taken if watcher.was_away(at)]
    for name, taken in (("alone", alone), ("watched", watched)):
        ordered = sorted(taken)
        print(
            f"commit, {name:8s} {len(taken)} commits, median {1e3 * statistics.median(ordered):.2f} ms, "
            f"99 % {1e3 * ordered[int(0.99 * len(ordered))]:.2f} ms, longest {1e3 * ordered[-1]:.1f} ms"
        )


class Watcher(threading.Thread):
    """Starts and ends `hpo watch` by turns, and adds up its CPU time once it has started."""

    def __init__(self, directory: Path) -> None:
        super().__init__(daemon=True)
        self.directory = directory
        self.cpu = self.seconds = 0.0
        self.drawn = 0
        self.spans: list[tuple[float, float]] = []
        self.around: list[tuple[float, float]] = []

    def run(self) -> None:
        while not (self.directory / "events.db").exists():
            time.sleep(0.05)
        time.sleep(TURN)
        while not self._over():
            self._turn()
            time.sleep(TURN)

    def _over(self) -> bool:
        metadata = self.directory / "metadata.json"
        return not metadata.exists() or '"running"' not in metadata.read_text()

    def _turn(self) -> None:
        ours, theirs = pty.openpty()
        began = time.monotonic()
        environment = {**os.environ, "COLUMNS": "120", "LINES": "40", "TERM": "xterm-256color"}
        command = [sys.executable, "-m", "hpo", "watch", str(self.directory)]
        watch = subprocess.Popen(command, stdout=theirs, stdin=theirs, env=environment)
        os.close(theirs)
        reader = threading.Thread(target=self._read, args=(ours,), daemon=True)
        reader.start()
        time.sleep(2.0)  # imports and the first frame are its start, not its use
        process = psutil.Process(watch.pid)
        before, begin = sum(process.cpu_times()[:2]), time.monotonic()
        time.sleep(2 * TURN)
        if watch.poll() is None:
            self.cpu += sum(process.cpu_times()[:2]) - before
            self.seconds += time.monotonic() - begin
            self.spans.append((begin, time.monotonic()))
        watch.terminate()
        watch.wait()
        reader.join()
        self.around.append((began, time.monotonic()))

    def _read(self, descriptor: int) -> None:
        try:
            while data := os.read(descriptor, 65536):
                self.drawn += len(data) // 1024
        except OSError:  # the watcher has ended
            os.close(descriptor)

    def was_there(self, when: float) -> bool:
        return any(begin <= when <= end for begin, end in self.spans)

    def was_away(self, when: float) -> bool:
        return not any(begin <= when <= end for begin, end in self.around)


if __name__ == "__main__":
    main()
