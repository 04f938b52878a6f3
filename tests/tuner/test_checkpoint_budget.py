"""A disk budget for checkpoints: what goes, what stays, and that no decision depends on it."""

import itertools
import json
import math
import os
from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo import Callback, run_experiment
from hpo.config.reading import load_config, resolve
from hpo.errors import ConfigError
from hpo.events.state import ExperimentState
from hpo.events.trial_state import TrialState
from hpo.events.types import Kind, Status, Trial
from hpo.planning.plan_warnings import advice
from hpo.results.experiment import load_experiment
from hpo.schedulers.replay import verify
from hpo.store.disk_space import folder_bytes
from hpo.tuner.checkpoint_budget import order_of_removal, to_remove
from hpo.tuner.stopping import Budget
from tests.conftest import succeeded
from tests.planning import test_planning as planning
from tests.support.fakes import OBJECTIVE, Crash, Disk, FakeExperiment

OVER = {Status.COMPLETED, Status.STOPPED, Status.FAILED, Status.TIMEOUT}
PROTECTED = {Status.RUNNING, Status.INTERRUPTED}
DECISIONS = (Kind.STARTED, Kind.RESUMED, Kind.REPORTED)


def decisions(events):
    """The log without its clocks."""
    kept = ("configuration", "until", "decision", "metrics")
    return [
        (event.kind, event.trial, event.attempt, event.resource, {key: event.body.get(key) for key in kept})
        for event in events
        if event.kind in DECISIONS
    ]


def removals(events):
    """Trials whose checkpoint was removed, in order."""
    return [event.trial for event in events if event.kind == Kind.NOTED and "is removed" in event.body["text"]]


# ---------------------------------------------------------------------- what goes first


def trial(number, status, resource=1, loss=0.0, heard=0.0):
    return TrialState(Trial(number, {}), 9, status, resource=resource, loss=loss, heard=heard)


@st.composite
def trial_states(draw):
    return [
        trial(
            number,
            draw(st.sampled_from(Status)),
            draw(st.sampled_from([1, 3, 9])),
            draw(st.one_of(st.sampled_from([0.0, 1.0, 2.0, math.inf]), st.floats(-1, 1))),
            draw(st.integers(0, 5)),
        )
        for number in range(draw(st.integers(0, 12)))
    ]


def goes_before(one, other, trials, best):
    """The definition: is the checkpoint of `one` missed less than that of `other`?"""
    if (one.trial.id in best) != (other.trial.id in best):
        return other.trial.id in best
    if (one.status in OVER) != (other.status in OVER):
        return one.status in OVER
    if one.status in OVER:
        return (one.heard, one.trial.id) < (other.heard, other.trial.id)

    def share_ahead(state):
        rung = [t for t in trials if t.resource == state.resource]
        return 1.0 if state.loss == math.inf else sum(t.loss < state.loss for t in rung) / len(rung)

    if share_ahead(one) != share_ahead(other):
        return share_ahead(one) > share_ahead(other)
    if one.resource != other.resource:
        return one.resource < other.resource
    return one.trial.id > other.trial.id


@given(trials=trial_states(), best=st.lists(st.integers(0, 11), max_size=2))
def test_the_order_is_that_of_the_definition_and_has_nobody_who_needs_it(trials, best):
    order = order_of_removal(trials, best)

    assert sorted(order) == [t.trial.id for t in trials if t.status not in PROTECTED]
    for one, other in itertools.pairwise(order):
        assert goes_before(trials[one], trials[other], trials, best)


def test_trials_that_are_over_go_first_and_of_the_paused_ones_the_worst_at_its_rung():
    trials = [
        trial(0, Status.PAUSED, 1, 0.5),  # two of four are better
        trial(1, Status.PAUSED, 3, 0.9),  # one of two is better, at a higher rung
        trial(2, Status.PAUSED, 1, 0.7),  # the worst of four
        trial(3, Status.COMPLETED, 9, 0.2, heard=8.0),
        trial(4, Status.RUNNING, 1, 0.1),
        trial(5, Status.FAILED, 1, 0.3, heard=2.0),
        trial(6, Status.COMPLETED, 9, 0.1, heard=5.0),  # the best
        trial(7, Status.PAUSED, 3, 0.3),  # the best of its rung
        trial(8, Status.INTERRUPTED, 2, 0.9),
    ]
    assert order_of_removal(trials, best=[6]) == [5, 3, 2, 0, 1, 7, 6]


