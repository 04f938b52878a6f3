"""A trial that hangs is ended by its time limit, however it hangs, and its worker goes on to the next."""

import pytest

from hpo.events.types import Kind
from hpo.results.experiment import load_experiment
from tests.reliability.harness import RUNS, Project

LIMIT, GRACE = 1.0, 0.5

HANGING = """
import os, signal, sys, time
import hpo
arguments = dict(a[2:].split("=", 1) for a in sys.argv[1:])
kind = arguments["kind"]
if kind == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if kind == "fork":
    os.fork()
hpo.report(epoch=1, loss=float(arguments["x"]))
if kind == "stopped":
    os.kill(os.getpid(), signal.SIGSTOP)
while kind != "good":
    time.sleep(100)
for epoch in range(2, int(arguments["epochs"]) + 1):
    hpo.report(epoch=epoch, loss=float(arguments["x"]) / epoch)
"""
KINDS = ["sleep", "stopped", "stubborn", "fork"]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("key", ["trial_timeout", "trial_silence_timeout"])
def test_every_hung_trial_is_ended_in_time_and_its_worker_used_again(tmp_path, key):
    kinds = [kind for kind in KINDS for _ in range(RUNS // 2 if RUNS else 1)]
    points = ",".join(f"{{x: 0.{500 + i}, kind: {kind}}}" for i, kind in enumerate([*kinds, "good"]))
    project = Project(
        tmp_path,
        HANGING,
        trials=len(kinds) + 1,
        overrides=["method=RS", f"{key}={LIMIT}", f"grace_period_seconds={GRACE}", "max_failures=1000"],
    )
    benchmark = project.folder / "conf" / "benchmark" / "truth.yaml"
    space = "config_space:\n  kind: {type: choice, values: [sleep, stopped, stubborn, fork, good]}\n"
    text = benchmark.read_text().replace("config_space:\n", space)
    benchmark.write_text(f"{text}points_to_evaluate: [{points}]\n")
    assert project.finish(600) == 0, project.output()
    experiment = load_experiment(project.directory.parent.parent / "RS" / "seed_0")
    begun = {event.trial: event.elapsed for event in experiment.events if event.kind == Kind.STARTED}
    ends = [event for event in experiment.events if event.kind == Kind.ENDED]
    assert [experiment.state.trials[event.trial].trial.configuration["kind"] for event in ends][:-1] == kinds[
        : len(ends) - 1
    ]
    assert {event.body["status"] for event in ends[: len(kinds)]} == {"timeout"}
    for event in ends[: len(kinds)]:
        took = event.elapsed - begun[event.trial]
        assert LIMIT <= took <= LIMIT + GRACE + (2.0 if RUNS else 5.0)
        assert f"{key}={LIMIT:g} s is over" in event.body["error"]
    assert ends[-1].body["status"] == "completed"
