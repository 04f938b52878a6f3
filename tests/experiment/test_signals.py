"""A Ctrl-C that comes while a session starts is not lost, whoever swallows its exception."""

import signal
import subprocess
import sys

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
