"""A metric that the script does not report ends the experiment at its first report, with the name that was meant."""

import time

import pytest

from hpo.events.types import Kind
from hpo.results.experiment import load_experiment
from tests.reliability.harness import RUNS, Project

SCRIPT = """
import time
import hpo
for epoch in range(1, 10):
    hpo.report(**{REPORT})
    time.sleep(0.2)
"""
REPORTS = {
    "benchmark.metric=val_loss": ("dict(epoch=epoch, valid_loss=1.0)", "epoch, valid_loss", "valid_loss"),
    "benchmark.resource_attr=epoch": ("dict(epochs=epoch, val_loss=1.0)", "epochs, val_loss", "epochs"),
}


@pytest.mark.parametrize("key", REPORTS)
def test_a_name_that_is_not_reported_ends_it_before_a_second_trial(tmp_path, key):
    report, names, near = REPORTS[key]
    for run in range(RUNS or 1):
        project = Project(
            tmp_path / str(run), SCRIPT.replace("{REPORT}", report), overrides=["benchmark.metric=val_loss"]
        )
        begin = time.monotonic()
        assert project.finish() == 1
        assert time.monotonic() - begin < (10 if RUNS else 30)
        (sentence,) = [line for line in project.output().splitlines() if line.startswith("hpo: error: ")]
        assert key in sentence
        assert f"the script reported only {names}" in sentence
        assert f"did you mean {near!r}?" in sentence
        events = load_experiment(project.directory).events
        assert sum(event.kind == Kind.STARTED for event in events) == 1
        (ended,) = [event for event in events if event.kind == Kind.ENDED]
        assert ended.elapsed < (2 if RUNS else 10)