sizes_and_limits = st.tuples(
    st.dictionaries(st.integers(0, 15), st.integers(0, 50), max_size=12),
    st.lists(st.integers(0, 15), unique=True),
    st.integers(0, 200),
)


@settings(max_examples=300)
@given(sizes_and_limits)
def test_what_goes_is_enough_and_not_too_much(given):
    sizes, order, limit = given
    gone = to_remove(sizes, order, limit)
    left = sum(size for trial_id, size in sizes.items() if trial_id not in gone)

    assert len(gone) == len(set(gone))
    assert [trial_id for trial_id in order if trial_id in gone] == gone, "only of the candidates, in their order"
    possible = sum(size for trial_id, size in sizes.items() if trial_id not in order)
    assert left <= max(limit, possible), "within the limit whenever that is possible"
    for trial_id in gone:
        assert sizes[trial_id] > 0
        assert left + sizes[trial_id] > limit, "it could have stayed"
    for kept, dear in itertools.combinations([trial_id for trial_id in order if trial_id in sizes], 2):
        if kept not in gone and dear in gone:
            assert left - sizes[kept] + sizes[dear] > limit, "it could have stayed in place of one missed less"


def test_a_small_checkpoint_stays_where_a_large_one_has_to_go_anyway():
    assert to_remove({0: 1, 1: 10, 2: 5}, [0, 1, 2], 8) == [1]
    assert to_remove({0: 1, 1: 10, 2: 5}, [0, 1, 2], 15) == [0]
    assert to_remove({0: 1, 1: 10, 2: 5}, [0], 8) == [0], "where it is not enough, what may go goes"


# ---------------------------------------------------------------------- in the tuner's loop, on a virtual clock


class Measured:
    """The sizes of an experiment's checkpoints: as many bytes as epochs are in them. Counts who is looked at."""

    def __init__(self, disk):
        self.disk, self.asked = disk, []

    def __call__(self, trial_id):
        self.asked.append(trial_id)
        return self.disk.checkpoints.get(trial_id, 0)


def experiment(method, limit, **options):
    """An experiment on a virtual clock with a budget of `limit` bytes, and what measures its checkpoints."""
    made = FakeExperiment(method, disk=Disk(), **options)
    measured = Measured(made.disk)
    made.limits = {**made.limits, "max_checkpoint_bytes": limit}
    made.backend = {**made.backend, "measure": measured}
    return made, measured


class Auditor(Callback):
    """After every commit: do the kept checkpoints fit, or are they all of trials that need theirs?"""

    def __init__(self, disk, limit):
        self.disk, self.limit, self.audits = disk, limit, 0

    def on_open(self, state):
        self.state = state

    def on_event(self, event):
        kept = {i: size for i, size in self.disk.checkpoints.items() if self.state.trials[i].status != Status.RUNNING}
        removable = [i for i in kept if self.state.trials[i].status not in PROTECTED]
        assert sum(kept.values()) <= self.limit or not removable, (event, kept)
        self.audits += 1


@pytest.mark.parametrize("method", ["RS", "ASHA", "ASHA-STOP", "HYPERBAND", "MOBSTER"])
def test_without_a_budget_nothing_is_measured_and_with_a_tiny_one_the_decisions_are_the_same(method):
    free, never = experiment(method, None, n_workers=1)
    tight, measured = experiment(method, 8, n_workers=1)
    tight.callbacks = [auditor := Auditor(tight.disk, 8)]
    reason, _, events = free.run()
    assert tight.run()[0] == reason

    assert decisions(tight.log.events) == decisions(events)
    assert removals(events) == never.asked == []
    assert removals(tight.log.events)
    assert sum(tight.disk.checkpoints.values()) <= 8
    assert measured.asked == [e.trial for e in tight.log.events if e.kind == Kind.ENDED], "each once, when it ended"
    assert auditor.audits == len(tight.log.events), "the callback was called, and did not fail"
    assert tight.clock.now >= free.clock.now
    count = [0]
    fresh = ExperimentState(OBJECTIVE)
    assert list(verify(tight.scheduler(), fresh, enumerate(tight.log.events), count)) == []
    assert count[0] > 12


