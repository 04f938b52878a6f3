"""Taking in reports: what is quoted of a report that cannot be used is short, however long that was."""

import logging

import pytest

from hpo.events.objective import Objective, ReportError
from hpo.events.trial_costs import Spending
from hpo.events.trial_state import TrialState
from hpo.events.types import Trial
from hpo.tuner.report_reader import Intake, KnownReport, NewReport

OBJECTIVE = Objective("loss", "min", "epoch")


def state(resource=0):
    return TrialState(Trial(0, {}), None, resource=resource)


@pytest.mark.parametrize(
    "metrics",
    [
        {f"los{i}": i for i in range(20_000)},
        {"loss": "x" * 1_000_000, "epoch": 1},
        {"loss": 1.0, "epoch": 10**4000},
        {"loss": 1.0, "epoch": list(range(100_000))},
    ],
)
def test_a_report_that_cannot_be_used_is_a_sentence_that_a_person_reads(metrics):
    with pytest.raises(ReportError) as caught:
        Intake(OBJECTIVE).read(state(), metrics)
    assert str(caught.value).startswith("benchmark.")
    assert len(str(caught.value)) < 700


def test_a_long_list_of_names_still_ends_with_the_name_that_was_meant():
    with pytest.raises(ReportError, match="did you mean 'los'") as caught:
        Intake(OBJECTIVE).read(state(), {**{f"{i:08}": i for i in range(1000)}, "los": 1.0})
    assert "reported only 00000000" in str(caught.value)


def test_a_short_report_is_quoted_whole():
    with pytest.raises(ReportError, match="the script reported only epoch, accuracy"):
        Intake(OBJECTIVE).read(state(), {"epoch": 1, "accuracy": 0.5})


def test_what_is_logged_of_a_known_resource_is_short(caplog):
    caplog.set_level(logging.INFO)
    intake = Intake(OBJECTIVE)
    assert isinstance(intake.read(state(3), {"loss": 1.0, "epoch": 3, "text": "x" * 1_000_000}), KnownReport)
    assert "resource 3 again" in caplog.text
    assert len(caplog.text) < 1500


@pytest.mark.parametrize(
    ("first", "reached", "restored", "reported", "again", "over"),
    [
        (1, 9, None, [1, 2, 3, 4], 4, True),
        (1, 9, 9, [1, 2, 3, 4], 4, True),  # it saves, and does not load
        (1, 9, None, [*range(1, 12)], 9, True),
        (1, 1, None, [1, 2, 3], 1, True),
        (1, 1, 1, [1, 2, 3], 0, False),  # it loads, and reports again what was saved last
        (1, 9, 9, [9, 10], 0, False),
        (1, 9, None, [9, 10], 0, False),  # its checkpoint is somewhere else
        (1, 9, 9, [6, 7, 8, 9, 10], 3, False),  # it saves every few epochs
        (1, 9, 9, [10, 11], 0, False),
        (1, 9, 1, [1, 2, 3, 4], 3, False),  # the last of its checkpoints was lost, and an older one is there
        (1, 9, 2, [1, 2, 3, 4], 4, True),
        (5, 10, None, [5, 10, 15], 10, True),
        (5, 10, 10, [10, 15], 0, False),
    ],
)
def test_an_attempt_has_trained_again_what_it_reports_from_where_it_went_on(
    first, reached, restored, reported, again, over
):
    intake, known = Intake(OBJECTIVE), state(reached)
    known.first = first
    intake.begin(0, restored=lambda: restored)
    found = []
    for epoch in reported:
        found.append(intake.read(known, {"loss": 1.0, "epoch": epoch}))
        if isinstance(found[-1], NewReport):
            known.resource = epoch
    assert (intake.again(0), any(isinstance(one, KnownReport) and one.started_over for one in found)) == (again, over)
    intake.begin(0, restored=lambda: restored)
    assert intake.again(0) == 0


@pytest.mark.parametrize(
    ("reached", "reported", "disorders", "again"),
    [
        (0, [1, 1, 2, 2], {1: "1 after 1", 3: "2 after 2"}, 0),
        (0, [4, 3, 2, 1], {1: "3 after 4", 2: "2 after 4", 3: "1 after 4"}, 0),
        (0, [1, 2, 3], {}, 0),
        (3, [1, 2, 3, 4, 4], {4: "4 after 4"}, 3),  # it starts over, and then repeats itself
        (3, [1, 1, 2, 3], {1: "1 after 1"}, 3),
    ],
)
def test_what_an_attempt_itself_has_reported_before_is_disorder_and_not_training_again(
    reached, reported, disorders, again
):
    intake, known = Intake(OBJECTIVE), state(reached)
    known.first = 1
    intake.begin(0)
    found = {}
    for index, epoch in enumerate(reported):
        read = intake.read(known, {"loss": 1.0, "epoch": epoch})
        if isinstance(read, NewReport):
            known.resource = epoch
        elif read.disorder is not None:
            found[index] = read.disorder
    assert found == disorders
    assert intake.again(0) == again


PAID = Objective("loss", "min", "epoch", cost_attr="dollars")


def paid(epoch, dollars):
    return {"loss": 1.0, "epoch": epoch, "dollars": dollars}


@pytest.mark.parametrize("kept", [False, True])
def test_a_cost_that_falls_is_a_sentence_within_an_attempt_and_where_one_goes_on(kept):
    spending = Spending()
    intake = Intake(PAID, spending)
    intake.begin(0)
    intake.read(state(), paid(1, 2.0))
    spending.add(0, 2.0)
    if kept:  # promoted: it goes on from its checkpoint, and counts from 0 again
        intake.begin(0, restored=lambda: 9)
    with pytest.raises(ReportError) as caught:
        intake.read(state(1), paid(2, 0.5))
    assert str(caught.value) == (
        "benchmark.cost_attr=dollars: trial 0 reported 0.5 after 2; it must be a number from 0 that never falls: what the "
        "trial has cost in all since it began, so keep the sum in its checkpoint"
    )


def test_a_trial_that_starts_over_counts_its_cost_from_0_and_what_it_had_cost_is_not_forgotten():
    spending = Spending()
    spending.add(0, 7.0)
    spending.add(1, 1.0)
    intake, known = Intake(PAID, spending), state(3)
    known.first = 1
    intake.begin(0)
    for epoch in (1, 2, 3):
        assert isinstance(intake.read(known, paid(epoch, float(epoch))), KnownReport)
    new = intake.read(known, paid(4, 4.0))
    spending.add(0, new.outcome.cost)
    assert (new.resource, spending.of[0], spending.total) == (4, 7.0, 8.0)
    spending.add(0, 9.0)
    assert spending.total == 10.0
