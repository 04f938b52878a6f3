"""Several simulated experiments of one command: how the batch ends early, and what becomes of a lost process."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hpo.host import process_marks
from hpo.results.experiment import load_experiment
from tests.backends.test_simulated import SPACE, experiment, make_table, rows
from tests.conftest import succeeded

pytestmark = pytest.mark.process

CALLBACKS = """
import os, signal, time
from pathlib import Path
import hpo

HERE = Path(__file__).parent

class Waiting(hpo.Callback):
    '''Says which process runs the experiment, and holds it until there is a file `go`.'''

    def __init__(self, config):
        self.seed = config.seed

    def on_open(self, state):
        part = HERE / f"seed{self.seed}.part"
        part.write_text(str(os.getpid()))
        part.rename(HERE / f"seed{self.seed}.begun")
        while not (HERE / "go").exists():
            time.sleep(0.01)

class Deadly(Waiting):
    '''Kills the process that runs seed 3, but not a second time.'''

    def on_open(self, state):
        if self.seed == 3 and not (HERE / "killed").exists():
            (HERE / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)

class HangingUp(Waiting):
    '''Hangs up on the session that it belongs to.'''

    def __init__(self, config):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

    def on_open(self, state):
        os.kill(os.getpid(), signal.SIGHUP)
"""
TOTAL = 24


@pytest.fixture
def place(workplace):
    """A working directory with the simulated benchmark `bowl` and callbacks."""
    make_table().save(workplace.path / "bowl")
    workplace.benchmark(
        "bowl",
        **{"script": ..., "table": str(workplace.path / "bowl"), "config_space": SPACE, "arguments": {"epochs": 9}},
        **{"max_num_trials": 5, "max_wallclock_time": ...},
    )
    workplace.write("watchers.py", CALLBACKS)
    workplace.environment["PYTHONPATH"] = str(workplace.path)
    return workplace


def words(name, total=TOTAL):
    callback = (f"+callbacks.it._target_=watchers.{name}", "trusted_modules=[watchers]") if name else ()
    return ["benchmark=bowl", "method=RS", f"num_seeds={total}", "experiment_tag=t", "random_seed=1", *callback]


def begun(place):
    """Seed of each experiment that was begun, and the process that runs it."""
    return {int(path.stem.removeprefix("seed")): int(path.read_text()) for path in place.path.glob("*.begun")}


def wait_until(condition, what):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


@pytest.fixture
def held(place):
    """A batch of which as many experiments are running as there are processes, in a session of its own."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    batch = subprocess.Popen(
        place.command(*words("Waiting")),
        cwd=place.path,
        env={**os.environ, **place.environment},
        start_new_session=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: len(begun(place)) == len(cores), "no experiment begins")
    yield batch
    with batch:
        for pid in {batch.pid, *begun(place).values()}:
            process_marks.send([pid], signal.SIGKILL)


def has_ended(pid):
    return process_marks._is_zombie(pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_lets_running_experiments_come_to_their_end_and_begins_no_other(held, place, number):
    os.killpg(held.pid, number)  # as a terminal does: the processes of the experiments get it too
    time.sleep(0.5)  # it must have heard of it before they are done
    (place.path / "go").touch()
    _, said = held.communicate(timeout=120)
    assert held.returncode == 128 + number
    assert "Traceback" not in said
    assert len(begun(place)) < TOTAL / 2
    assert all(has_ended(pid) for pid in begun(place).values())
    for seed in begun(place):
        assert load_experiment(place.directory("t", seed=seed, benchmark="bowl")).metadata["status"] == "complete"


def test_a_second_signal_does_not_wait_and_the_same_command_goes_on_as_if_nothing_had_been(held, place):
    held.send_signal(signal.SIGINT)
    time.sleep(0.5)  # else the two may be heard as one
    assert held.poll() is None
    held.send_signal(signal.SIGINT)
    _, said = held.communicate(timeout=120)
    assert held.returncode == 130
    assert "Traceback" not in said
    (seed, pid), *_ = begun(place).items()
    assert has_ended(pid)
    succeeded(place.hpo(*words(None)))
    succeeded(place.hpo(*words(None), "hydra.sweep.dir=outputs/other"))
    other = place.path / "outputs" / "other" / "bowl" / "RS" / f"seed_{seed}"
    assert rows(place.directory("t", seed=seed, benchmark="bowl")) == rows(other)


def test_when_the_parent_is_killed_no_process_is_left_behind(held, place):
    held.kill()
    held.wait()
    wait_until(lambda: all(has_ended(pid) for pid in begun(place).values()), "a process is left behind")


def test_a_ctrl_c_that_was_swallowed_before_the_batch_begins_no_experiment(tmp_path):
    code = (
        "import os, signal, sys, time\nfrom pathlib import Path\n"
        "import hpo.experiment.signals\nfrom hpo.experiment.batch import run_batch\n"
        "from tests.backends.test_simulated import experiment\n"
        "hpo.experiment.signals.remember_interrupts()\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT); time.sleep(5)\nexcept KeyboardInterrupt:\n    pass\n"
        "folder = Path(sys.argv[1])\n"
        "try:\n    list(run_batch([(experiment(folder, seed=seed), folder / str(seed)) for seed in range(2)]))\n"
        "except SystemExit as end:\n    print(end.code)\n"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "130\n"
    assert not (tmp_path / "0").exists()


def test_a_killed_process_costs_the_experiment_that_it_ran_and_no_other(place):
    result = place.hpo(*words("Deadly", 8))
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "7 of 8 experiments complete" in result.stdout
    (line,) = [line for line in result.stdout.splitlines() if "failed: " in line]
    assert "seed_3: its process was killed by SIGKILL" in line
    assert "the same command runs what is missing" in line
    assert "8 of 8 experiments complete" in succeeded(place.hpo(*words("Deadly", 8)))


def test_an_interrupted_experiment_does_not_pass_for_a_complete_one(place, monkeypatch):
    from hpo.experiment.batch import run_batch

    monkeypatch.syspath_prepend(place.path)
    keys = {"callbacks": {"it": {"_target_": "watchers.HangingUp"}}, "trusted_modules": ["watchers"]}
    batch = [
        (experiment(place.path, seed=0, **keys), place.path / "out"),
        (experiment(place.path, seed=1), place.path / "b"),
    ]
    codes = {result.directory.name: result.code for result in run_batch(batch)}
    assert codes == {"out": 128 + signal.SIGHUP, "b": 0}
