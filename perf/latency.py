"""From a report to what is done about it, measured in the trials' own processes.

    python perf/latency.py [--trials 200]

- asked: from just before `hpo.report` is called to the scheduler's decision, for a trial that ends right after
- stored: the same to the event's commit, which is then one with that of the trial's end and of the next one's beginning
- decided: the same for the report that gets its trial stopped, which does not end by itself meanwhile
- told: from just before the report that gets its trial stopped to the SIGTERM's arrival in the trial
- next: from the last line of a script to the first line of the next trial's script
- report: how long `hpo.report` itself takes, its synchronisation with the disk included

First as it is, then for a script that prints a line which patterns match.
"""

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import hpo
from hpo.events.types import Decision, Trial
from hpo.schedulers import FIFO

SCRIPT = """
import time
first = time.monotonic()
import argparse, json, os, signal
import hpo
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
parser.add_argument("--epochs", type=int)
options = parser.parse_args()
times = {"first": first}
path = os.path.join(os.environ["HPO_CHECKPOINT_DIR"], "times")
def told(*_):
    times["told"] = time.monotonic()
    times["last"] = time.monotonic()
    open(path, "w").write(json.dumps(times))
    os._exit(0)
signal.signal(signal.SIGTERM, told)
time.sleep(0.02)
times["before"] = time.monotonic()
REPORT
times["after"] = time.monotonic()
if options.epochs > 1:
    time.sleep(10)
times["last"] = time.monotonic()
open(path, "w").write(json.dumps(times))
"""


FILE = ("hpo.report(epoch=1, loss=options.x)", {})
STDOUT = (
    "print(f'epoch 1: loss={options.x}')",
    {"report_channel": "stdout", "patterns": {"epoch": r"epoch (\d+)", "loss": r"loss=(\S+)"}},
)
"""How a report is made, and the keys of a benchmark that reads it."""


class Watched(FIFO):
    """Notes when it is asked."""

    asked: ClassVar[list[float]] = []

    def on_report(self, trial: Trial, resource: int, loss: float) -> Decision:
        self.asked.append(time.monotonic())
        return super().on_report(trial, resource, loss)


class StopAtOnce(FIFO):
    """Stops every trial at its first report."""

    def on_report(self, trial: Trial, resource: int, loss: float) -> Decision:
        return Decision.STOP


def run(
    epochs: int,
    trials: int,
    method: Mapping[str, Any] | str,
    channel: tuple[str, Mapping[str, Any]],
    **keys: Any,
) -> tuple[list[dict[str, float]], list[float]]:
    """Times each trial noted, in order, and when the events of reports were made, on the same clock."""
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory) / "train.py"
        script.write_text(SCRIPT.replace("REPORT", channel[0]))
        benchmark = {
            "name": "latency",
            "script": str(script),
            "metric": "loss",
            "mode": "min",
            "resource_attr": "epoch",
            "max_resource_attr": "epochs",
            "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
            "arguments": {"epochs": epochs},
            "max_num_trials": trials,
            "num_gpus_per_trial": 0,
            **channel[1],
        }
        config = hpo.load_config(benchmark, method, random_seed=1, trusted_modules=["__main__", "perf"], **keys)
        outcome = hpo.run_experiment(config, Path(directory) / "out", callbacks=[stamps := Stamps()])
        notes = [
            json.loads((outcome.directory / "trials" / str(trial) / "checkpoint" / "times").read_text())
            for trial in range(trials)
        ]
        return notes, stamps.committed


class Stamps(hpo.Callback):
    """Notes when a report has been committed and acted upon."""

    def __init__(self) -> None:
        self.committed: list[float] = []

    def on_event(self, event: Any) -> None:
        if event.kind == "reported":
            self.committed.append(time.monotonic())


def show(name: str, seconds: list[float]) -> None:
    """Median and 99th percentile in milliseconds."""
    ordered = sorted(seconds)
    print(
        f"{name:8s} median {1e3 * statistics.median(ordered):6.2f} ms   p99 {1e3 * ordered[int(0.99 * len(ordered))]:6.2f} ms"
    )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=200)
    trials = parser.parse_args().trials
    searcher = {"_target_": "hpo.searchers.RandomSearcher", "_partial_": True}
    watched, stops = (
        {"name": name, "searcher": searcher, "scheduler": {"_target_": f"__main__.{name}", "_partial_": True}}
        for name in ("Watched", "StopAtOnce")
    )
    for name, channel in (("file", FILE), ("stdout", STDOUT)):
        print(f"report_channel: {name}")
        Watched.asked.clear()
        notes, committed = run(1, trials, watched, channel)
        show("report", [n["after"] - n["before"] for n in notes])
        show("asked", [a - n["before"] for a, n in zip(Watched.asked, notes, strict=True)])
        show("stored", [c - n["before"] for c, n in zip(committed, notes, strict=True)])
        show("next", [b["first"] - a["last"] for a, b in itertools.pairwise(notes)])
        notes, committed = run(2, trials, stops, channel)
        show("decided", [c - n["before"] for c, n in zip(committed, notes, strict=True)])
        show("told", [n["told"] - n["before"] for n in notes])


if __name__ == "__main__":
    main()
