"""Training scripts as the tuner runs them: forked from one trial host that has imported what takes long."""

import json
import os
import select
import socket
import subprocess
from pathlib import Path

from hpo import load_experiment
from hpo.config.reading import load_config
from hpo.host.host_start import COMMAND
from hpo.store.identity import mark_of
from tests.conftest import succeeded

ROOT = Path(__file__).resolve().parents[2]
METHODS = ("RS", "ASHA", "MOBSTER")
"""Those that every benchmark of a training script is tuned with in the tests."""
KILLER = ROOT / "tests" / "support" / "scripts" / "killed_before_report.py"


class TrialHost:
    """A real host; `run` starts a training under it and waits for its end. Warnings are errors there."""

    def __init__(self, folder, preload):
        self.folder, self.key, self.buffer = folder, 0, b""
        self.socket, theirs = socket.socketpair()
        command = [*COMMAND, str(theirs.fileno()), str(mark_of(folder)), "5"]
        env = {key: value for key, value in os.environ.items() if not key.startswith("HPO_")}
        env |= {"PYTHONWARNINGS": "error", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        with theirs:
            self.process = subprocess.Popen([*command, *preload], pass_fds=[theirs.fileno()], env=env)

    def close(self):
        self.socket.close()
        self.process.wait(timeout=30)

    def run(self, benchmark, checkpoints=None, seed=0, kill_before=None, **arguments):
        """What the benchmark's script reports with these arguments, added to those of its YAML, and how it ended."""
        self.key += 1
        folder = self.folder / str(self.key)
        folder.mkdir()
        config = load_config(benchmark, "RS").benchmark
        script = str(ROOT / config.script)
        argv = [script, *(f"--{name}={value}" for name, value in {**config.arguments, **arguments}.items())]
        env = {"HPO_REPORT_FILE": str(folder / "reports"), "HPO_TRIAL_SEED": str(seed)}
        env["HPO_CHECKPOINT_DIR"] = str(checkpoints or folder / "checkpoint")
        order = {"do": "start", "key": self.key, "script": script, "argv": argv, "env": env}
        if kill_before is not None:
            order |= {"script": str(KILLER), "argv": [str(KILLER), str(kill_before), *argv]}
        order |= {"stdout": str(folder / "out"), "stderr": str(folder / "err")}
        self.socket.sendall(json.dumps(order).encode() + b"\n")
        outcome = self._outcome()
        return Training(
            reports=[json.loads(line) for line in _text(folder / "reports").splitlines()],
            code=outcome["code"],
            signal=outcome["signal"],
            out=_text(folder / "out"),
            err=_text(folder / "err"),
            usage=outcome["usage"],
        )

    def _outcome(self):
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.socket], [], [], 60)
            assert ready, "the host says nothing"
            data = self.socket.recv(1 << 16)
            assert data, "the host hung up"
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        outcome = json.loads(line)
        assert "fatal" not in outcome, outcome
        return outcome


class Training:
    """One attempt that has ended."""

    def __init__(self, reports, code, signal, out, err, usage):
        self.reports, self.code, self.signal, self.out, self.err, self.usage = reports, code, signal, out, err, usage

    @property
    def good(self):
        """The reports of one that ended well and said nothing beside them."""
        assert (self.code, self.out, self.err) == (0, "", ""), self.err
        return self.reports


def _text(file):
    return file.read_text() if file.exists() else ""


def changed(benchmark, configuration):
    """For each tuned hyperparameter: this configuration with a small and with a large value of it instead."""
    space = load_config(benchmark, "RS").space
    for name, domain in space.domains.items():
        values = [domain.decode(unit) for unit in (0.03, 0.97)]
        yield name, [{**configuration, name: value} for value in values if value != configuration[name]]


def complete_small_experiments(workplace, benchmark, methods, data):
    """Tune a benchmark on small data with each method, by the command line; ASHA pauses after the first of three epochs."""
    small = {"epochs": 3, "data": data}
    succeeded(
        workplace.hpo(
            f"benchmark={benchmark}",
            f"method={','.join(methods)}",
            *(f"benchmark.arguments.{name}={value}" for name, value in small.items()),
            *("experiment_tag=t", "random_seed=1", "num_gpus_per_trial=0", "max_num_trials=4", "n_workers=2"),
        )
    )
    for method in methods:
        experiment = load_experiment(workplace.directory("t", method, benchmark=benchmark))
        statuses = experiment.trials["status"].value_counts().to_dict()
        assert sum(statuses.values()) == 4
        assert set(statuses) <= {"completed", "paused"}, statuses
        assert method != "RS" or statuses == {"completed": 4}
        assert experiment.reports["epoch"].max() == 3
        assert experiment.reports[experiment.config.benchmark.metric].notna().any()