@pytest.mark.parametrize("limit", [0, 3, 8, 15, 30])
@pytest.mark.parametrize("method", ["ASHA", "HYPERBAND", "ASHA-STOP"])
def test_the_budget_holds_after_every_commit_with_several_workers_and_failures(method, limit):
    faults = {2: [Crash(2)], 5: [Crash(3)]}
    made, _ = experiment(method, limit, backend={"faults": faults}, budget=Budget(max_num_trials=30))
    made.callbacks = [auditor := Auditor(made.disk, limit)]
    reason, state, events = made.run()

    assert reason == "max_num_trials=30 trials are done"
    assert auditor.audits == len(events), "an audit failed"
    assert sum(made.disk.checkpoints.values()) <= limit
    if state.incumbent.trial_id not in made.disk.checkpoints:
        assert not made.disk.checkpoints or limit < made.max_resource, "the best trial's is the last that goes"


def test_the_best_trial_keeps_its_checkpoint_as_long_as_it_fits():
    made, _ = experiment("ASHA", 9, budget=Budget(max_num_trials=30))
    _, state, _ = made.run()
    assert state.incumbent.trial_id in made.disk.checkpoints


def test_a_paused_trial_without_its_checkpoint_is_promoted_and_trains_again_from_nothing():
    made, _ = experiment("ASHA", 1, n_workers=1)
    tuner = made.session()
    tuner.run()

    removed, again = set(), []
    for event in made.log.events:
        if event.trial in removals([event]):
            assert event.body["text"].startswith(
                f"max_checkpoint_gigabytes=1e-09: the checkpoint of trial {event.trial} "
            )
            removed.add(event.trial)
        elif event.kind == Kind.RESUMED and event.trial in removed:
            again.append((event.trial, event.attempt))
    assert again
    for key in again:
        assert made.disk.lines[key][0].metrics["epoch"] == 1
    for trial_id, _ in again:
        told = [e.resource for e in made.log.events if e.kind == Kind.REPORTED and e.trial == trial_id]
        assert told == list(range(1, len(told) + 1)), "each resource once"


def test_interrupted_trials_keep_theirs_and_the_next_session_fits_again():
    # Four workers, a session of 30 s that is interrupted, and then one that may keep less.
    made, _ = experiment("ASHA", 20, budget=Budget(max_num_trials=20))
    tuner = made.session()
    tuner.backend.at(30.0, tuner.interrupt)
    tuner.run()
    interrupted = {i for i, state in tuner.state.trials.items() if state.status == Status.INTERRUPTED}
    assert interrupted
    assert interrupted & set(made.disk.checkpoints)
    before = dict(made.disk.checkpoints)
    needed = sum(size for i, size in before.items() if i in interrupted)

    limit = needed + 2
    measured = Measured(made.disk)
    made.limits = {"max_checkpoint_bytes": limit}
    made.backend = {**made.backend, "measure": measured}
    tuner = made.session()
    seen = []

    class First(Callback):
        def on_event(self, event):
            if event.kind == Kind.OPENED:
                seen.append((dict(made.disk.checkpoints), list(measured.asked)))

    made.callbacks = tuner.journal.callbacks = [First(), auditor := Auditor(made.disk, limit)]
    assert tuner.run() is not None
    ((left, asked),) = seen
    assert sorted(asked) == sorted(tuner.state.trials)[: len(asked)], "all of the earlier session once"
    assert len(left) < len(before)
    assert {i: before[i] for i in left} == {i: left[i] for i in left}
    assert interrupted & set(before) <= set(left)
    assert sum(left.values()) <= limit
    assert auditor.audits > 0
    assert sum(made.disk.checkpoints.values()) <= limit


