"""Test values of the best results."""

import pytest

from hpo.events.held_out import HeldOut
from hpo.events.objective import Objective, ReportError


def test_the_value_is_that_of_the_best_report_and_not_of_the_last():
    found = HeldOut()
    found.add(0, 1, {"test": 0.5}, [(0, 1)])
    found.add(0, 2, {"test": 0.1}, [(0, 1)])
    assert found.of(0, 1) == {"test": 0.5}


def test_a_trial_that_tests_only_at_its_end_has_that_value():
    found = HeldOut()
    found.add(0, 1, {}, [(0, 1)])
    found.add(0, 2, {"test": 0.25}, [(0, 1)])
    assert found.of(0, 1) == {"test": 0.25}


def test_what_decides_is_handed_no_test_metric_and_a_test_value_that_is_no_number_is_none():
    objective = Objective("loss", "min", "epoch", test_metrics=("test_loss", "test_note"))
    metrics = {"loss": 1.0, "epoch": 1, "test_loss": 2, "test_note": "?"}
    assert objective.without_tests(metrics) == {"loss": 1.0, "epoch": 1}
    assert objective.test_values(metrics) == {"test_loss": 2.0}


def test_even_an_objective_that_names_a_test_metric_cannot_read_it():
    objective = Objective("loss", "min", "epoch", test_metrics=("loss",))
    with pytest.raises(ReportError, match="reported only epoch"):
        objective.outcome({"loss": 1.0, "epoch": 1}, 1)
    with pytest.raises(ReportError, match="reported only epoch"):
        objective.read({"loss": 1.0, "epoch": 1}, 1)
