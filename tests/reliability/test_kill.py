"""`kill -9` of the tuner at random moments, then the same command: nothing lost, nothing mixed, the same decisions."""

import random
import time
from collections import Counter

import pytest

from hpo.events.types import Kind
from hpo.results.experiment import load_experiment
from tests.reliability.harness import RUNS, Project
from tests.support.marks import or_slow


def decisions(directory):
    """What was decided, in order: the part of the log that an interruption may not change."""
    log = []
    for event in load_experiment(directory).events:
        if event.kind in (Kind.STARTED, Kind.RESUMED):
            log.append((event.kind.value, event.trial, event.body.get("configuration"), event.body["until"]))
        elif event.kind == Kind.REPORTED:
            log.append((event.kind.value, event.trial, event.resource, event.body["metrics"], event.body["decision"]))
    return log


def check(project):
    """Every acknowledged report is stored once, under the configuration that made it."""
    experiment = load_experiment(project.directory)
    assert experiment.metadata["status"] == "complete"
    assert experiment.state.finished == "max_num_trials=12 trials are done"
    rows = [
        (
            event.trial,
            experiment.state.trials[event.trial].trial.configuration["x"],
            event.resource,
            event.body["metrics"]["loss"],
        )
        for event in experiment.events
        if event.kind == Kind.REPORTED
    ]
    assert max(Counter((trial, epoch) for trial, _, epoch, _ in rows).values()) == 1
    for _, x, epoch, loss in rows:
        assert loss == (x - 0.3) ** 2 + 1 / epoch
    assert set(project.truth()) <= set(rows)
    elapsed = [event.elapsed for event in experiment.events]
    assert elapsed == sorted(elapsed)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """(decision log, wall time) of the experiment when nobody disturbs it."""
    project = Project(tmp_path_factory.mktemp("uninterrupted"))
    begin = time.monotonic()
    assert project.finish() == 0, project.output()
    return decisions(project.directory), time.monotonic() - begin


def moments(count):
    """Shares of the run at which to kill: the first second, the shutdown, and anywhere."""
    rng = random.Random(count)
    return ([0.0, 0.1, 0.2, 0.97, 1.0] + [rng.random() for _ in range(count)])[:count]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("workers", or_slow([1, 2], [1]))
def test_the_same_command_resumes_after_kill_9_at_any_moment(tmp_path, uninterrupted, workers):
    reference, seconds = uninterrupted
    for number, share in enumerate(moments(RUNS or 6)):
        project = Project(tmp_path / str(number), workers=workers)
        tuner = project.start()
        time.sleep(share * seconds / (1 if workers == 1 else 1.5))
        tuner.kill()
        tuner.wait()
        assert project.finish() == 0, project.output()
        check(project)
        if workers == 1:
            assert decisions(project.directory) == reference, f"killed after {share * seconds:.2f} s"


@pytest.mark.timeout(600)
def test_an_experiment_killed_again_and_again_still_comes_to_the_same_end(tmp_path, uninterrupted):
    reference, _ = uninterrupted
    project = Project(tmp_path)
    rng = random.Random(1)
    for _ in range(RUNS or 5):
        tuner = project.start()
        time.sleep(0.4 + rng.random() * 0.8)
        tuner.kill()
        tuner.wait()
    assert project.finish() == 0, project.output()
    check(project)
    assert decisions(project.directory) == reference
