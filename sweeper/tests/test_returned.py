"""What a trial's app returns becomes its result, once, and never beside what it has reported itself."""

import json

import numpy as np
import pytest
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from hpo.integrations.hydra_app import ReportReturned

CONFIGURATION = OmegaConf.create({"trainer": {"epochs": 9}})


@pytest.fixture
def reports(tmp_path, monkeypatch):
    file = tmp_path / "reports.jsonl"
    file.touch()
    monkeypatch.setenv("HPO_REPORT_FILE", str(file))
    return file


def end(returned, resource=None, limit=None, status=JobStatus.COMPLETED):
    job = JobReturn(status=status)
    job.return_value = returned
    ReportReturned("loss", resource, limit).on_job_end(CONFIGURATION, job)


@pytest.mark.parametrize(
    ("returned", "names", "reported"),
    [
        (0.5, (), {"loss": 0.5}),
        (np.float32(0.5), (), {"loss": 0.5}),
        (3, ("epoch", "trainer.epochs"), {"loss": 3, "epoch": 9}),
        (0.5, ("epoch",), {"loss": 0.5, "epoch": 1}),
        ({"loss": np.array(0.5), "accuracy": 1, "model": object()}, (), {"loss": 0.5, "accuracy": 1}),
        (OmegaConf.create({"loss": 0.5, "epoch": 4}), ("epoch", "trainer.epochs"), {"loss": 0.5, "epoch": 4}),
    ],
)
def test_a_number_is_reported_with_how_far_the_trial_was_to_train(reports, returned, names, reported):
    end(returned, *names)
    assert json.loads(reports.read_text()) == reported


@pytest.mark.parametrize("returned", [None, "text", [0.5, 0.1], {"accuracy": 0.5}])
def test_what_is_no_number_ends_the_trial_with_a_sentence(reports, returned):
    with pytest.raises(
        SystemExit, match=r"neither reported loss nor returned a number \(it returned .*hpo\.report\(loss="
    ):
        end(returned)
    assert reports.read_text() == ""


def test_how_far_it_has_trained_needs_a_name(reports):
    with pytest.raises(
        SystemExit,
        match=r"needs a name, such as resource_attr: epoch \(in a sweep hydra\.sweeper\.resource_attr=epoch\)",
    ):
        end(0.5, None, "trainer.epochs")


def test_it_is_silent_after_reports_after_an_error_in_other_ranks_and_outside_a_trial(reports, monkeypatch):
    end(ValueError(), status=JobStatus.FAILED)
    for name in ("RANK", "LOCAL_RANK"):
        with monkeypatch.context() as patch:
            patch.setenv(name, "1")
            end(0.5)
    assert reports.read_text() == ""
    reports.write_text('{"loss": 1}\n')
    end(0.5)
    end(None)
    assert reports.read_text() == '{"loss": 1}\n'
    monkeypatch.delenv("HPO_REPORT_FILE")
    end(None)


def end_of_several(returned):
    job = JobReturn(status=JobStatus.COMPLETED)
    job.return_value = returned
    ReportReturned(["loss", "latency"], None, None).on_job_end(CONFIGURATION, job)


@pytest.mark.parametrize(
    "returned",
    [(0.5, 3), [0.5, 3], np.array([0.5, 3.0]), {"latency": 3, "loss": 0.5}, OmegaConf.create([0.5, 3])],
    ids=["tuple", "list", "array", "mapping", "omegaconf"],
)
def test_several_objectives_are_returned_in_their_order_or_by_their_names(reports, returned):
    end_of_several(returned)
    assert json.loads(reports.read_text()) == {"loss": 0.5, "latency": 3}


@pytest.mark.parametrize(
    ("returned", "missing"),
    [(0.5, "loss"), ((0.5, 3, 1), "loss"), ((0.5, "fast"), "latency"), ({"loss": 1}, "latency")],
)
def test_fewer_or_other_values_than_objectives_end_the_trial_with_a_sentence(reports, returned, missing):
    with pytest.raises(SystemExit, match=rf"neither reported {missing} nor returned 2 numbers, loss and latency"):
        end_of_several(returned)
    assert reports.read_text() == ""
