"""Marks: which processes belong to which trial."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hpo.host import process_marks
from tests.conftest import error_of

pytestmark = pytest.mark.process

MARKED = """
import os, sys, time
from hpo.host.process_marks import set_mark
set_mark(int(sys.argv[1]))
if sys.argv[2] == "daemon":
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.closerange(0, 64)
    os.environ.clear()
    if sys.argv[3:]:
        with open(sys.argv[3], "w") as file:
            file.write(str(os.getpid()))
    time.sleep(60)
os.execvpe(sys.argv[2], sys.argv[2:], {"PATH": os.environ["PATH"]})
"""


@pytest.fixture
def mark(tmp_path):
    value = process_marks.experiment_mark(str(tmp_path))
    yield value
    process_marks.send(process_marks.marked(value, whole_experiment=True), signal.SIGKILL)


def start(mark, *command):
    return subprocess.Popen([sys.executable, "-c", MARKED, str(mark), *command], start_new_session=True)


def wait_for(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def test_two_experiments_have_different_marks_and_one_has_the_same_each_time():
    assert process_marks.experiment_mark("a") != process_marks.experiment_mark("b")
    assert process_marks.experiment_mark("a") == process_marks.experiment_mark("a")


def test_the_mark_of_an_attempt_tells_its_experiment(tmp_path):
    mark = process_marks.experiment_mark(str(tmp_path))
    assert process_marks.experiment_of(mark + 12345) == mark


def test_a_process_without_a_mark_has_none():
    assert process_marks.get_mark(os.getpid()) is None


def test_a_process_that_is_gone_has_none():
    process = subprocess.Popen(["true"])
    process.wait()
    assert process_marks.get_mark(process.pid) is None


def test_the_mark_survives_exec_with_a_cleared_environment(mark):
    process = start(mark + 1, "sleep", "60")
    wait_for(lambda: process_marks.marked(mark + 1) == [process.pid])
    process.kill()
    process.wait()


def test_the_mark_survives_a_double_fork_into_a_session_of_its_own(mark):
    process = start(mark + 2, "daemon")
    process.wait()
    wait_for(lambda: len(process_marks.marked(mark + 2)) == 1)
    assert process_marks.marked(mark + 2) != [process.pid]
    assert process_marks.marked(mark + 1) == []


def test_a_zombie_is_no_living_process(mark):
    process = start(mark + 3, "true")
    wait_for(lambda: Path(f"/proc/{process.pid}/stat").read_text().split(") ")[1][0] == "Z")
    assert process_marks.marked(mark + 3) == []
    process.wait()


def test_sweeping_ends_everything_of_an_experiment_and_nothing_else(mark, tmp_path):
    other = start(process_marks.experiment_mark(str(tmp_path / "other")) + 1, "sleep", "60")
    daemon = tmp_path / "daemon"
    processes = [start(mark, "sleep", "60"), start(mark + 1, "sleep", "60"), start(mark + 2, "daemon", daemon)]
    wait_for(lambda: daemon.exists() and daemon.read_text())
    # Exactly these: on its way the daemon was up to three processes.
    all_of_it = sorted([processes[0].pid, processes[1].pid, int(daemon.read_text())])
    wait_for(lambda: sorted(process_marks.marked(mark, whole_experiment=True)) == all_of_it)
    assert process_marks.sweep(mark, grace=5.0) == 3
    assert process_marks.marked(mark, whole_experiment=True) == []
    assert other.poll() is None
    for process in (*processes, other):
        process.kill()
        process.wait()


def test_sweeping_kills_what_ignores_sigterm_after_the_grace_period(mark):
    process = start(mark, sys.executable, "-c", "import signal,time; signal.signal(15, signal.SIG_IGN); time.sleep(60)")
    wait_for(lambda: len(process_marks.marked(mark)) == 1)
    time.sleep(0.3)  # it has to get as far as ignoring
    process_marks.sweep(mark, grace=0.2)
    assert process.wait(5) == -signal.SIGKILL


def test_sweeping_where_nothing_is_left_does_nothing(mark):
    assert process_marks.sweep(mark, grace=5.0) == 0


def test_a_hard_limit_below_the_marks_is_said_in_one_sentence(workplace):
    limit = 10**9
    command = workplace.command("benchmark=mine", "method=RS", "experiment_tag=t")
    result = subprocess.run(
        command,
        cwd=workplace.path,
        env={**os.environ, **workplace.environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_RTTIME, (limit, limit)),
    )
    sentence = error_of(result)
    assert f"RLIMIT_RTTIME of {limit} µs" in sentence
    assert "rttime=-1" in sentence
    assert not (workplace.directory("t") / "host.log").exists(), "a host was started"


def test_processes_are_waited_for_by_a_descriptor_of_any_number():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    process = subprocess.Popen(["sleep", "60"])
    opened = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(2048, before[1]), before[1]))
        while not opened or opened[-1] < 1023:
            opened.append(os.open(os.devnull, os.O_RDONLY))
        process_marks.wait_gone([process.pid], 0.05)
        assert process.poll() is None
        process.kill()
        process_marks.wait_gone([process.pid], 60.0)
        assert process.wait(0) == -signal.SIGKILL
    finally:
        for descriptor in opened:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        process.kill()
        process.wait()


@pytest.mark.parametrize("timeout", [1e10, float("inf")])
def test_processes_are_waited_for_however_long_that_may_be(timeout):
    process = subprocess.Popen(["sleep", "0.2"])
    process_marks.wait_gone([process.pid], timeout)
    assert process.wait(0) == 0
