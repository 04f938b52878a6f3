"""However the tuner ends, no process is left: four signals, four kinds of trial."""

import signal
import time

import pytest

from hpo.host import process_marks
from hpo.store.identity import mark_of
from tests.reliability.harness import RUNS, Project, alive, wait_until

GRACE = 1.0

HEAD = """
import os, signal, subprocess, sys, time, json
import hpo
folder = [a.partition("=")[2] for a in sys.argv if a.startswith("--truth=")][0]
def note(pid):
    with open(folder + "." + str(pid), "w") as file: file.write("up")
def work():
    note(os.getpid())
    time.sleep(120)
"""
KINDS = {
    "plain": HEAD + "note(os.getpid())\nhpo.report(epoch=1, loss=0.0)\nwork()",
    "children": HEAD
    + "for _ in range(2):\n    if os.fork() == 0: work()\nnote(subprocess.Popen(['sleep', '120']).pid)\nwork()",
    "daemon": HEAD
    + """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        note(os.getpid()); os.closerange(0, 256); os.environ.clear(); time.sleep(120)
    os._exit(0)
work()
""",
    "stubborn": HEAD + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nif os.fork() == 0: work()\nwork()",
}
PROCESSES = {"plain": 1, "children": 4, "daemon": 2, "stubborn": 2}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda n: n.name)
def test_no_process_is_left(tmp_path, number, kind):
    for run in range(RUNS // 4 if RUNS else 1):
        folder = tmp_path / str(run)
        project = Project(folder, KINDS[kind], workers=2, overrides=[f"grace_period_seconds={GRACE}"])
        tuner = project.start()

        def pids(folder=folder):
            return [int(path.suffix[1:]) for path in folder.glob("truth.*")]

        wait_until(lambda pids=pids: len(pids()) >= 2 * PROCESSES[kind], what="all processes of two trials")
        tuner.send_signal(number)
        code = tuner.wait(30)
        if number == signal.SIGKILL:
            assert code == -signal.SIGKILL
        else:
            assert code == 128 + number, project.output()
            assert "interrupted; the same command resumes it" in project.output()
        wait_until(lambda pids=pids: not any(alive(pid) for pid in pids()), 5.0 + GRACE, "the end of all processes")
        mark = mark_of(project.directory)
        wait_until(
            lambda mark=mark: not process_marks.marked(mark, whole_experiment=True), 5.0 + GRACE, "the end of the host"
        )


def test_a_second_interrupt_does_not_wait_for_the_grace_period(tmp_path):
    project = Project(tmp_path, KINDS["stubborn"], workers=1, overrides=["grace_period_seconds=100"])
    tuner = project.start()
    wait_until(lambda: len(list(tmp_path.glob("truth.*"))) >= 2, what="the trial's processes")
    tuner.send_signal(signal.SIGINT)
    time.sleep(0.5)  # two signals at once are one to the kernel
    assert tuner.poll() is None
    tuner.send_signal(signal.SIGINT)
    assert tuner.wait(10) == 130
