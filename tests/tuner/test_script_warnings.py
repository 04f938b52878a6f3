"""What is said once of a script, and counted: lines that are no reports, and trials that start over."""

import pytest

from hpo.backends.base import Backend
from hpo.events.state import ExperimentState
from hpo.events.text import again_text, counts_text
from hpo.events.types import Kind, Placed
from hpo.tuner.stopping import Budget
from tests.support.fakes import OBJECTIVE, Crash, Disk, FakeExperiment, Garble, Lose, Say


class Forgetful(dict):
    """Checkpoints of scripts that write none."""

    def __setitem__(self, key, value):
        pass


def forgetful(method="ASHA", **options):
    return FakeExperiment(method, disk=Disk(checkpoints=Forgetful()), **{"n_workers": 2, **options})


def of_kind(events, kind):
    return [event for event in events if event.kind == kind]


def trained_before(events, kind):
    """What trials had reached whenever they were resumed (promoted) or restarted (interrupted)."""
    state, total = ExperimentState(OBJECTIVE), 0
    for event in events:
        if event.kind == kind:
            total += state.trials[event.trial].resource
        state.apply(event)
    return total


METHODS = [(name, 'method="ASHA-STOP"') for name in ("ASHA", "HYPERBAND", "SYNC-HYPERBAND")]
METHODS += [(name, 'method="BO-MEDIAN"') for name in ("MOBSTER", "ASHA-GP", "HYPERTUNE")]


@pytest.mark.parametrize(("method", "remedy"), METHODS)
def test_the_first_promoted_trial_that_starts_over_says_so_once_with_its_price_and_what_to_choose(method, remedy):
    _, state, events = forgetful(method).run()
    resumed = of_kind(events, Kind.RESUMED)
    assert len(resumed) > 1
    (note,) = of_kind(events, Kind.NOTED)
    first = next(event for event in resumed if event.trial == note.trial)
    reached = trained_before(events[: events.index(first) + 1], Kind.RESUMED) - trained_before(
        events[: events.index(first)], Kind.RESUMED
    )
    until = first.body["until"]
    assert f"{reached} of {until} epochs, {reached / until:.0%} of this attempt" in note.body["text"]
    assert remedy in note.body["text"]
    assert "HPO_CHECKPOINT_DIR" in note.body["text"]
    assert state.again == {True: trained_before(events, Kind.RESUMED), False: 0}
    assert state.trained == sum(trial.resource for trial in state.trials.values()) == state.reports


@pytest.mark.parametrize("method", ["ASHA", "SYNC-HYPERBAND", "ASHA-STOP", "RS"])
def test_trials_that_go_on_from_their_checkpoint_or_never_pause_are_not_spoken_of(method):
    experiment = FakeExperiment(method) if method != "ASHA-STOP" else forgetful(method)
    _, state, events = experiment.run()
    assert not of_kind(events, Kind.NOTED)
    assert state.again == {True: 0, False: 0}
    assert again_text(state) == ""


def test_a_trial_that_was_interrupted_and_starts_over_is_said_to_be_so_and_not_promoted():
    experiment = forgetful("RS", budget=Budget(max_num_trials=2), backend={"faults": {0: [Lose(5)], 1: [Lose(3)]}})
    _, state, events = experiment.run()
    (note,) = of_kind(events, Kind.NOTED)
    assert note.trial == 1
    assert "interrupted at epoch 2" in note.body["text"]
    assert "2 of 9 epochs, 22%" in note.body["text"]
    assert "promoted" not in note.body["text"]
    assert "STOP" not in note.body["text"]
    assert state.again == {True: 0, False: 4 + 2}
    assert (
        again_text(state)
        == "6 of 24 epochs (25%) were trained before: interrupted trials did not resume where they were"
    )


def test_a_session_that_goes_on_with_them_knows_what_was_trained_again_before():
    """The counts are what the log says, and it is not said a second time."""
    experiment = forgetful("RS", budget=Budget(max_num_trials=2), backend={"faults": {0: [Lose(5)]}})
    experiment.run()
    experiment.budget, experiment.backend = Budget(max_num_trials=3), {"faults": {2: [Lose(7)]}}
    _, state, events = experiment.run()
    assert len(of_kind(events, Kind.NOTED)) == 1
    assert state.again == ExperimentState(OBJECTIVE).apply_all(events).again == {True: 0, False: 4 + 6}


def test_where_a_limit_removes_checkpoints_it_is_counted_and_not_warned_of():
    _, state, events = forgetful(limits={"max_checkpoint_bytes": 1e9}).run()
    assert not of_kind(events, Kind.NOTED)
    assert state.again[True] == trained_before(events, Kind.RESUMED) > 0


def test_where_a_backend_has_lost_what_was_saved_it_is_counted_and_the_script_is_not_blamed(monkeypatch):
    monkeypatch.setattr(Backend, "lost_checkpoint", lambda *_: True)
    _, state, events = forgetful().run()
    assert not of_kind(events, Kind.NOTED)
    assert state.again[True] == trained_before(events, Kind.RESUMED) > 0


def test_a_promoted_trial_without_a_checkpoint_that_reports_only_at_its_end_is_said_to_start_over_once():
    """Such as one whose one result is what its program returns: no report says that it trains again what it had."""
    _, state, events = forgetful(backend={"at_end": True}).run()
    first, *others = of_kind(events, Kind.RESUMED)
    assert others
    assert state.again == {True: 0, False: 0}
    (note,) = of_kind(events, Kind.NOTED)
    assert note.trial == first.trial
    assert (
        "paused at epoch 1, was promoted without a checkpoint and reported only at its end, epoch 3"
        in note.body["text"]
    )
    assert 'pass method="BO"' in note.body["text"]


