"""What is forked is as what is started; a quick run has neither."""

import signal
import subprocess
import sys

import pytest

from tests.conftest import UNMARKED
from tests.support.forking import ROOT, Forked

pytestmark = pytest.mark.process


def test_it_says_and_returns_what_a_started_one_does(workplace):
    for arguments in (["--version"], ["benchmark=nothing"], ["nothing"]):
        command = [sys.executable, "-m", "hpo", *arguments]
        started = subprocess.run(command, cwd=workplace.path, capture_output=True, text=True)
        forked = workplace.verb(*arguments)
        assert (forked.returncode, forked.stdout, forked.stderr) == (started.returncode, started.stdout, started.stderr)


def test_each_has_its_own_folder_environment_and_signals(workplace):
    workplace.benchmark(arguments={"epochs": 1000, "sleep": 0.03})
    with workplace.start("benchmark=mine", "method=RS", "experiment_tag=t") as process:
        assert isinstance(process, Forked)
        next(line for line in process.stdout if "mine" in line)
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=60) == -signal.SIGKILL
        process.kill()
    assert (workplace.directory("t") / "events.db").exists()
    said = workplace.hpo("--cfg", "job", "benchmark.data=${oc.env:SAID}", "--resolve", SAID="this")
    assert "data: this" in said.stdout


def test_what_an_interpreter_reads_when_it_starts_gets_one_of_its_own(workplace):
    with workplace.start("--version", PYTHONPATH=str(workplace.path)) as process:
        assert isinstance(process, subprocess.Popen)
        process.communicate(timeout=60)


@pytest.mark.parametrize(("mark", "outcome"), [("", "1 failed"), ("@pytest.mark.process\n", "1 deselected")])
def test_a_quick_run_names_a_test_that_starts_a_process_without_its_mark(tmp_path, mark, outcome):
    file = tmp_path / "test_it.py"
    file.write_text(f"import os, pytest\n\n{mark}def test_it():\n    os.system('true')\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tests.conftest",
        "--quick",
        f"--rootdir={tmp_path}",
        str(file),
    ]
    said = subprocess.run([*command, "-c", "/dev/null"], cwd=ROOT, capture_output=True, text=True).stdout
    assert outcome in said, said
    assert (UNMARKED in said) == (outcome == "1 failed")
