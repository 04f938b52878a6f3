"""Values that are no numbers, at any step, with any method: no crash, never the best, kept where they are results."""

import math

import pytest

from hpo.events.types import Kind
from hpo.results.experiment import load_experiment
from tests.reliability.harness import Project

SCRIPT = """
import sys
import hpo
arguments = dict(a[2:].split("=", 1) for a in sys.argv[1:])
name, _, step = arguments["case"].partition("_at_")
if name == "numpy":
    import numpy
    odd = numpy.float32(0.25)
else:
    odd = dict(good=None, nan=float("nan"), inf=float("inf"), minus=float("-inf"), none=None, text="0.1", true=True,
               huge=10**400, giant=-(10**400), endless=10**4200)[name]
for epoch in range(1, int(arguments["epochs"]) + 1):
    loss = 1 + float(arguments["x"]) / epoch
    if name != "good" and epoch == int(step):
        loss = odd
    hpo.report(epoch=epoch, loss=loss)
"""
RESULTS = {"nan", "inf", "minus", "huge", "giant", "endless"}
"""Numbers of a training that diverged: recorded, and never the best."""
NO_NUMBERS = {"none", "text", "true"}
NAMES = sorted(RESULTS | NO_NUMBERS | {"numpy"})
CASES = [f"{name}_at_{step}" for step in (1, 2, 3) for name in NAMES]


def told(name, value):
    """Is this what the script reported?"""
    if name == "nan":
        return math.isnan(value)
    powers = {"huge": 10**400, "giant": -(10**400), "endless": 10**4200}
    return value == {**powers, "inf": math.inf, "minus": -math.inf, "numpy": 0.25}[name]


@pytest.mark.parametrize("method", ["RS", "ASHA", "BO", "MOBSTER"])
def test_odd_values_at_any_step_are_survived_and_never_the_best(tmp_path, method):
    trials = len(CASES) + 6  # the last are proposed by a model that has seen all the others
    project = Project(tmp_path, SCRIPT, trials=trials, overrides=[f"method={method}", "max_failures=100"])
    project.overrides.remove("method=ASHA")
    benchmark = project.folder / "conf" / "benchmark" / "truth.yaml"
    points = ", ".join(f"{{x: 0.{50 + i}, case: {case}}}" for i, case in enumerate(["good", *CASES]))
    space = f"config_space:\n  case: {{type: choice, values: [good, {', '.join(CASES)}]}}\n"
    text = benchmark.read_text().replace("config_space:\n", space).replace("epochs: 9", "epochs: 3")
    benchmark.write_text(f"{text}points_to_evaluate: [{points}]\n")
    assert project.finish() == 0, project.output()
    assert "Traceback" not in project.output()
    experiment = load_experiment(project.directory.parent.parent / method / "seed_0")
    assert len(experiment.state.trials) == trials
    finite, odd, failed = [], set(), set()
    for event in experiment.events:
        name, _, step = ("", "", "")
        if event.trial is not None:
            name, _, step = experiment.state.trials[event.trial].trial.configuration["case"].partition("_at_")
        if event.kind == Kind.REPORTED:
            loss = event.body["metrics"]["loss"]
            if step == str(event.resource):
                assert name not in NO_NUMBERS
                assert told(name, loss)
                odd.add(name)
            if not step or step != str(event.resource) or name == "numpy":
                finite.append(loss)
        elif event.kind == Kind.ENDED and event.body["status"] == "failed":
            assert "which is not a number" in event.body["error"]
            failed.add(name)
    assert odd == RESULTS | {"numpy"}
    assert failed == NO_NUMBERS
    assert experiment.best["loss"] == min(finite) == 0.25
    rows = experiment.reports
    assert sum(isinstance(v, float) and math.isnan(v) for v in rows["loss"]) >= 1, "curves keep the NaN"