def test_one_that_reports_only_at_its_end_and_has_saved_is_not_spoken_of():
    _, _, events = FakeExperiment("ASHA", n_workers=2, backend={"at_end": True}).run()
    assert of_kind(events, Kind.RESUMED)
    assert not of_kind(events, Kind.NOTED)


def test_nor_is_one_that_a_limit_or_a_backend_may_have_robbed_of_its_checkpoint(monkeypatch):
    assert not of_kind(forgetful(backend={"at_end": True}, limits={"max_checkpoint_bytes": 1e9}).run()[2], Kind.NOTED)
    monkeypatch.setattr(Backend, "lost_checkpoint", lambda *_: True)
    assert not of_kind(forgetful(backend={"at_end": True}).run()[2], Kind.NOTED)


@pytest.mark.parametrize(
    ("placed", "text", "where"),
    [
        (Placed(0, 0, ["2", "3"]), "trial 0 is on GPU 2,3", {"devices": ["2", "3"]}),
        (Placed(0, 0, node="n7"), "trial 0 is on n7", {"devices": [], "node": "n7"}),
        (Placed(0, 0, ["1"], "n7"), "trial 0 is on n7, GPU 1", {"devices": ["1"], "node": "n7"}),
    ],
)
def test_where_a_trial_is_stands_in_the_log_and_is_no_warning(caplog, placed, text, where):
    experiment = FakeExperiment("RS", n_workers=1)
    tuner = experiment.session()
    tuner.trials.handle(placed)
    tuner.journal.commit()
    assert experiment.log.events[-1].body == {"text": text, **where}
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_where_reports_are_only_counted_the_remedy_is_to_name_the_resource():
    objective = OBJECTIVE.__class__(OBJECTIVE.metric, OBJECTIVE.mode, None)
    _, state, events = FakeExperiment("ASHA", objective=objective).run()
    (note,) = of_kind(events, Kind.NOTED)
    assert "benchmark.resource_attr" in note.body["text"]
    assert state.again[True] == trained_before(events, Kind.RESUMED) > 0


def test_lines_that_are_no_reports_are_said_once_a_trial_and_counted(caplog):
    many = [Garble(2, f"line {i}") for i in range(6000)]
    faults = {0: many, 1: [Garble(1, "another")]}
    _, state, events = FakeExperiment("RS", budget=Budget(max_num_trials=2), backend={"faults": faults}).run()
    notes = {note.trial: note.body["text"] for note in of_kind(events, Kind.NOTED)}
    assert len(of_kind(events, Kind.NOTED)) == len([r for r in caplog.records if "not a report" in r.message]) == 2
    assert "'line 0'" in notes[0]
    assert "'another'" in notes[1]
    assert {event.trial: event.body["unread"] for event in of_kind(events, Kind.ENDED)} == {0: 6000, 1: 1}
    assert counts_text(state).endswith("18 reports, 6,001 lines that are no reports")


def test_they_are_said_once_for_all_attempts_of_a_trial():
    faults = {trial: [Garble(epoch, "words") for epoch in range(1, 10)] for trial in range(4)}
    budget = Budget(max_num_trials=4)
    _, state, events = FakeExperiment("ASHA", n_workers=1, budget=budget, backend={"faults": faults}).run()
    assert len(of_kind(events, Kind.RESUMED)) >= 1
    assert len(of_kind(events, Kind.NOTED)) == 4
    assert state.unread == state.reports


def test_a_trial_that_wrote_lines_but_no_report_fails_with_the_first_of_them():
    faults = {0: [Garble(1, "loss=0.5"), Crash(1, exit_code=0)]}
    _, _, events = FakeExperiment("RS", budget=Budget(max_num_trials=1), backend={"faults": faults}).run()
    (end,) = of_kind(events, Kind.ENDED)
    assert "'loss=0.5'" in end.body["error"]
    assert "one JSON object per line" in end.body["error"]
    assert "report_channel" not in end.body["error"]


def test_reports_that_do_not_go_up_are_said_once_and_are_no_training_again():
    """A script that reports an epoch twice, or counts down, has not been interrupted: only its first values are taken."""
    faults = {trial: [Say({OBJECTIVE.metric: 0.001, "epoch": 2}, at=epoch) for epoch in (3, 4)] for trial in range(3)}
    _, state, events = FakeExperiment("RS", budget=Budget(max_num_trials=3), backend={"faults": faults}).run()
    (note,) = of_kind(events, Kind.NOTED)
    assert "reported epoch 2 after 2" in note.body["text"]
    assert "not counted" in note.body["text"]
    assert "interrupted" not in note.body["text"]
    assert state.again == {True: 0, False: 0}
    assert again_text(state) == ""


def test_an_order_that_cannot_be_used_does_not_hide_that_trials_start_over():
    faults = {0: [Say({OBJECTIVE.metric: 0.001, "epoch": 2}, at=3), Lose(5)]}
    _, _, events = forgetful("RS", budget=Budget(max_num_trials=1), backend={"faults": faults}).run()
    texts = [note.body["text"] for note in of_kind(events, Kind.NOTED)]
    assert ["after 2" in text for text in texts] == [True, False]
    assert "starts over" in texts[1]
