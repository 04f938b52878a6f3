"""A signal ends a session in order, and is lost neither in what swallows its exception nor in who called the session."""

import signal
import subprocess
import sys
import time

import pytest

from hpo.experiment.signals import remember_interrupts
from hpo.results.experiment import load_experiment
from tests.conftest import succeeded

pytestmark = pytest.mark.process

SWALLOWING = """
import os, signal, time
import hpo

try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)
except:
    pass

class Callback(hpo.Callback):
    pass
"""


def test_a_session_whose_start_swallowed_it_ends_in_order(workplace):
    workplace.write("swallowing.py", SWALLOWING)
    workplace.environment["PYTHONPATH"] = str(workplace.path)
    command = ("benchmark=mine", "method=RS", "experiment_tag=t")
    callback = ("+callbacks.swallowing._target_=swallowing.Callback", "trusted_modules=[swallowing]")
    result = workplace.hpo(*command, *callback)
    assert result.returncode == 130, result.stderr
    assert "Traceback" not in result.stderr
    assert load_experiment(workplace.directory("t")).state.finished is None
    succeeded(workplace.hpo(*command))
    assert load_experiment(workplace.directory("t")).state.finished is not None


DURING_AN_IMPORT = """
import os, signal, sys

def watch(frame, event, _):
    code = frame.f_code
    if event == "call" and code.co_name == "cb" and "importlib" in code.co_filename and "hydra.core" in sys.modules:
        sys.setprofile(None)
        print("the import system calls back", flush=True)
        os.kill(os.getpid(), signal.SIGINT)

if "hpo" in sys.orig_argv:
    sys.setprofile(watch)
"""


def test_one_that_the_import_system_dropped_ends_the_session_in_order(workplace):
    workplace.write("first/sitecustomize.py", DURING_AN_IMPORT)
    workplace.environment["PYTHONPATH"] = str(workplace.path / "first")
    command = ("benchmark=mine", "method=RS", "experiment_tag=t")
    result = workplace.hpo(*command)
    assert result.stdout.count("the import system calls back") == 1, "sent at another moment than the test is about"
    assert result.returncode == 130, result.stderr
    assert "KeyboardInterrupt" not in result.stderr
    assert load_experiment(workplace.directory("t")).state.finished is None


def test_it_raises_as_before():
    code = (
        "import os, signal, time, hpo.experiment.signals as i\n"
        "i.remember_interrupts()\n"
        "assert i.asked_to_end() is None\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT); time.sleep(5)\n"
        "except KeyboardInterrupt:\n    print(i.asked_to_end() == signal.SIGINT)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL])
def test_a_handler_that_is_not_the_interpreter_s_own_stays(handler):
    before = signal.signal(signal.SIGINT, handler)
    try:
        remember_interrupts()
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


LOOP = """
import sys
import time
from pathlib import Path
import hpo
import yaml

base = Path(sys.argv[1])
for seed in range(3):
    config = hpo.load_config(yaml.safe_load(open("conf/benchmark/mine.yaml")), "RS", seed=seed, random_seed=1)
    print(hpo.run_experiment(config, base / str(seed)).status, flush=True)
"""


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [(signal.SIGINT, -signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, -signal.SIGTERM, "")],
)
def test_a_loop_over_seeds_ends_with_the_session_that_a_signal_ended(workplace, number, code, words):
    workplace.benchmark(arguments={"epochs": 50, "sleep": 0.2}, n_workers=1)
    workplace.write("loop.py", LOOP)
    command = [sys.executable, "loop.py", str(workplace.path)]
    with subprocess.Popen(command, cwd=workplace.path, stdout=-1, stderr=-1, text=True) as process:
        deadline = time.monotonic() + 60
        while not any(p.stat().st_size for p in workplace.path.glob("0/trials/*/attempt_0/reports.jsonl")):
            assert time.monotonic() < deadline, "it never reported"
            time.sleep(0.02)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert words in err
    assert out == ""
    assert load_experiment(workplace.path / "0").metadata["status"] == "interrupted"
    assert not load_experiment(workplace.path / "0").state.running, "it did not end in order"
    assert not (workplace.path / "1").exists()


HANDLED = """
import os
import signal
import sys
import hpo
import yaml

signal.signal(signal.SIGTERM, lambda number, frame: print("told", number == signal.SIGTERM, flush=True))

class Ending(hpo.Callback):
    def on_event(self, event):
        if event.kind == "reported":
            os.kill(os.getpid(), signal.SIGTERM)

config = hpo.load_config(yaml.safe_load(open("conf/benchmark/mine.yaml")), "RS", random_seed=1, n_workers=1)
outcome = hpo.run_experiment(config, "out", callbacks=[Ending()])
print(outcome.status, outcome.signal == signal.SIGTERM, outcome.best["trial_id"])
"""


def test_a_caller_s_own_handler_is_told_after_the_session_and_the_outcome_names_the_signal(workplace):
    workplace.write("handled.py", HANDLED)
    done = subprocess.run(
        [sys.executable, "handled.py"], cwd=workplace.path, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == ["told True", "interrupted True 0"]
