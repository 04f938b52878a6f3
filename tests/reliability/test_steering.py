"""`kill -9` of the tuner at random moments around a command: each is taken once, and the experiment comes to its end."""

import random
import time

import pytest

from hpo.events.steering import Command
from hpo.events.types import Kind, Status
from hpo.results.experiment import load_experiment
from hpo.schedulers.construction import scheduler_of
from hpo.schedulers.replay import verify
from hpo.store.commands import CommandFolder, new_id
from hpo.store.directory import ExperimentDirectory
from tests.reliability.harness import RUNS, Project, wait_until

COMMANDS = (
    ("stop", {"trial": 0}),
    ("stop", {"trial": 1}),
    ("hold", {}),
    ("budget", {"max_num_trials": 14}),
    ("end", {}),
    ("interrupt", {}),
)


def differences(experiment):
    """What a replay finds."""
    fresh = type(experiment.state)(experiment.config.objective)
    return list(verify(scheduler_of(experiment.config), fresh, enumerate(experiment.events, 1), [0]))


def check(project, command):
    experiment = load_experiment(project.directory)
    taken = [event.body for event in experiment.events if event.kind == Kind.COMMANDED]
    assert [body["id"] for body in taken if body["id"] == command.id] == [command.id]
    assert CommandFolder(ExperimentDirectory(project.directory).commands).waiting() == []
    assert differences(experiment) == []
    (first,) = (body for body in taken if body["id"] == command.id)
    if command.verb == "stop" and first["accepted"]:
        trial = command.arguments["trial"]
        assert experiment.state.trials[trial].status == Status.STOPPED
        at = next(i for i, e in enumerate(experiment.events) if e.body.get("id") == command.id)
        assert not [e for e in experiment.events[at:] if e.trial == trial and e.kind in (Kind.REPORTED, Kind.RESUMED)]
    return experiment.state, first


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("verb", "arguments"), COMMANDS, ids=map(str, COMMANDS))
def test_each_command_is_taken_once_whenever_the_tuner_is_killed(tmp_path, verb, arguments):
    rng = random.Random(f"{verb}{arguments}")
    for number in range(RUNS or 1):
        project = Project(tmp_path / str(number), workers=2, trials=8, seconds=0.02)
        tuner = project.start()
        wait_until(lambda directory=project.directory: (directory / "trials" / "1" / "attempt_0").exists())
        time.sleep(rng.random() * 0.3)
        command = Command(new_id(), verb, arguments, "me")
        CommandFolder(ExperimentDirectory(project.directory).commands).give(command)
        time.sleep(rng.choice([0.0, 0.001, 0.003, 0.01, 0.03, 0.1]) * rng.random())
        tuner.kill()
        tuner.wait()
        again = project.start()
        if verb == "hold":
            time.sleep(0.5)
            folder = CommandFolder(ExperimentDirectory(project.directory).commands)
            folder.give(Command(new_id(), "go-on", {}, "me"))
        code = again.wait(60)
        if code == 130:
            assert verb == "interrupt"
            code = project.finish()
        nothing = load_experiment(project.directory).state.reports == 0  # ended so early that it has failed
        assert code == (1 if nothing else 0), project.output()
        state, answer = check(project, command)
        done = {"budget": "max_num_trials=14", "end": "ended on request by me"}.get(verb, "max_num_trials=8")
        assert str(state.finished).startswith(done if answer["accepted"] else "max_num_trials=8")
