"""A test metric is recorded and shown, and nothing is decided by it: with its values permuted, all decisions are the same."""

import json
from dataclasses import replace

import numpy as np
import pytest
import yaml

from hpo import load_config, load_experiment, run_experiment
from hpo.analysis import compare
from hpo.config.reading import resolve
from hpo.config.validation import check
from hpo.errors import ConfigError
from hpo.reports import write_report
from hpo.tables.table import Table, read_table
from hpo.watching.status import standing

WIDTHS = list(range(1, 41))
METHODS = ("RS", "BO", "ASHA", "MOBSTER", "HYPERBAND", "DEHB", "TPE", "PASHA")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Validation error 1 / width; the test error is higher by width / 1000."""
    path = tmp_path_factory.mktemp("table") / "widths"
    epochs = np.arange(1, 10)
    error = np.array([[1 / width + 0.5 / epochs] for width in WIDTHS])
    worse = np.array([[[width / 1000] * 9] for width in WIDTHS])
    about = {
        "name": "widths",
        "config_space": {"width": {"type": "ordinal", "values": WIDTHS}},
        "metric": "error",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource": 9,
    }
    metrics = {"error": error, "test_error": error + worse, "latency": worse}
    Table(about, {"width": np.array(WIDTHS)}, metrics, np.cumsum(np.ones_like(error), axis=2)).save(path)
    return path


def permuted(table, name):
    """The same table with the values of one metric in another order."""
    found = read_table(table)
    values = np.random.default_rng(1).permutation(found.metrics[name].ravel()).reshape(found.metrics[name].shape)
    path = table.with_name(f"permuted_{name}")
    Table(found.about, found.hyperparameters, {**found.metrics, name: values}, found.seconds).save(path)
    return path


def config_of(table, method, *, seed=0, benchmark=None, **keys):
    content = {
        "name": "widths",
        "table": str(table),
        "metric": "error",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "epochs",
        "arguments": {"epochs": 9},
        "config_space": {"width": {"type": "ordinal", "values": WIDTHS}},
        "test_metric": "test_error",
        **(benchmark or {}),
    }
    content = {key: value for key, value in content.items() if value is not None}
    given = {"n_workers": 4, "max_num_trials": 12, "random_seed": 5, **keys}
    return load_config(content, method, seed=seed, experiment_tag="t", **given)


def log_of(directory, hide=("test_error",)):
    """The event log as bytes, without unix times and without the metrics in `hide`."""

    def plain(event):
        body = dict(event.body)
        if "metrics" in body:
            body["metrics"] = {name: value for name, value in body["metrics"].items() if name not in hide}
        if event.kind == "opened":
            body = {key: body[key] for key in ("budget", "warm_start") if key in body}
        return [event.kind, event.elapsed, event.trial, event.attempt, event.resource, body]

    return json.dumps([plain(event) for event in load_experiment(directory).events]).encode()


CASES = {
    **{method: (method, {}, {}) for method in METHODS},
    "constraints": ("ASHA-GP", {"constraints": {"latency": {"upper": 0.02}}}, {}),
    "a target": ("RS", {}, {"target_value": 0.1}),
    "objectives": (
        "MO-ASHA-GP",
        {"metric": None, "mode": None, "objectives": {"error": "min", "latency": "min"}},
        {},
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("case", CASES)
def test_decisions_are_equal_to_the_last_byte_when_the_test_values_are_permuted(table, case, tmp_path):
    method, benchmark, keys = CASES[case]
    logs, seen = [], []
    for name, one in (("as-it-is", table), ("permuted", permuted(table, "test_error"))):
        run_experiment(config_of(one, method, benchmark=benchmark, **keys), tmp_path / name)
        logs.append(log_of(tmp_path / name))
        metrics = [e.body["metrics"] for e in load_experiment(tmp_path / name).events if e.kind == "reported"]
        seen.append([one["test_error"] for one in metrics])
    assert logs[0] == logs[1]
    assert seen[0] != seen[1], "the store keeps all, and the values were not the same"


def test_with_the_values_of_the_metric_itself_permuted_decisions_differ(table, tmp_path):
    for name, one in (("as-it-is", table), ("permuted", permuted(table, "error"))):
        run_experiment(config_of(one, "ASHA"), tmp_path / name)
    hide = ("error", "test_error")
    assert log_of(tmp_path / "as-it-is", hide) != log_of(tmp_path / "permuted", hide)


def test_a_warm_start_does_not_see_the_test_values_either(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    logs = []
    for name, one in (("as-it-is", table), ("permuted", permuted(table, "test_error"))):
        first = tmp_path / name / "first"
        run_experiment(config_of(one, "RS"), first)
        (tmp_path / "first").unlink(missing_ok=True)
        (tmp_path / "first").symlink_to(first)
        keys = {"warm_start": ["first"], "warm_start_use": "data"}
        run_experiment(config_of(one, "BO", seed=1, **keys), tmp_path / name / "next")
        logs.append(log_of(tmp_path / name / "next"))
        assert "test_error" not in (tmp_path / name / "next" / "warm_start.jsonl").read_text()
    assert logs[0] == logs[1]


def test_the_test_value_of_the_chosen_trial_is_shown_beside_the_validation_value(table, tmp_path):
    run_experiment(config_of(table, "RS"), tmp_path)
    found = load_experiment(tmp_path)
    best = found.best
    width = best["configuration"]["width"]
    assert best["error"] == pytest.approx(1 / width + 0.5 / 9)
    value = best["error"] + width / 1000
    assert best["test"] == {"test_error": pytest.approx(value)}
    assert yaml.safe_load((tmp_path / "best.yaml").read_text())["test"] == best["test"]
    assert standing(found)["best"]["test"] == best["test"]
    assert f"test: test_error={value:.6g}): width={width}" in repr(found)
    write_report(tmp_path)
    report = (tmp_path / "report.html").read_text()
    assert "test test_error" in report
    assert f"{value:.6g}" in report


def test_every_point_of_a_front_has_its_own_test_value(table, tmp_path):
    two = {"metric": None, "mode": None, "objectives": {"error": "min", "latency": "min"}}
    run_experiment(config_of(table, "RS", benchmark=two), tmp_path)
    front = load_experiment(tmp_path).front
    assert len(front) > 1
    for point in front:
        assert point["test"] == {"test_error": pytest.approx(point["error"] + point["configuration"]["width"] / 1000)}


def test_over_seeds_the_gap_is_a_mean_with_its_interval(table, tmp_path):
    gaps = []
    for seed in range(3):
        for method in ("RS", "ASHA"):
            run_experiment(config_of(table, method, seed=seed), tmp_path / "t" / "widths" / method / f"seed_{seed}")
        gaps.append(load_experiment(tmp_path / "t/widths/RS" / f"seed_{seed}").best["configuration"]["width"] / 1000)
    comparison = compare([tmp_path / "t"])
    (found,) = [gap for gap in comparison.held_out if gap.method == "RS"]
    # Student's t with two degrees of freedom: 4.30265 standard errors on either side.
    reach = 4.30265 * np.std(gaps, ddof=1) / np.sqrt(3)
    assert (found.gap, found.gap_low, found.gap_high) == pytest.approx(
        (np.mean(gaps), np.mean(gaps) - reach, np.mean(gaps) + reach), abs=1e-6
    )
    assert found.test == pytest.approx(found.value + found.gap)
    assert "never selected on" in comparison.text()
    assert comparison.to_dict()["held_out"][0]["test_metric"] == "test_error"
    write_report(tmp_path / "t")
    assert "worse on test by" in (tmp_path / "t" / "report.html").read_text()


def test_a_test_metric_may_be_named_for_an_experiment_that_is_there(table, tmp_path):
    run_experiment(config_of(table, "RS", benchmark={"test_metric": None}), tmp_path)
    assert "test" not in load_experiment(tmp_path).best
    assert run_experiment(config_of(table, "RS"), tmp_path).skipped
    assert "test_error" in load_experiment(tmp_path).best["test"]


@pytest.mark.parametrize(
    ("benchmark", "told"),
    [
        (
            {"test_metric": "error"},
            r"test_metric=error: nothing may be decided by a test metric, .* benchmark\.metric as",
        ),
        (
            {"test_metric": ["test_error", "epoch"]},
            r"test_metric=epoch: .* benchmark\.resource_attr as well; name another",
        ),
        (
            {"test_metric": "latency", "constraints": {"latency": {"upper": 1}}},
            r"test_metric=latency: .* is benchmark\.constraints\.latency as well",
        ),
        (
            {"test_metric": "latency", "cost_attr": "latency"},
            r"test_metric=latency: .* is benchmark\.cost_attr as well",
        ),
        (
            {"test_metric": "latency", "metric": None, "mode": None, "objectives": {"error": "min", "latency": "min"}},
            r"test_metric=latency: .* is benchmark\.objectives\.latency as well",
        ),
        ({"test_metric": 3}, r"test_metric=3: use the name of a metric, or a list of names"),
        ({"test_metric": ["a", "a"]}, r"test_metric: 'a' is there twice; name each metric once"),
    ],
)
def test_a_test_metric_by_which_something_is_decided_is_one_sentence(table, benchmark, told):
    with pytest.raises(ConfigError, match=told):
        check(resolve(config_of(table, "RS", benchmark=benchmark)))


def test_a_test_metric_that_the_table_has_not_is_one_sentence(table, tmp_path):
    config = config_of(table, "RS")
    config = replace(config, benchmark=replace(config.benchmark, test_metric="other"))
    with pytest.raises(ConfigError, match=r"test_metric=other: the table widths has only"):
        run_experiment(config, tmp_path)
