"""Experiments that are served: simulated ones, one whose trials have printed, one whose every text tries to be HTML."""

import os
import signal
import time

import pytest

from hpo.config.reading import load_config, to_yaml
from hpo.events.types import Event, Kind
from hpo.store.event_store import Store
from tests.conftest import Workplace, succeeded
from tests.support import forking

HOSTILE = "<script>window.hacked=1</script>"
CLOSING = '</script><img src=x onerror="window.hacked=2">'


@pytest.fixture(scope="package")
def place(tmp_path_factory):
    """A working directory with three tags in outputs/: `t`, `real` and `hostile`."""
    work = Workplace(tmp_path_factory.mktemp("served"))
    short = ("random_seed=1", "max_wallclock_time=20000")
    succeeded(work.verb("benchmark=nasbench201_cifar100", "method=RS,ASHA", "num_seeds=2", "experiment_tag=t", *short))
    script = "import sys\nfrom hpo import report\n"
    script += "print('x is', sys.argv[1])\nfor epoch in (1, 2, 3):\n    report(epoch=epoch, loss=1 / epoch)\n"
    work.write("train.py", script)
    work.benchmark("mine", script=str(work.path / "train.py"))
    succeeded(work.hpo("benchmark=mine", "method=RS", "experiment_tag=real", "random_seed=1"))
    bad = f"import sys\nprint({CLOSING!r}, flush=True)\n"
    bad += f"if {CLOSING!r} in sys.argv[1] + sys.argv[2]:\n    sys.exit({HOSTILE!r})\n"
    work.write(
        "bad.py", bad + "from hpo import report\nfor epoch in (1, 2, 3):\n    report(epoch=epoch, loss=1 / epoch)\n"
    )
    space = {
        "<b>bold": {"type": "choice", "values": [HOSTILE, CLOSING, "&lt;i&gt;"]},
        "x": {"type": "choice", "values": [1, 2]},
    }
    keys = {"arguments": {"epochs": 3, "note": HOSTILE}, "config_space": space, "max_num_trials": 6}
    work.benchmark("hostile", script=str(work.path / "bad.py"), **keys)
    done = work.hpo("benchmark=hostile", "method=GRID", "experiment_tag=hostile", "max_failures=9")
    assert done.returncode in (0, 1), done.stderr
    return work


class Served:
    """`hpo serve` as a process of its own."""

    def __init__(self, work: Workplace, *arguments: str):
        self.work, self.arguments = work, arguments
        self.start()

    def start(self):
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        again = ("--port", str(self.port)) if hasattr(self, "port") else ()
        command = ("serve", "--no-browser", *self.arguments, *again)
        self.process = forking.start(*command, cwd=self.work.path, env=environment)
        self.link = self.process.stdout.readline().strip()
        assert self.link.startswith("http://"), self.process.communicate(timeout=20)
        self.root, _, self.token = self.link.partition("#token=")
        self.port = int(self.root.rstrip("/").rpartition(":")[2])

    def stop(self, number=signal.SIGTERM):
        """End it. Returns its exit code; what it complained of is then in `errors`."""
        self.process.send_signal(number)
        code = self.process.wait(timeout=20)
        self.errors = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        return code


@pytest.fixture(scope="package")
def served(place):
    server = Served(place, "--token-file", str(place.path / "token"))
    yield server
    server.stop()


@pytest.fixture
def story(tmp_path):
    """An experiment directory whose events a test writes."""
    return Story(tmp_path / "outputs" / "s" / "mine" / "RS" / "seed_0")


class Story:
    """An experiment's log, written event by event as its tuner would."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir(parents=True)
        config = load_config("nasbench201_cifar100", "RS", random_seed=1)
        (directory / "experiment.yaml").write_text(to_yaml(config))
        self.configuration = {name: domain.choices[0] for name, domain in config.space.domains.items()}
        self.begin()

    def begin(self, time_of_first=None):
        """Open a log; that of another experiment where there was one."""
        self.store = Store(self.directory / "events.db")
        self.elapsed, self.first = 0.0, time_of_first or time.time()
        self.say(Kind.OPENED, body={"host": "elsewhere", "pid": 1, "n_workers": 2})

    def say(self, kind, trial=None, resource=None, body=None):
        self.elapsed += 1.0
        attempt = None if trial is None else 0
        event = Event(kind, self.elapsed, self.first + self.elapsed, trial, attempt, resource, body or {})
        self.store.append([event])

    def start(self, trial):
        self.say(Kind.STARTED, trial, body={"configuration": self.configuration, "until": None})

    def report(self, trial, resource, value):
        metrics = {"val_acc": value, "epoch": resource}
        body = {"metrics": metrics, "decision": "CONTINUE", "position": resource, "line": resource}
        self.say(Kind.REPORTED, trial, resource, body)

    def end(self, trial, status="completed"):
        self.say(Kind.ENDED, trial, body={"status": status, "exit_code": 0, "signal": None, "error": None, "usage": {}})

    def finish(self):
        self.say(Kind.FINISHED, body={"reason": "it is over"})

    def close(self):
        self.store.close()
