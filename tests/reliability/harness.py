"""A tuner in a process of its own, to be killed, and trials that keep a truth of their own."""

import json
import os
import subprocess
import time
from pathlib import Path

from tests.support import forking

RUNS = int(os.environ.get("HPO_RELIABILITY_RUNS", "0"))
"""How often each scenario is run; 0 is the bounded share of the suite."""

TRUTHFUL = '''
"""Reports a value that only its own configuration gives, and keeps a list of what was acknowledged."""
import argparse, json, os, time
import hpo
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
parser.add_argument("--epochs", type=int)
parser.add_argument("--seconds", type=float)
parser.add_argument("--truth")
a = parser.parse_args()
checkpoint = os.path.join(os.environ["HPO_CHECKPOINT_DIR"], "epoch")
first = int(open(checkpoint).read()) + 1 if os.path.exists(checkpoint) else 1
truth = os.open(a.truth, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
if first > 1:
    hpo.report(epoch=first - 1, loss=(a.x - 0.3) ** 2 + 1 / (first - 1))  # again: a kill may have come before the report
for epoch in range(first, a.epochs + 1):
    time.sleep(a.seconds)
    loss = (a.x - 0.3) ** 2 + 1 / epoch
    with open(checkpoint + ".tmp", "w") as file:
        file.write(str(epoch))
    os.replace(checkpoint + ".tmp", checkpoint)
    hpo.report(epoch=epoch, loss=loss)
    os.write(truth, (json.dumps([int(os.environ["HPO_TRIAL_ID"]), a.x, epoch, loss]) + "\\n").encode())
'''

BENCHMARK = """
name: truth
script: {folder}/train.py
metric: loss
mode: min
resource_attr: epoch
max_resource_attr: epochs
config_space:
  x: {{type: float, lower: 0.0, upper: 1.0}}
arguments: {{epochs: 9, seconds: {seconds}, truth: {folder}/truth}}
n_workers: {workers}
max_num_trials: {trials}
num_gpus_per_trial: 0
"""


class Project:
    """A user's folder with one benchmark and one experiment."""

    def __init__(
        self, folder: Path, script: str = TRUTHFUL, *, method="ASHA", workers=1, trials=12, seconds=0.03, overrides=()
    ):
        self.folder = folder
        self.overrides = ["benchmark=truth", f"method={method}", "experiment_tag=t", "random_seed=7", *overrides]
        (folder / "conf" / "benchmark").mkdir(parents=True)
        (folder / "train.py").write_text(script)
        text = BENCHMARK.format(folder=folder, workers=workers, trials=trials, seconds=seconds)
        (folder / "conf" / "benchmark" / "truth.yaml").write_text(text)
        self.directory = folder / "outputs" / "t" / "truth" / method / "seed_0"

    def start(self) -> subprocess.Popen:
        """The command, in a process."""
        log = (self.folder / "output").open("ab")
        with log:
            return forking.start(
                "--config-dir", "conf", *self.overrides, cwd=self.folder, env=dict(os.environ), stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def finish(self, timeout=120) -> int:
        """The same command, to its end."""
        return self.start().wait(timeout)

    def output(self) -> str:
        """All that was printed."""
        return (self.folder / "output").read_text()

    def truth(self) -> list[tuple[int, float, int, float]]:
        """(trial, x, epoch, loss) of every report that was acknowledged to a trial."""
        path = self.folder / "truth"
        return [tuple(json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def wait_until(condition, seconds=20.0, what="it"):
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come about in {seconds} s"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Is this process running? A zombie is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