def test_a_trial_that_alone_exceeds_the_budget_is_warned_of_once(caplog):
    made, _ = experiment("RS", 4, n_workers=2)
    _, state, events = made.run()
    (said,) = [e for e in events if e.kind == Kind.NOTED and "is removed" not in e.body["text"]]

    assert {s.status for s in state.trials.values()} == {Status.COMPLETED}
    assert said.body["text"] in [record.message for record in caplog.records if record.levelname == "WARNING"]
    for words in (f"trial {said.trial} ", "9e-09 GB", "max_checkpoint_gigabytes=4e-09"):
        assert words in said.body["text"]
    assert removals(events) == [e.trial for e in events if e.kind == Kind.ENDED], "none of them can be kept"


def test_what_delete_checkpoints_removed_counts_no_more():
    made, _ = experiment("ASHA", 6, limits={"delete_checkpoints": True}, budget=Budget(max_num_trials=30))
    _, state, events = made.run()
    texts = [e.body["text"] for e in events if e.trial in removals([e])]
    assert Status.COMPLETED in {s.status for s in state.trials.values()}
    assert texts
    assert all("(paused, " in text for text in texts), "a trial that is over has none any more"
    assert made.disk.checkpoints == {}


# ---------------------------------------------------------------------- real folders, real processes


def test_the_bytes_of_a_folder_are_those_of_its_files(tmp_path):
    folder = tmp_path / "checkpoint"
    assert folder_bytes(folder) == 0
    (folder / "deep" / "deeper").mkdir(parents=True)
    (folder / "a").write_bytes(b"x" * 1000)
    (folder / "deep" / "deeper" / "b").write_bytes(b"x" * 500)
    assert folder_bytes(folder) == 1500
    os.link(folder / "a", folder / "deep" / "best")
    assert folder_bytes(folder) == 1500, "the same file under two names"
    (tmp_path / "large").write_bytes(b"x" * 100_000)
    (folder / "link").symlink_to(tmp_path / "large")
    (folder / "round").symlink_to(folder, target_is_directory=True)
    assert 1500 <= folder_bytes(folder) < 2500, "what a link points to is not in the folder"


TRAIN = '''
"""Saves 450 kB and reports; goes on from what it saved. `noise` makes each attempt report something else."""
import argparse, os, pathlib
import hpo
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
parser.add_argument("--epochs", type=int)
parser.add_argument("--noise", type=float)
a = parser.parse_args()
attempt = int(pathlib.Path(os.environ["HPO_REPORT_FILE"]).parent.name.removeprefix("attempt_"))
folder = pathlib.Path(os.environ["HPO_CHECKPOINT_DIR"])
epoch = folder / "epoch"
for e in range(int(epoch.read_text()) + 1 if epoch.exists() else 1, a.epochs + 1):
    (folder / "weights").write_bytes(bytes(450_000))
    epoch.write_text(str(e))
    hpo.report(epoch=e, loss=(a.x - 0.3) ** 2 + (a.x * 7919 % 1) / e + a.noise * attempt)
'''


def kept_bytes(directory):
    return sum(path.stat().st_size for path in directory.glob("trials/*/checkpoint/**/*") if path.is_file())


@pytest.fixture
def place(workplace):
    script = workplace.write("train.py", TRAIN)
    arguments = {"epochs": 9, "noise": 0.0}
    workplace.benchmark(script=str(script), arguments=arguments, n_workers=1, max_num_trials=10)
    return workplace


COMMAND = ("benchmark=mine", "method=ASHA", "random_seed=5")


def promoted_from_nothing(loaded):
    """(trial, attempt) that were resumed after their checkpoint had been removed."""
    removed, found = set(), []
    for event in loaded.events:
        if event.kind == Kind.RESUMED and event.trial in removed:
            found.append((event.trial, event.attempt))
            removed.discard(event.trial)
        elif event.trial in removals([event]):
            removed.add(event.trial)
    return found


def reported(directory, trial_id, attempt):
    path = directory / "trials" / str(trial_id) / f"attempt_{attempt}" / "reports.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.process
