"""Copies of checkpoints: what a trial goes on from is what was compared, on the disk before the log tells of it."""

import json
import random
import re
import time
from collections import Counter

import pytest

from hpo import load_config, run_experiment
from hpo.backends.shared_directory import FiledBackend
from hpo.errors import ExperimentError, StoreError
from hpo.events.state import ExperimentState
from hpo.events.types import Kind, Status
from hpo.results.experiment import load_experiment
from hpo.schedulers.construction import scheduler_of
from hpo.schedulers.replay import verify
from hpo.store.directory import ExperimentDirectory
from hpo.tuner.stopping import Budget
from hpo.warm_start.results import read_copy
from tests.conftest import SCRIPTS
from tests.reliability.harness import RUNS, Project
from tests.support.fakes import FailingLog, FakeExperiment

LINEAGE = SCRIPTS / "lineage.py"
OPTIONS = {"population": 4, "interval": 2}


def config_of(how="well", **keys):
    benchmark = {
        "name": "lineage", "script": str(LINEAGE), "metric": "loss", "mode": "min", "resource_attr": "epoch",
        "max_resource_attr": "epochs", "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
        "arguments": {"epochs": 6, "how": how}, "num_gpus_per_trial": 0,
    }  # fmt: skip
    config = load_config(benchmark, "PBT", random_seed=3, n_workers=2, **keys)
    config.method.scheduler |= {**OPTIONS, "mutable": ["x"]}
    return config


def check_lineage(directory):
    """Every epoch of every trial was trained by it or by its source, as the log has it. Returns how many are copies."""
    experiment = load_experiment(directory)
    reports = [event for event in experiment.events if event.kind == Kind.REPORTED]
    assert max(Counter((event.trial, event.resource) for event in reports).values()) == 1
    paths = {(event.trial, event.resource): event.body["metrics"]["path"] for event in reports}
    trials = experiment.state.trials
    for (trial_id, resource), path in paths.items():
        trial, base = trials[trial_id].trial, trials[trial_id].base
        expected = paths[trial.source, base] if base else []
        assert path[:base] == expected
        assert path[base:] == [[trial_id, trial.configuration["x"]]] * (resource - base)
    config = experiment.config
    assert (
        list(verify(scheduler_of(config), ExperimentState(config.objective), enumerate(experiment.events), [0])) == []
    )
    assert experiment.state.finished == "4 of the 4 members of the population have reached 6"
    return sum(bool(state.base) for state in trials.values())


@pytest.mark.process
@pytest.mark.parametrize("delete", [False, True])
def test_a_copy_goes_on_from_what_its_source_had_when_it_was_compared(tmp_path, delete):
    run_experiment(config_of(delete_checkpoints=delete), tmp_path)
    assert check_lineage(tmp_path) >= 2
    files = ExperimentDirectory(tmp_path)
    assert files.all_kept() == [], "nobody can go on from there any more"
    assert bool(list(files.trials.glob("*/checkpoint"))) != delete


@pytest.mark.process
def test_a_later_experiment_takes_nothing_of_copies_whose_results_belong_to_no_one_configuration(tmp_path):
    run_experiment(config_of(), tmp_path / "first")
    later = config_of(warm_start=[str(tmp_path / "first")], max_num_trials=1)
    later.method = load_config("mlp_digits", "RS").method
    run_experiment(later, tmp_path / "later")
    (earlier,) = read_copy(load_experiment(tmp_path / "later").config, tmp_path / "later")
    trials = load_experiment(tmp_path / "first").state.trials
    assert {result.trial for result in earlier.results} == {n for n, state in trials.items() if not state.base}


@pytest.mark.process
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("saves nothing", "has written nothing into HPO_CHECKPOINT_DIR, and .* let the script save"),
        (
            "ignores its checkpoint",
            r"was given a copy of the checkpoint that trial \d had at epoch 2, and starts over; let",
        ),
    ],
)
def test_a_script_that_cannot_go_on_from_a_copy_ends_the_experiment_in_one_sentence(tmp_path, how, said):
    with pytest.raises(ExperimentError, match=said):
        run_experiment(config_of(how), tmp_path)


