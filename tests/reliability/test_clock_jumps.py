"""T13: the wall clock jumps an hour back and a day ahead. Budgets, time limits and elapsed time do not notice.

The jumps are made by libfaketime in the tuner, the trial host and the trials. It leaves the monotonic clock alone, as
a real change of the clock does; the trials' own readings of that clock say what time really passed.
"""

import itertools
from pathlib import Path

import pytest

from hpo.events.types import Kind
from hpo.results.experiment import load_experiment
from tests.reliability.harness import RUNS, Project, wait_until
from tests.support import debian

BUDGET = 3.0
NOISE = 2.0
"""Seconds that a machine with other work may take to start, to end and to write."""
HOUR, DAY = 3600, 86400

SCRIPT = """
import os, sys, time
import hpo
arguments = dict(a[2:].split("=", 1) for a in sys.argv[1:])
checkpoint = os.path.join(os.environ["HPO_CHECKPOINT_DIR"], "step")
step = int(open(checkpoint).read()) if os.path.exists(checkpoint) else 0
while True:
    time.sleep(0.05)
    step += 1
    with open(checkpoint + ".tmp", "w") as file:
        file.write(str(step))
    os.replace(checkpoint + ".tmp", checkpoint)
    hpo.report(epoch=step, loss=1 / step, monotonic=time.monotonic(), wall=time.time())
"""


@pytest.fixture(scope="module")
def libfaketime():
    """Where the library is."""
    if missing := debian.install(["faketime"], ["faketime"]):
        pytest.skip(missing)
    return str(next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")))


class Clock:
    """The wall clock of processes that are started while it is in the environment."""

    def __init__(self, monkeypatch, library, folder):
        self.path = folder / "clock"
        self.jump("+0")
        for name, value in {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(self.path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }.items():
            monkeypatch.setenv(name, value)

    def jump(self, offset):
        """Be `offset` away from the true time from now on."""
        temporary = self.path.with_name("clock.new")
        temporary.write_text(offset)
        temporary.replace(self.path)


def project_of(folder):
    """Two trials that go on until the budget is over."""
    budget = [
        f"max_wallclock_time={BUDGET}",
        "max_num_trials=null",
        "grace_period_seconds=5",
        "benchmark.arguments.epochs=100000",
    ]
    limits = ["trial_silence_timeout=60", "trial_timeout=600"]
    project = Project(folder, SCRIPT, workers=2, overrides=["method=RS", *budget, *limits])
    project.directory = project.directory.parent.parent / "RS" / "seed_0"
    return project


def reports(project):
    """How many reports are on the disk."""
    return sum(path.read_text().count("\n") for path in project.directory.glob("trials/*/attempt_*/reports.jsonl"))


def check(project, sessions):
    """Compare the log with what the monotonic clock of the trials says."""
    experiment = load_experiment(project.directory)
    events = experiment.events
    assert experiment.state.sessions == sessions
    elapsed = [event.elapsed for event in events]
    assert elapsed == sorted(elapsed)
    told = [event for event in events if event.kind == Kind.REPORTED]
    starts = [number for number, event in enumerate(events) if event.kind == Kind.OPENED]
    for begin, end in zip(starts, [*starts[1:], len(events)], strict=True):
        session = [event for event in events[begin:end] if event in told]
        lags = [event.elapsed - event.body["metrics"]["monotonic"] for event in session]
        assert max(lags) - min(lags) < NOISE, "elapsed is not the time that passed"
    assert {event.body["status"] for event in events if event.kind == Kind.ENDED} == {"interrupted"}
    assert experiment.state.finished == f"max_wallclock_time={BUDGET:g} s is over"
    last = told[-1].elapsed
    assert BUDGET - NOISE < last < BUDGET + 1.0 + NOISE
    assert BUDGET <= events[-1].elapsed < BUDGET + 1.0 + NOISE
    return events


@pytest.mark.timeout(600)
def test_a_clock_that_jumps_during_a_run_changes_no_budget_and_no_elapsed_time(tmp_path, monkeypatch, libfaketime):
    for run in range(RUNS or 1):
        folder = tmp_path / str(run)
        project = project_of(folder)
        clock = Clock(monkeypatch, libfaketime, folder)
        tuner = project.start()
        for count, offset in [(4, "-1h"), (12, "+1d"), (20, "-1h"), (28, "+1d")]:
            wait_until(lambda project=project, count=count: reports(project) >= count, 60, f"{count} reports")
            clock.jump(offset)
        assert tuner.wait(60) == 0, project.output()
        events = check(project, sessions=1)
        stamps = [event.time for event in events]
        jumps = [later - earlier for earlier, later in itertools.pairwise(stamps)]
        assert len([jump for jump in jumps if jump > DAY - 60]) == 2, "the clock of the tuner did jump ahead"
        assert len([jump for jump in jumps if jump < 60 - HOUR]) == 2, "and back"
        walls = [event.body["metrics"]["wall"] for event in events if event.kind == Kind.REPORTED]
        assert max(walls) - min(walls) > DAY, "that of the trials, too"


@pytest.mark.timeout(600)
def test_a_clock_that_jumps_between_sessions_changes_no_budget_and_no_elapsed_time(tmp_path, monkeypatch, libfaketime):
    for run in range(RUNS or 1):
        folder = tmp_path / str(run)
        project = project_of(folder)
        clock = Clock(monkeypatch, libfaketime, folder)
        ends = []
        for number, offset in enumerate(["-1h", "+1d"], 1):
            tuner = project.start()
            wait_until(lambda project=project, count=12 * number: reports(project) >= count, 60, "reports")
            tuner.terminate()
            assert tuner.wait(60) == 143, project.output()
            ends.append(load_experiment(project.directory).events[-1])
            clock.jump(offset)
        assert project.finish() == 0, project.output()
        events = check(project, sessions=3)
        opened = [event for event in events if event.kind == Kind.OPENED]
        for before, after in zip(ends, opened[1:], strict=True):
            assert before.elapsed <= after.elapsed < before.elapsed + NOISE, "elapsed time goes on where it was"
            assert abs(after.time - before.time) > HOUR - 60, "the clock did jump"
