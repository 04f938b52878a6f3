"""Taking in reports: what is quoted of a report that cannot be used is short, however long that was."""

import logging

import pytest

from hpo.events.objective import Objective, ReportError
from hpo.events.state import TrialState
from hpo.events.values import Trial
from hpo.tuner.intake import Intake

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
    assert intake.read(state(3), {"loss": 1.0, "epoch": 3, "text": "x" * 1_000_000}) is None
    assert "resource 3 again" in caplog.text
    assert len(caplog.text) < 1500