def test_a_real_experiment_stays_within_its_budget_and_decides_as_without_one(place):
    succeeded(place.hpo(*COMMAND, "experiment_tag=free"))
    done = place.hpo(*COMMAND, "experiment_tag=tight", "max_checkpoint_gigabytes=0.001")
    succeeded(done)
    assert done.stderr == "", "what the user asked for is no warning"
    free, tight = (load_experiment(place.directory(tag, "ASHA")) for tag in ("free", "tight"))
    directory = place.directory("tight", "ASHA")

    assert decisions(tight.events) == decisions(free.events)
    assert kept_bytes(place.directory("free", "ASHA")) > 10 * 450_000
    assert 450_000 < kept_bytes(directory) <= 1_000_000
    gone = removals(tight.events)
    kept = {int(path.parts[-3]) for path in directory.glob("trials/*/checkpoint/weights")}
    assert tight.state.incumbent.trial_id in kept
    assert kept | set(gone) == set(tight.state.trials)
    assert all(f"the checkpoint of trial {i} (" in (directory / "hpo.log").read_text() for i in gone)
    again = promoted_from_nothing(tight)
    assert again, "no promoted trial had lost its checkpoint: choose another random_seed"
    assert all(reported(directory, *key)[0]["epoch"] == 1 for key in again)

    # What was kept has grown since: the next session measures it and makes room.
    victim = max(kept - {tight.state.incumbent.trial_id})
    (directory / "trials" / str(victim) / "checkpoint" / "more").write_bytes(b"x" * 900_000)
    succeeded(place.hpo(*COMMAND, "experiment_tag=tight", "max_checkpoint_gigabytes=0.001", "max_num_trials=11"))
    assert kept_bytes(directory) <= 1_000_000
    grown = load_experiment(directory)
    assert victim in removals(grown.events[len(tight.events) :])


@pytest.mark.process
def test_a_script_that_reports_something_else_when_it_trains_again_does_not_fail(place, tmp_path):
    benchmark = yaml.safe_load((place.path / "conf" / "benchmark" / "mine.yaml").read_text())
    benchmark["arguments"]["noise"] = 0.001
    directory = tmp_path / "noisy"
    run_experiment(load_config(benchmark, "ASHA", random_seed=5, max_checkpoint_gigabytes=0.001), directory)
    loaded = load_experiment(directory)

    assert {state.status for state in loaded.state.trials.values()} <= {Status.COMPLETED, Status.PAUSED}
    again = promoted_from_nothing(loaded)
    assert again
    for trial_id, attempt in again:
        mine = [e for e in loaded.events if e.kind == Kind.REPORTED and e.trial == trial_id]
        assert [e.resource for e in mine] == list(range(1, len(mine) + 1)), "each resource once"
        repeated = reported(directory, trial_id, attempt)[0]
        first = next(e for e in mine if e.resource == repeated["epoch"])
        assert first.attempt < attempt
        assert first.body["metrics"]["loss"] != repeated["loss"], "the first result stands"
    assert kept_bytes(directory) <= 1_000_000
    assert loaded.state.finished == "max_num_trials=10 trials are done"


# ---------------------------------------------------------------------- the key


@pytest.mark.parametrize("value", [0, -1, math.nan])
def test_a_budget_that_is_none_is_an_error_that_names_it(value):
    with pytest.raises(ConfigError, match=f"max_checkpoint_gigabytes={value}.*: use a positive number"):
        resolve(load_config(planning.benchmark(), "RS", max_checkpoint_gigabytes=value))


def test_a_plan_that_lacks_room_names_the_budget_and_one_with_a_budget_that_fits_does_not():
    machine = {"smoke": replace(planning.MEASURED, checkpoint_bytes=10**9), "free": 10**10}

    def said(**overrides):
        asked = planning.config("RS", max_num_trials=50, **overrides)
        return [sentence for sentence in advice(planning.plan_of(asked, **machine)) if "GB are free" in sentence]

    assert "max_checkpoint_gigabytes" in said()[0]
    assert said(max_checkpoint_gigabytes=5) == []
    assert "checkpoints need about 20.0 GB" in said(max_checkpoint_gigabytes=20)[0]
