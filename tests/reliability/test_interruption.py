"""T8: SIGTERM to the tuner with four live trials. Each gets its grace to write a checkpoint, and goes on from it."""

import json
import os
import signal
import time

import pytest

from hpo.events.types import Kind
from hpo.results.experiment import load_experiment
from tests.reliability.harness import RUNS, Project, wait_until

GRACE = 2.0
SAVING = 1.2
"""Seconds that writing a checkpoint takes: more than half of the grace."""

SAVER = f"""
import json, os, signal, sys, time
import hpo
arguments = dict(a[2:].split("=", 1) for a in sys.argv[1:])
folder, trial = arguments["truth"] + ".d", int(os.environ["HPO_TRIAL_ID"])
checkpoint = os.path.join(os.environ["HPO_CHECKPOINT_DIR"], "step")
step = int(open(checkpoint).read()) if os.path.exists(checkpoint) else 0
resumed = step

def note(kind, *values):
    with open(os.path.join(folder, f"{{kind}}.{{trial}}"), "a") as file:
        file.write(json.dumps([time.monotonic(), *values]) + "\\n")

def save():
    with open(checkpoint + ".tmp", "w") as file:
        file.write(str(step))
    os.replace(checkpoint + ".tmp", checkpoint)

def on_sigterm(*_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note("signal", step)
    if trial in STUBBORN:
        while True:
            note("beat")
            time.sleep(0.02)
    time.sleep({SAVING})
    save()
    note("saved", step)
    if trial % 4 == 1:
        sys.exit(1)
    if trial % 4 == 2:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    sys.exit(0)

signal.signal(signal.SIGTERM, on_sigterm)
os.makedirs(folder, exist_ok=True)
note("pid", os.getpid())
if resumed:
    hpo.report(epoch=resumed, loss=1 / resumed)  # again: the signal may have come before the report
while step < int(arguments["epochs"]):
    note("begins", step + 1)
    time.sleep(0.02 if resumed else 0.1 if step < 2 + trial % 3 else 60)
    step += 1
    hpo.report(epoch=step, loss=1 / step)
save()
"""


def project_of(folder, stubborn=()):
    """Four workers, four trials; trial n waits for the signal in step 3 + n % 3."""
    script = SAVER.replace("STUBBORN", str(tuple(stubborn)))
    project = Project(folder, script, workers=4, trials=4, overrides=["method=RS", f"grace_period_seconds={GRACE}"])
    project.directory = project.directory.parent.parent / "RS" / "seed_0"
    return project


def notes(project, kind):
    """What the trials have noted, in order: trial -> [[monotonic seconds, value…], …]."""
    paths = (project.folder / "truth.d").glob(f"{kind}.*")
    return {int(path.suffix[1:]): [json.loads(line) for line in path.read_text().split("\n")[:-1]] for path in paths}


def all_in_the_step_where_they_wait(project):
    """Has every trial begun the step that takes a minute?"""
    begun = notes(project, "begins")
    return all([3 + n % 3] == [step for _, step in begun.get(n, ())][-1:] for n in range(4))


def interrupt(project, everyone):
    """Start the tuner, and send it SIGTERM with four live trials. Returns the seconds until it was gone.

    With `everyone`, its trials get the signal at the same time, as they do from a cluster that takes its processes back.
    """
    tuner = project.start()
    wait_until(lambda: all_in_the_step_where_they_wait(project), 60, "four trials in the step where they wait")
    pids = [lines[0][1] for lines in notes(project, "pid").values()]
    begin = time.monotonic()
    tuner.terminate()
    for pid in pids if everyone else ():
        os.kill(pid, signal.SIGTERM)
    assert tuner.wait(60) == 128 + signal.SIGTERM == 143, project.output()
    return time.monotonic() - begin


def statuses(project):
    """What the log says of the four trials."""
    states = load_experiment(project.directory).state.trials
    return [states[n].status.value for n in range(4)]


@pytest.mark.timeout(1200)
def test_four_of_four_trials_write_a_checkpoint_on_sigterm_and_go_on_at_the_next_step(tmp_path):
    for run in range(RUNS or 1):
        project = project_of(tmp_path / str(run))
        seconds = interrupt(project, everyone=run % 2 == 1)
        assert SAVING <= seconds <= GRACE + 5.0
        saved = {trial: lines[-1][1] for trial, lines in notes(project, "saved").items()}
        assert saved == {0: 2, 1: 3, 2: 4, 3: 2}, "each was in the step after the last that it had finished"
        checkpoints = project.directory.glob("trials/*/checkpoint/step")
        assert {int(path.parts[-3]): int(path.read_text()) for path in checkpoints} == saved
        assert {trial: len(lines) for trial, lines in notes(project, "signal").items()} == dict.fromkeys(range(4), 1)
        assert statuses(project) == ["interrupted"] * 4
        metadata = load_experiment(project.directory).metadata
        assert metadata["status"] == "interrupted"

        assert project.finish() == 0, project.output()
        for trial, lines in notes(project, "begins").items():
            steps = [step for _, step in lines]
            interrupted = saved[trial] + 1
            assert steps == [*range(1, interrupted + 1), *range(interrupted, 10)], "it goes on at step k + 1"
        after = load_experiment(project.directory)
        assert statuses(project) == ["completed"] * 4
        reports = sorted((e.trial, e.resource) for e in after.events if e.kind == Kind.REPORTED)
        assert reports == [(trial, step) for trial in range(4) for step in range(1, 10)]


@pytest.mark.timeout(1200)
def test_a_trial_that_ignores_sigterm_gets_its_grace_and_holds_the_tuner_no_longer(tmp_path):
    for run in range(RUNS or 1):
        project = project_of(tmp_path / str(run), stubborn=[3])
        seconds = interrupt(project, everyone=False)
        assert GRACE <= seconds <= GRACE + 5.0
        assert sorted(notes(project, "saved")) == [0, 1, 2], "the others were given the time they needed"
        lived = notes(project, "beat")[3][-1][0] - notes(project, "signal")[3][0][0]
        assert GRACE - 0.5 <= lived <= GRACE + 3.0
        assert statuses(project) == ["interrupted"] * 4
