"""Trials that crash at random do not end an experiment; crashes of every trial do, and say why."""

import json
import signal
import time

import pytest

from hpo.events.types import Kind
from hpo.results.experiment import load_experiment
from tests.reliability.harness import RUNS, Project

CRASHING = """
import json, os, signal, sys
import hpo
arguments = dict(a[2:].split("=", 1) for a in sys.argv[1:])
x = float(arguments["x"])
kind = int(x * 1e6) % 10 if {share} < 1 else 0
plan = {{0: "exit", 1: "segfault", 2: "exception"}}.get(kind, "good")
if plan == "exit" and int(x * 1e7) % 2:
    plan = "killed"
with open(arguments["truth"] + ".plan", "a") as file:
    file.write(json.dumps([int(os.environ["HPO_TRIAL_ID"]), plan]) + "\\n")
if plan != "good":
    for line in range(30):
        print("line", line, "before the", plan, file=sys.stderr, flush=True)
if plan == "exit":
    sys.exit(3)
if plan == "segfault":
    os.kill(os.getpid(), signal.SIGSEGV)
if plan == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if plan == "exception":
    raise ZeroDivisionError("a configuration that cannot be")
for epoch in range(1, int(arguments["epochs"]) + 1):
    hpo.report(epoch=epoch, loss=x / epoch)
"""
ENDS = {
    "exit": (3, None, "line 29 before the exit"),
    "segfault": (None, signal.SIGSEGV, "line 29 before the segfault"),
    "killed": (None, signal.SIGKILL, "line 29 before the killed"),
    "exception": (1, None, "ZeroDivisionError: a configuration that cannot be"),
    "good": (0, None, None),
}


@pytest.mark.timeout(900)
def test_of_a_hundred_trials_thirty_crash_and_every_one_is_accounted_for(tmp_path):
    for run in range(RUNS // 4 if RUNS else 1):
        overrides = ["method=RS", "max_failures=100", f"random_seed={run}"]
        project = Project(tmp_path / str(run), CRASHING.format(share=0.3), workers=2, trials=100, overrides=overrides)
        project.overrides.remove("random_seed=7")
        assert project.finish() == 0, project.output()
        assert "Traceback" not in project.output()
        directory = project.directory.parent.parent / "RS" / "seed_0"
        plan = dict(json.loads(line) for line in (project.folder / "truth.plan").read_text().splitlines())
        assert sorted(plan) == list(range(100))
        assert 15 <= sum(end != "good" for end in plan.values()) <= 45, "the test crashes too few or too many"
        ended = {event.trial: event.body for event in load_experiment(directory).events if event.kind == Kind.ENDED}
        assert sorted(ended) == list(range(100))
        for trial, body in ended.items():
            code, number, words = ENDS[plan[trial]]
            assert (body["exit_code"], body["signal"]) == (code, number)
            assert body["status"] == ("completed" if plan[trial] == "good" else "failed")
            if words is not None:
                assert body["error"].splitlines()[-1] == words
                assert len(body["error"].splitlines()) == 21, "how it ended and the last 20 lines"


def test_ten_crashes_in_a_row_end_the_experiment_with_what_the_first_said(tmp_path):
    project = Project(
        tmp_path, CRASHING.format(share=1), trials=100, overrides=["method=RS", "max_failures=10", "n_workers=1"]
    )
    begin = time.monotonic()
    assert project.finish() == 1
    assert time.monotonic() - begin < 60
    (sentence,) = [line for line in project.output().splitlines() if line.startswith("hpo: error: ")]
    assert "max_failures=10" in sentence
    plan = [json.loads(line) for line in (project.folder / "truth.plan").read_text().splitlines()]
    assert len(plan) == 10
    assert ENDS[plan[0][1]][2] in sentence
    assert "Traceback" not in project.output()