@pytest.mark.process
@pytest.mark.timeout(300)
def test_an_experiment_killed_again_and_again_goes_on_from_the_right_copies(tmp_path):
    overrides = ["method.scheduler.mutable=[x]", *(f"method.scheduler.{key}={value}" for key, value in OPTIONS.items())]
    overrides += ["benchmark.arguments.epochs=6", "max_num_trials=null"]
    project = Project(tmp_path, LINEAGE.read_text(), method="PBT", workers=2, overrides=overrides)
    rng = random.Random(2)
    for _ in range(RUNS or 3):
        tuner = project.start()
        time.sleep(0.4 + rng.random() * 0.6)
        tuner.kill()
        tuner.wait()
    assert project.finish() == 0, project.output()
    assert check_lineage(project.directory) >= 1


# ---------------------------------------------------------------------- a commit that fails, anywhere


def check_copies(experiment, events):
    """What each copy was made of is what its source had when it was compared."""
    for event in events:
        if event.kind == Kind.STARTED and "source" in event.body:
            assert experiment.disk.given[event.trial] == event.body["source_resource"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("stored", "delete"), [(False, True), (True, False)], ids=["before_the_commit", "after_the_commit"]
)
def test_after_a_crash_at_any_commit_every_copy_is_still_one_of_what_was_compared(stored, delete):
    """The fake backend looks at every copy that is made, and at what it is made of."""
    whole = FakeExperiment("PBT", n_workers=3, budget=Budget(), limits={"delete_checkpoints": delete})
    whole.run()
    for at in range(whole.log.commits):
        experiment = FakeExperiment(
            "PBT",
            n_workers=3,
            budget=Budget(),
            limits={"delete_checkpoints": delete},
            log=FailingLog(at, stored=stored),
        )
        with pytest.raises(StoreError):
            experiment.run()
        reason, state, events = experiment.run()
        assert reason == "5 of the 5 members of the population have reached 9"
        for trial in state.trials.values():
            told = [e.resource for e in events if e.kind == Kind.REPORTED and e.trial == trial.trial.id]
            assert told == list(range(trial.base + 1, trial.resource + 1)), "nothing is trained twice or left out"
        assert experiment.disk.kept == {}
        check_copies(experiment, events)


def test_a_copy_that_is_gone_is_said_and_nothing_else_is_taken_for_it():
    _, _, events = FakeExperiment("PBT", n_workers=2, budget=Budget()).run()
    said = []
    for elapsed in sorted({event.elapsed for event in events if event.kind == Kind.RESUMED}):
        experiment = FakeExperiment("PBT", n_workers=2, budget=Budget())
        tuner = experiment.session()
        tuner.backend.at(elapsed + 0.01, tuner.interrupt)
        tuner.run()
        experiment.disk.kept.clear()
        try:
            experiment.run()
        except StoreError as error:
            said.append(str(error))
        check_copies(experiment, experiment.log.events)
    assert said
    assert all(re.search(r"what trial \d+ had saved at \d is gone, from which .*: put it back", text) for text in said)


# ---------------------------------------------------------------------- people


@pytest.mark.parametrize("delete", [False, True])
def test_a_paused_member_that_somebody_stops_is_replaced_and_others_may_still_go_on_from_it(delete):
    """Whichever trial it is, and whenever: the fake backend looks at what is copied."""
    whole = FakeExperiment("PBT", n_workers=2, budget=Budget())
    _, _, events = whole.run()
    pauses = [e for e in events if e.kind == Kind.ENDED and e.body["status"] == Status.PAUSED]
    copied = 0
    for pause in pauses[::2]:
        experiment = FakeExperiment("PBT", n_workers=2, budget=Budget(), limits={"delete_checkpoints": delete})
        tuner = experiment.session()
        tuner.backend.knock(
            pause.elapsed + 0.01, lambda trial=pause.trial, e=experiment: e.inbox.give("stop", trial=trial)
        )
        reason = tuner.run()
        assert reason == "5 of the 5 members of the population have reached 9"
        stopped = next((t.trial.id for t in tuner.state.trials.values() if t.stopped_by is not None), None)
        replaced = [e for e in experiment.log.events if e.body.get("replaces") == stopped and stopped is not None]
        assert len(replaced) == (stopped is not None)
        copied += sum(e.body.get("source") == stopped for e in experiment.log.events if e.kind == Kind.STARTED)
        check_copies(experiment, experiment.log.events)
        fresh = ExperimentState(experiment.objective)
        assert list(verify(experiment.scheduler(), fresh, enumerate(experiment.log.events), [0])) == []
    assert copied > 0


