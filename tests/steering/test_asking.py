"""`hpo steer` and a tuner in two processes: what is asked is answered, and what cannot be asked is one sentence."""

import contextlib
import json
import time

import pytest

from hpo.config.reading import load_config, to_yaml
from hpo.errors import StoreError
from hpo.events.types import Event, Kind, Status
from hpo.reports.experiment_page import experiment_page
from hpo.results.experiment import load_experiment
from hpo.steering.asking import ask, me
from hpo.store.directory import ExperimentDirectory
from hpo.store.event_store import Store
from hpo.store.ownership import is_owned
from tests.conftest import error_of, succeeded
from tests.reliability.harness import wait_until
from tests.support.steps import STEPS

SLOW = {"arguments": {"epochs": 9, "sleep": 0.25}, "max_num_trials": 40}
pytestmark = pytest.mark.process


@pytest.fixture
def running(workplace):
    """A directory whose tuner has two trials at work, and the process of the command."""
    workplace.benchmark(**SLOW)
    directory = workplace.directory("t")
    process = workplace.start("benchmark=mine", "method=RS", "experiment_tag=t", "random_seed=1")
    metadata = directory / "metadata.json"
    wait_until(lambda: metadata.exists() and (directory / "trials" / "1" / "attempt_0").exists())
    wait_until(lambda: load_experiment(directory).state.reports)
    yield directory, process
    process.kill()
    process.communicate()


def test_a_running_experiment_does_what_it_is_told_and_replay_finds_no_difference(workplace, running):
    directory, process = running
    began = time.monotonic()
    stopped = ask(directory, "stop", {"trial": 1}, "ann")
    took = time.monotonic() - began
    assert stopped.body == {
        "id": stopped.body["id"],
        "command": "stop",
        "arguments": {"trial": 1},
        "by": "ann",
        "accepted": True,
    }
    assert took < 5, "the kernel tells the tuner of the file, and this process of the answer"
    assert ask(directory, "stop", {"trial": 1}, "ann").body["why"].startswith("trial 1 was stopped already")
    assert ask(directory, "budget", {"max_num_trials": 60}, "ann").body["new"] == {"max_num_trials": 60}
    wait_until(lambda: "\nmax_num_trials: 60\n" in (directory / "experiment.yaml").read_text())  # after the answer
    assert succeeded(workplace.verb("steer", str(directory), "hold")) == f"{directory}: hold\n"
    wait_until(lambda: not load_experiment(directory).state.running)
    assert f"held by {me()}" in succeeded(workplace.verb("watch", str(directory), "--once"))
    unknown = error_of(workplace.verb("steer", str(directory), "stop", "--trial", "77"))
    assert unknown.startswith(f"{directory}: stop was rejected: there is no trial 77: there are 0 to ")
    assert succeeded(workplace.verb("stop", str(directory))) == f"{directory}: asked its tuner to stop\n"
    assert process.wait(20) == 130
    experiment = load_experiment(directory)
    assert experiment.state.trials[1].status == Status.STOPPED
    assert [e.body["accepted"] for e in experiment.events if e.kind == Kind.COMMANDED].count(False) == 2
    assert list((directory / "commands").iterdir()) == []
    shown = succeeded(workplace.verb("status", str(directory)))
    assert "steered: trial 1 stopped and held once by command" in shown
    assert f"held by {me()}: nothing starts until hpo steer" in shown
    (standing,) = json.loads(succeeded(workplace.verb("status", str(directory), "--json")))
    assert standing["held_by"] == me()
    assert "trial 1 stopped and held once by command" in experiment_page(experiment, directory / "report.html")
    assert "0 different, 4 command(s) applied as logged" in succeeded(workplace.verb("replay", str(directory)))


