"""What an objective reports, what it returns, and where it ends."""

import contextlib
import json

import pytest

from hpo.functions.running import Reporter


@pytest.fixture
def reported(tmp_path, monkeypatch):
    """A function that gives what was reported so far."""
    path = tmp_path / "reports.jsonl"
    monkeypatch.setenv("HPO_REPORT_FILE", str(path))
    return lambda: [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def careless(report):
    for epoch in range(1, 10):
        try:
            report({"loss": 1 / epoch}, epoch=epoch)
        except Exception:
            pytest.fail("the end was taken for a failure")


def test_report_does_not_return_where_the_trial_is_to_end(reported):
    with pytest.raises(SystemExit) as ended:
        careless(Reporter("epoch", 3))
    assert ended.value.code == 0
    assert [line["epoch"] for line in reported()] == [1, 2, 3]


@pytest.mark.parametrize(
    ("resource_attr", "until", "before", "result", "last"),
    [
        (None, None, [], 0.5, [{"loss": 0.5}]),
        (None, None, [], {"loss": 0.5, "b": 1}, [{"loss": 0.5, "b": 1}]),
        (None, None, [], None, []),
        ("epoch", 3, [], 0.5, [{"loss": 0.5, "epoch": 3}]),
        ("epoch", 3, [2], 0.5, [{"loss": 1, "epoch": 2}, {"loss": 0.5, "epoch": 3}]),
        ("epoch", 3, [2], {"loss": 0.5, "epoch": 2.0}, [{"loss": 1, "epoch": 2}, {"loss": 0.5, "epoch": 2.0}]),
    ],
)
def test_what_is_returned_is_the_last_report(reported, resource_attr, until, before, result, last):
    report = Reporter(resource_attr, until)
    with contextlib.suppress(SystemExit):
        for epoch in before:
            report(loss=1, epoch=epoch)
        report.conclude(result, "loss")
    assert reported() == last
