"""Trials as SageMaker jobs, on the tests' stand-in for the service: how late decisions are, and what S3 is asked.

    python -m perf.sagemaker_trials [--trials 4] [--every 10] [--seconds 90]

- decided: from just before `hpo.report` is called in a job to the commit of the decision here
- requests: to S3, by jobs and tuner together, of each trial in an hour that all of them report
"""

import argparse
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path

import hpo
from hpo.events.callback import Callback
from hpo.events.types import Event, Kind
from tests.support.fake_sagemaker import Fake

SCRIPT = """
import argparse, time
import hpo
parser = argparse.ArgumentParser()
parser.add_argument("--x"); parser.add_argument("--every", type=float); parser.add_argument("--epochs", type=int)
options = parser.parse_args()
for epoch in range(1, options.epochs + 1):
    time.sleep(options.every)
    hpo.report(epoch=epoch, loss=float(options.x), now=time.time())
"""


class Watcher(Callback):
    """Counts requests from the moment at which all trials have reported to the first end."""

    def __init__(self, fake: Fake, trials: int) -> None:
        self._fake, self._trials = fake, trials
        self._reporting: set[int] = set()
        self.late: list[float] = []
        self.counts: list[tuple[float, dict[str, int]]] = []

    def on_event(self, event: Event) -> None:
        """Note what is to be."""
        if event.kind == Kind.REPORTED:
            self.late.append(event.time - event.body["metrics"]["now"])
            self._reporting.add(event.trial_id)
        if len(self._reporting) == self._trials and event.kind == Kind.REPORTED and len(self.counts) < 1:
            self._count()

    def count_before_the_end(self, seconds: float) -> None:
        """Count again so many seconds later."""
        while not self.counts:
            time.sleep(0.1)
        time.sleep(seconds)
        self._count()

    def _count(self) -> None:
        self.counts.append((time.monotonic(), self._fake.control("calls")))


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--every", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=90.0)
    options = parser.parse_args()
    fake = Fake()
    os.environ.update(fake.environment)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "code").mkdir()
        script = Path(folder) / "code" / "train.py"
        script.write_text(SCRIPT)
        benchmark = {
            "name": "b",
            "script": str(script),
            "metric": "loss",
            "mode": "min",
            "resource_attr": "epoch",
            "max_resource_attr": "epochs",
            "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
            "arguments": {"every": options.every, "epochs": int(options.seconds / options.every) + 3},
            "num_gpus_per_trial": 0,
            "instance_type": "ml.c5.xlarge",
        }
        backend = {
            "name": "sagemaker",
            "_target_": "hpo.sagemaker.SageMakerBackend",
            "bucket": fake.bucket,
            "role": fake.role,
            "probe_seconds": 60,
        }
        keys = {"n_workers": options.trials, "max_num_trials": options.trials, "experiment_tag": "perf"}
        watcher = Watcher(fake, options.trials)
        counting = threading.Thread(target=watcher.count_before_the_end, args=(options.seconds,))
        counting.start()
        config = hpo.load_config(benchmark, "RS", backend=backend, random_seed=0, **keys)
        hpo.run_experiment(config, Path(folder) / "e", callbacks=[watcher])
        counting.join()
    fake.close()
    (begin, before), (end, after) = watcher.counts
    scale = 3600 / (end - begin) / options.trials
    asked = {
        key: (after.get(key, 0) - before.get(key, 0)) * scale
        for key in sorted(after)
        if key.startswith(("s3 x", "s3 job"))
    }
    print(f"decided: median {statistics.median(watcher.late):.2f} s, most {max(watcher.late):.2f} s")
    print(f"requests to S3 per trial and hour: {sum(asked.values()):.0f}")
    for key, value in asked.items():
        print(f"  {key}: {value:.0f}")
    described = {key: after.get(key, 0) for key in ("CreateTrainingJob", "DescribeTrainingJob", "ListTrainingJobs")}
    print(f"calls of SageMaker altogether: {described}")


if __name__ == "__main__":
    main()