def test_the_same_command_goes_on_with_a_commanded_budget_and_skips_what_was_ended(workplace):
    command = ("benchmark=mine", "method=RS", "experiment_tag=t", "random_seed=1")
    workplace.benchmark(arguments={"epochs": 2, "sleep": 0.1}, max_num_trials=30)
    directory = workplace.directory("t")
    process = workplace.start(*command)
    wait_until(lambda: directory.exists() and (directory / "trials" / "1").exists())
    wait_until(lambda: load_experiment(directory).state.reports)
    assert ask(directory, "budget", {"max_num_trials": 31}, "ann").body["accepted"]
    process.kill()
    process.communicate()
    again = workplace.start(*command)
    wait_until(lambda: load_experiment(directory).state.sessions == 2)
    assert "\nmax_num_trials: 31\n" in (directory / "experiment.yaml").read_text()
    wait_until(lambda: is_owned(ExperimentDirectory(directory)))
    assert ask(directory, "end", {}, "ann").body["accepted"]
    out, _ = again.communicate(timeout=20)
    assert again.returncode == 0
    assert "ended on request by ann" in out
    skipped = succeeded(workplace.hpo(*command))
    assert "ended on request by ann" in skipped
    assert load_experiment(directory).state.sessions == 2
    assert "\nmax_num_trials: 31\n" in (directory / "experiment.yaml").read_text()
    assert "is over: ended on request by ann" in error_of(workplace.verb("steer", str(directory), "hold"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("outputs/t", "hold"), "t/mine/RS/seed_0: it is over: max_num_trials=3 trials are done"),
        (
            ("outputs/l", "hold"),
            "2 experiments are there, and one is steered at a time; name outputs/l/longer/ASHA/seed_0, say",
        ),
        (
            ("outputs/t", "fly"),
            "'fly' is not a command to an experiment: use stop, hold, go-on, budget, end, interrupt",
        ),
        (("outputs/t", "stop"), "stop: add --trial N"),
        (("outputs/t", "hold", "--trial", "3"), "--trial 3: is only for stop"),
        (("outputs/t", "budget"), "budget: add KEY=VALUE, such as max_num_trials=60"),
        (
            ("outputs/t", "budget", "max_num_trials=many"),
            "max_num_trials=many: use KEY=NUMBER, or KEY=null for no limit",
        ),
        (("nowhere", "hold"), "nowhere: there is no experiment in that directory"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(complete, words, said):
    assert said in error_of(complete.verb("steer", *words))


def test_simulated_experiments_are_over_too_soon(workplace):
    succeeded(
        workplace.verb("benchmark=nasbench201_cifar100", "method=RS", "experiment_tag=s", "max_wallclock_time=9000")
    )
    directory = workplace.directory("s", benchmark="nasbench201_cifar100")
    assert "it is simulated, and finishes too soon to be steered" in error_of(
        workplace.verb("steer", str(directory), "hold")
    )


def test_what_has_been_interrupted_is_started_before_it_is_steered(workplace, running):
    directory, process = running
    process.kill()
    process.wait()
    said = error_of(workplace.verb("steer", str(directory), "hold"))
    assert said == f"{directory}: it does not run now (its command resumes it); start it again with its command first"
    assert not list((directory / "commands").iterdir())


def test_an_experiment_that_runs_as_a_sagemaker_job_cannot_be_reached(tmp_path):
    config = load_config(STEPS, "RS", random_seed=1)
    (tmp_path / "experiment.yaml").write_text(to_yaml(config))
    record = {"launcher": {"_target_": "hpo.sagemaker.SageMakerLauncher"}, "record": {"job": "j"}}
    (tmp_path / "launch.json").write_text(json.dumps(record))
    with contextlib.closing(Store(tmp_path / "events.db")) as store:
        store.append([Event(Kind.OPENED, 0.0, time.time(), body={"host": "elsewhere"})])
    with pytest.raises(StoreError, match="SageMaker job, which commands do not reach; hpo stop ends it"):
        ask(tmp_path, "hold", {}, "me")
