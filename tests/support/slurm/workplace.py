"""A working directory on the private Slurm, and a script whose trials tell what they had."""

import json

from hpo.events.types import Kind
from hpo.results.experiment import load_experiment
from hpo.slurm.job import read_note
from tests.conftest import Workplace
from tests.support.slurm.cluster import wait_until

SCRIPT = '''
"""Standard library only. Keeps a list of who used which devices when, and one of acknowledged reports."""
import argparse, json, os, signal, sys, time
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
parser.add_argument("--epochs", type=int)
parser.add_argument("--seconds", type=float)
parser.add_argument("--diary")
a = parser.parse_args()
def note(**facts):
    facts |= {"experiment": os.environ["HPO_EXPERIMENT_DIR"], "trial": int(os.environ["HPO_TRIAL_ID"])}
    diary = os.open(a.diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(diary, (json.dumps(facts) + "\\n").encode())
def leave(number, frame):
    note(grace=True)
    sys.exit(1)
signal.signal(signal.SIGTERM, leave)
checkpoint = os.path.join(os.environ["HPO_CHECKPOINT_DIR"], "epoch")
first = int(open(checkpoint).read()) + 1 if os.path.exists(checkpoint) else 1
def report(epoch):
    with open(os.environ["HPO_REPORT_FILE"], "a") as file:
        file.write(json.dumps({"epoch": epoch, "loss": (a.x - 0.3) ** 2 + 1 / epoch}) + "\\n")
if first > 1:
    report(first - 1)
for epoch in range(first, a.epochs + 1):
    begin = time.time()
    time.sleep(0 if os.path.exists(a.diary + ".hurry") else a.seconds)
    with open(checkpoint + ".tmp", "w") as file:
        file.write(str(epoch))
    os.replace(checkpoint + ".tmp", checkpoint)
    report(epoch)
    devices = os.environ["CUDA_VISIBLE_DEVICES"]
    note(epoch=epoch, node=os.environ.get("SLURMD_NODENAME"), devices=devices, begin=begin, end=time.time())
'''

SMALL = ["launcher=slurm", "launcher.cpus_per_task=1", "grace_period_seconds=5"]


class Slurm(Workplace):
    """A working directory on a cluster, with a benchmark `mine` whose trials take one pretended GPU each."""

    def prepare(self, cluster=None, seconds=0.1, script=SCRIPT, **keys):
        self.cluster = cluster
        if cluster is not None:
            self.environment = {**self.environment, **cluster.environment}
        self.write("train.py", script)
        arguments = {"epochs": 3, "seconds": seconds, "diary": str(self.path / "diary")} | keys.pop("arguments", {})
        arguments = {name: value for name, value in arguments.items() if value is not ...}
        self.benchmark(**{"script": "train.py", "arguments": arguments, "num_gpus_per_trial": 1, **keys})
        return self

    def launch(self, *overrides, tag="t", method="RS"):
        return self.hpo(
            "benchmark=mine", f"method={method}", f"experiment_tag={tag}", "random_seed=7", *SMALL, *overrides
        )

    def hurry(self):
        """What the test was for has happened: trials need no time from now on."""
        self.write("diary.hurry", "")

    def diary(self):
        path = self.path / "diary"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def record(self, directory):
        return json.loads((directory / "launch.json").read_text())["record"]

    def jobs(self):
        """Names of this user's jobs in the queue or at work."""
        return self.cluster.call("squeue", "-h", "-o", "%j").split()

    def wait_for_report(self, count=1):
        wait_until(lambda: sum("epoch" in entry for entry in self.diary()) >= count, what=f"{count} report(s)")

    def wait_for(self, directory, phase, seconds=60.0):
        """Until the job has said that it has ended so, or has begun again."""
        wait_until(lambda: read_note(directory).get("phase") == phase, seconds, f"{phase} of {directory}")


def is_complete(directory):
    """Every report that a trial has seen acknowledged is stored, once; returns the experiment."""
    experiment = load_experiment(directory)
    assert experiment.metadata["status"] == "complete"
    rows = [(event.trial, event.resource) for event in experiment.events if event.kind == Kind.REPORTED]
    assert len(set(rows)) == len(rows)
    return experiment, set(rows)
