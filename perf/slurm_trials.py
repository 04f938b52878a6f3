"""Trials in jobs of a Slurm cluster (the tests' private one of two nodes) beside the same trials on this machine.

    python -m perf.slurm_trials [--trials 40] [--epochs 9] [--seconds 1] [--workers 4]

- wall: of the experiment, from its start to its last decision, Slurm's first jobs included
- decided: from just before `hpo.report` is called in a job to the commit of the decision here
- calls: of Slurm's commands
"""

import argparse
import collections
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import hpo
from hpo.events.callback import Callback
from hpo.events.types import Event, Kind
from hpo.slurm import worker_jobs
from hpo.slurm.commands import call
from tests.support.slurm.cluster import install, private_slurm

SCRIPT = """
import argparse, os, pathlib, time
import hpo
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float); parser.add_argument("--seconds", type=float)
parser.add_argument("--epochs", type=int)
options = parser.parse_args()
saved = pathlib.Path(os.environ["HPO_CHECKPOINT_DIR"]) / "epoch"
for epoch in range(int(saved.read_text()) + 1 if saved.exists() else 1, options.epochs + 1):
    time.sleep(options.seconds)
    saved.write_text(str(epoch))
    hpo.report(epoch=epoch, loss=(options.x - 0.3) ** 2 + 1 / epoch, now=time.time())
"""


class Delays(Callback):
    """Seconds from a report to its decision."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_event(self, event: Event) -> None:
        """Note the delay of a report."""
        if event.kind == Kind.REPORTED:
            self.seen.append(event.time - event.body["metrics"]["now"])


def run(folder: Path, backend: dict[str, Any], options: argparse.Namespace) -> tuple[float, list[float]]:
    """Run the experiment. Returns its wall time and the delays of decisions."""
    (folder / "train.py").write_text(SCRIPT)
    benchmark = {
        "name": "sleeping",
        "script": str(folder / "train.py"),
        "metric": "loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "epochs",
        "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
        "arguments": {"epochs": options.epochs, "seconds": options.seconds},
        "num_gpus_per_trial": 0,
    }
    keys = {"random_seed": 1, "n_workers": options.workers, "max_num_trials": options.trials}
    config = hpo.load_config(benchmark, "ASHA", backend=backend, **keys)
    delays, begin = Delays(), time.monotonic()
    hpo.run_experiment(config, folder / str(backend["name"]), callbacks=[delays])
    return time.monotonic() - begin, delays.seen


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=4)
    options = parser.parse_args()
    if (reason := install()) is not None:
        parser.error(reason)
    calls: collections.Counter[str] = collections.Counter()

    def counted(program: str, *arguments: str, group: str) -> Any:
        calls[program] += 1
        return call(program, *arguments, group=group)

    worker_jobs.call = counted
    with tempfile.TemporaryDirectory() as folder, private_slurm() as cluster:
        os.environ |= cluster.environment
        there, delays = run(Path(folder), {"name": "slurm", "_target_": "hpo.slurm.SlurmBackend"}, options)
        here, _ = run(Path(folder), {"name": "local", "_target_": "hpo.backends.local.LocalBackend"}, options)
    centiles = statistics.quantiles(delays, n=100)
    print(f"wall         {there:.1f} s with backend=slurm, {here:.1f} s with backend=local: {there / here:.2f}")
    print(f"decided      median {statistics.median(delays):.3f} s, 99 % {centiles[98]:.3f} s, {len(delays)} reports")
    print(f"calls        {dict(calls)}")


if __name__ == "__main__":
    main()
