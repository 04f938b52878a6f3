"""What an objective reports, what it returns, and where it ends."""

import contextlib
import json
import subprocess
import sys

import pytest

from hpo.functions import function_process
from hpo.functions.function_process import Reporter


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


@pytest.mark.parametrize("way", ["hpo.report", "hpo.reporting.report"])
@pytest.mark.process
def test_what_the_objective_calls_may_report_as_a_script_does(reported, tmp_path, way):
    (tmp_path / "mine.py").write_text(
        "import hpo.reporting\n"
        "def objective(config, report):\n"
        "    for epoch in range(1, 10):\n"
        f"        {way}(epoch=epoch)\n"
    )
    function = {"file": "mine.py", "module": None, "name": "objective", "base": ""}
    order = {"function": function, "configuration": {}, "metric": "loss", "resource_attr": "epoch", "until": 3}
    (tmp_path / "order.json").write_text(json.dumps(order))
    subprocess.run([sys.executable, function_process.__file__, "order.json"], cwd=tmp_path, check=True)
    assert [line["epoch"] for line in reported()] == [1, 2, 3]