# ---------------------------------------------------------------------- room on the disk


def test_only_what_nobody_can_go_on_from_is_kept_for_a_disk_budget(caplog):
    experiment = FakeExperiment(
        "PBT",
        n_workers=2,
        budget=Budget(),
        limits={"max_checkpoint_bytes": 6.0},
        backend={"measure": lambda _: 1},
    )
    _, state, events = experiment.run()  # where a needed one is missing the fake backend fails
    check_copies(experiment, events)
    removed = {e.trial for e in events if e.kind == Kind.NOTED and "is removed" in e.body["text"]}
    assert removed
    assert all(state.trials[trial].status in (Status.STOPPED, Status.COMPLETED) for trial in removed)
    assert "more than max_checkpoint_gigabytes" not in caplog.text


def test_a_budget_that_the_population_alone_exceeds_is_a_warning_and_the_experiment_goes_on(caplog):
    experiment = FakeExperiment(
        "PBT", n_workers=2, budget=Budget(), limits={"max_checkpoint_bytes": 3.0}, backend={"measure": lambda _: 1}
    )
    reason, _, _ = experiment.run()
    assert reason == "5 of the 5 members of the population have reached 9"
    assert caplog.text.count("none of it can be removed: raise it, or train a smaller population") == 1


# ---------------------------------------------------------------------- in folders


class Folders(FiledBackend):
    start = stop = wait = wake = None


@pytest.fixture
def folders(tmp_path):
    config = config_of()
    Folders.__abstractmethods__ = frozenset()
    backend = Folders(ExperimentDirectory(tmp_path), config.benchmark)
    place = backend.directory.checkpoint(3)
    place.mkdir(parents=True)
    (place / "state").write_bytes(b"at 2")
    return backend


def test_a_copy_has_the_bytes_that_were_kept_and_not_those_that_came_after(folders):
    state = folders.directory.checkpoint(3) / "state"
    folders.keep_checkpoint(3, 2)
    state.write_bytes(b"at 4")
    folders.copy_checkpoint(3, 2, 7)
    assert (folders.directory.checkpoint(7) / "state").read_bytes() == b"at 2"
    folders.copy_checkpoint(3, None, 8)
    assert (folders.directory.checkpoint(8) / "state").read_bytes() == b"at 4"
    assert folders.kept_checkpoints() == {(3, 2): 4}
    folders.forget_kept(3, 2)
    assert folders.kept_checkpoints() == {}


def test_what_is_kept_already_is_not_made_again_from_what_came_after(folders):
    folders.keep_checkpoint(3, 2)
    (folders.directory.checkpoint(3) / "state").write_bytes(b"at 4")
    folders.keep_checkpoint(3, 2)
    folders.copy_checkpoint(3, 2, 7)
    assert (folders.directory.checkpoint(7) / "state").read_bytes() == b"at 2"


def test_the_log_tells_of_a_copy_what_it_is_of(tmp_path):
    experiment = FakeExperiment("PBT", n_workers=2, budget=Budget())
    _, state, events = experiment.run()
    event = next(e for e in events if e.kind == Kind.STARTED and "source" in e.body)
    assert json.loads(json.dumps(event.body)) == event.body
    assert set(event.body) == {"configuration", "until", "source", "source_resource", "replaces", "new_trials"}
    trial = state.trials[event.trial]
    assert (trial.trial.source, trial.base) == (event.body["source"], event.body["source_resource"])
    first = next(e for e in events if e.kind == Kind.STARTED)
    assert set(first.body) == {"configuration", "until"}, "as ever"
