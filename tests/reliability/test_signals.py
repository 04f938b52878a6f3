"""However the tuner ends, no process is left: four signals, four kinds of trial."""

import signal
import time

import pytest

from hpo.backends import marks
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
            assert "interrupted; the same command goes on" in project.output()
        wait_until(lambda pids=pids: not any(alive(pid) for pid in pids()), 5.0 + GRACE, "the end of all processes")
        mark = marks.experiment_mark(project.directory)
        wait_until(lambda mark=mark: not marks.marked(mark, whole_experiment=True), 5.0 + GRACE, "the end of the host")


def test_a_second_interrupt_does_not_wait_for_the_grace_period(tmp_path):
    project = Project(tmp_path, KINDS["stubborn"], workers=1, overrides=["grace_period_seconds=100"])
    tuner = project.start()
    wait_until(lambda: len(list(tmp_path.glob("truth.*"))) >= 2, what="the trial's processes")
    tuner.send_signal(signal.SIGINT)
    time.sleep(0.5)  # two signals at once are one to the kernel
    assert tuner.poll() is None
    tuner.send_signal(signal.SIGINT)
    assert tuner.wait(10) == 130


def test_on_sigterm_every_trial_gets_to_write_its_checkpoint_and_goes_on_from_it(tmp_path):
    script = """
import os, signal, sys, time
import hpo
checkpoint = os.path.join(os.environ["HPO_CHECKPOINT_DIR"], "epoch")
epoch = int(open(checkpoint).read()) if os.path.exists(checkpoint) else 0
limit = int([a.partition("=")[2] for a in sys.argv if a.startswith("--epochs=")][0])
def save(*_):
    time.sleep(0.2)
    with open(checkpoint, "w") as file: file.write(str(epoch))
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
resumed = epoch
while epoch < limit:
    time.sleep(0.05 if resumed else 0.2 if epoch < 2 else 60)
    epoch += 1
    hpo.report(epoch=epoch, loss=1 / epoch, resumed_from=resumed)
with open(checkpoint, "w") as file: file.write(str(epoch))
"""
    project = Project(tmp_path, script, workers=4, trials=4, overrides=["method=RS", "grace_period_seconds=10"])
    project.directory = project.directory.parent.parent / "RS" / "seed_0"
    tuner = project.start()
    trials = project.directory / "trials"

    def lines():
        return [len(path.read_text().splitlines()) for path in trials.glob("*/attempt_0/reports.jsonl")]

    wait_until(lambda: lines() == [2, 2, 2, 2], what="two reports of each of four trials")
    tuner.terminate()
    assert tuner.wait(30) == 143
    from hpo.results import load_experiment

    assert [state.status for state in load_experiment(project.directory).state.trials.values()] == ["interrupted"] * 4
    assert project.finish() == 0, project.output()
    after = load_experiment(project.directory)
    assert [state.status for state in after.state.trials.values()] == ["completed"] * 4
    assert set(after.reports.query("epoch > 2")["resumed_from"]) == {2}
    assert sorted(after.reports["epoch"]) == sorted(4 * list(range(1, 10)))
