"""Whole experiments with constraints, from a table whose best rows break them: in no view is such a trial the best."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import yaml

from hpo import load_config, load_experiment, run_experiment
from hpo.analysis import compare
from hpo.analysis.loading import load_runs
from hpo.config.validation import check
from hpo.errors import ConfigError, ExperimentError
from hpo.events.state import ExperimentState
from hpo.figures.experiment_charts import anytime
from hpo.history.curves import trajectory
from hpo.sagemaker.tuning_metrics import TuningMetrics
from hpo.schedulers.construction import scheduler_of
from hpo.schedulers.replay import restore, verify
from hpo.tables.table import Table, read_table
from hpo.trackers.webhook import Webhook
from hpo.watching.progress import summary
from hpo.watching.status import standing

WIDTHS = list(range(1, 41))
BOUND = 12.5
"""Of the latency, which is the width; the error falls with the width, so that 12 is the best."""


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "widths"
    epochs = np.arange(1, 10)
    error = np.array([[1 / width + 0.5 / epochs] for width in WIDTHS])
    latency = np.array([[[float(width)] * 9] for width in WIDTHS])
    about = {
        "name": "widths",
        "config_space": {"width": {"type": "ordinal", "values": WIDTHS}},
        "metric": "error",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource": 9,
    }
    seconds = np.cumsum(np.ones_like(error), axis=2)
    Table(about, {"width": np.array(WIDTHS)}, {"error": error, "latency": latency}, seconds).save(path)
    return path


def config_of(table, method, bound=BOUND, at=None, **keys):
    benchmark = {
        "name": "widths",
        "table": str(table),
        "metric": "error",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "epochs",
        "arguments": {"epochs": 9},
        "config_space": {"width": {"type": "ordinal", "values": WIDTHS}},
        "constraints": {"latency": {"upper": bound, **({"at": at} if at else {})}},
    }
    options = {"seed": 0, "random_seed": 3, "experiment_tag": "t", "max_num_trials": 25, "n_workers": 2, **keys}
    return load_config(benchmark, method, **options)


METHODS = ("ASHA", "ASHA-STOP", "SYNC-HYPERBAND", "ASHA-GP", "BO", "MOBSTER", "HYPERTUNE")


@pytest.mark.long
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("at", [None, "end"])
def test_the_decisions_come_out_again_and_so_they_do_from_any_moment_on(table, tmp_path, method, at):
    config = config_of(table, method, at=at)
    run_experiment(config, tmp_path, show=False)
    events = list(load_experiment(tmp_path).events)
    count = [0]
    assert list(verify(scheduler_of(config), ExperimentState(config.objective), enumerate(events), count)) == []
    assert count[0] > 25
    for cut in (len(events) // 3, 2 * len(events) // 3):
        scheduler, state = scheduler_of(config), ExperimentState(config.objective)
        restore(scheduler, state, events[:cut])
        assert list(verify(scheduler, state, enumerate(events[cut:]), [0])) == []


def best_by_definition(events):
    """(error, trial) of the best report within the bound."""
    told = [(e.body["metrics"], e.trial) for e in events if e.kind == "reported"]
    return min((metrics["error"], trial) for metrics, trial in told if metrics["latency"] <= BOUND)


@pytest.mark.long
def test_in_no_view_is_a_trial_the_best_that_breaks_a_constraint(table, tmp_path, capsys):
    from hpo.exporting.optuna_storage import write_optuna

    config = config_of(table, "RS", max_num_trials=38)
    result = run_experiment(config, tmp_path, show=False)
    found = load_experiment(tmp_path)
    error, trial = best_by_definition(found.events)
    assert any(e.body["metrics"]["error"] < error for e in found.events if e.kind == "reported")  # but too slow
    assert (result.best["trial_id"], result.best["error"]) == (trial, error)
    assert yaml.safe_load((tmp_path / "best.yaml").read_text())["trial_id"] == trial
    assert found.metadata["table_optimum"] == pytest.approx(1 / 12 + 0.5 / 9)
    assert standing(found)["best"]["trial_id"] == trial
    assert f"error={error:.6g} (trial {trial}," in summary(config, found.state, tmp_path, "done")
    assert trajectory(found).losses[-1] == error
    ((run,), _) = load_runs([tmp_path])
    assert run.trajectory.losses[-1] == error
    assert np.isinf(run.trial_losses).sum() == sum(width > 12 for width in found.trials["config_width"])
    rows = found._repr_html_().split("<tbody>")[1].split("<tr>")[1:]
    assert all(int(row.split("width=")[1].split("<")[0]) <= 12 for row in rows)
    hook = Webhook(config, tmp_path, "https://localhost/")
    assert hook._message(found.state, None)["best"]["trial_id"] == trial
    TuningMetrics(config, "n").on_open(found.state)
    assert f"best_trial_id={trial} " in capsys.readouterr().out
    optuna = pytest.importorskip("optuna", reason="the extra optuna")
    write_optuna([found], tmp_path / "o.db")
    study = optuna.load_study(study_name=config.place, storage=f"sqlite:///{tmp_path / 'o.db'}")
    assert study.best_trial.user_attrs["hpo_trial_id"] == trial


@pytest.mark.long
def test_where_no_trial_meets_the_constraints_all_say_so_and_none_is_the_best(table, tmp_path):
    config = config_of(table, "ASHA", bound=0.5, target_value=100.0)
    result = run_experiment(config, tmp_path, show=False)
    found = load_experiment(tmp_path)
    least = min(found.trials["config_width"])
    said = f"no trial met latency <= 0.5 (closest: trial {found.trials['config_width'].idxmin()}, {least:g})"
    assert result.status == found.status == json.loads((tmp_path / "metadata.json").read_text())["status"] == "complete"
    assert result.best is None
    assert "max_num_trials=25" in str(found.state.finished)  # and not target_value
    assert not (tmp_path / "best.yaml").exists()
    assert said in summary(config, found.state, tmp_path, "done")
    assert said in repr(found)
    assert standing(found)["best"] is None
    assert standing(found)["closest"] == {"trial_id": found.trials["config_width"].idxmin(), "values": [least]}
    ((run,), _) = load_runs([tmp_path])
    assert (run.status, math.isinf(run.trajectory.at(1e9))) == ("complete", True)
    assert found.metadata["table_optimum"] != found.metadata["table_optimum"] or found.metadata["table_optimum"] is None


def test_a_bound_on_what_the_table_has_not_is_refused(table):
    from hpo.backends.backend_choice import check_backend

    config = config_of(table, "RS")
    config.benchmark.constraints = {"memory": {"upper": 1.0}}
    check(config)
    with pytest.raises(ConfigError, match=r"constraints\.memory: the table widths has only error, latency"):
        check_backend(config)


def paid(table, **keys):
    """Of the same table, whose wider rows cost more: width / 10 an epoch."""
    found = config_of(table, "ASHA-GP", **{"max_num_trials": None, **keys})
    return replace(found, benchmark=replace(found.benchmark, constraints={}, cost_attr="spent"))


@pytest.fixture(scope="module")
def priced(table, tmp_path_factory):
    found = read_table(table)
    path = tmp_path_factory.mktemp("table") / "priced"
    spent = found.metrics["latency"] / 10 * np.arange(1, 10)
    Table(
        {**found.about, "name": "priced"}, found.hyperparameters, {**found.metrics, "spent": spent}, found.seconds
    ).save(path)
    return path


@pytest.mark.long
def test_a_budget_in_cost_ends_an_experiment_may_grow_and_is_replayed(priced, tmp_path):
    for budget in (60.0, 150.0):
        result = run_experiment(paid(priced, max_cost=budget), tmp_path, show=False)
        found = load_experiment(tmp_path)
        last = {e.trial: e.body["metrics"]["spent"] for e in found.events if e.kind == "reported"}
        assert found.state.spending.total == pytest.approx(sum(last.values()))
        assert budget <= sum(last.values()) <= budget + 2 * 4.0  # two workers, and at most 4 an epoch
        assert result.reason == f"max_cost={budget:g} is spent: spent adds up to {sum(last.values()):.6g}"
    assert run_experiment(paid(priced, max_cost=150.0), tmp_path, show=False).skipped
    config, events, count = paid(priced, max_cost=150.0, resume=True), list(found.events), [0]
    scheduler, state = scheduler_of(config), ExperimentState(config.objective)
    assert list(verify(scheduler, state, enumerate(events), count)) == []
    assert scheduler.searcher.cost_left == 0.0
    assert count[0] > 50
    assert json.loads((tmp_path / "metadata.json").read_text())["max_cost"] == 150.0
    ((run,), _) = load_runs([tmp_path])
    reports = [(e.trial, e.body["metrics"]) for e in events if e.kind == "reported"]
    best, spent, expected = math.inf, {}, []
    for trial, metrics in reports:
        spent[trial] = metrics["spent"]
        if metrics["error"] < best:
            best = metrics["error"]
            expected.append((sum(spent.values()), best))
    for path in (run.trajectory, trajectory(found)):  # of a comparison, and of a report
        assert list(zip(path.times, path.losses, strict=True)) == [pytest.approx(pair) for pair in expected]
    assert run.end == pytest.approx(sum(last.values()))
    assert anytime(found).panels[0].x["title"] == "spent of all trials"


def test_methods_are_compared_over_what_they_cost_where_that_is_named(priced, tmp_path):
    for method in ("RS", "ASHA"):
        for seed in (0, 1):
            config = replace(paid(priced, max_cost=60.0, seed=seed), method=config_of(priced, method).method)
            run_experiment(config, tmp_path / method / str(seed), show=False)
    comparison = compare([tmp_path])
    said = comparison.text()
    assert "from 6 spent to 60 spent" in said
    assert "a budget of" not in said  # all have the same
    times = comparison.trajectories["elapsed"]
    assert 0.8 <= times.min() < times.max() <= 60.0 + 2 * 4.0
    assert comparison.to_dict()["benchmarks"][0]["cost_attr"] == "spent"
    with pytest.raises(ConfigError, match=r"metric_budget=1e\+06: .* has only 6[0-9.]+ spent; use at most 60"):
        compare([tmp_path], metric_budget=(None, 1e6))


def test_a_budget_in_cost_needs_a_cost(priced):
    with pytest.raises(ConfigError, match=r"max_cost=5: nothing says what trials cost; name .*benchmark\.cost_attr"):
        check(config_of(priced, "RS", max_cost=5.0))
    assert "max_cost" not in config_of(priced, "RS").budget


@pytest.mark.process
@pytest.mark.parametrize(
    ("costs", "said"),
    [
        ((None, None), "benchmark.cost_attr=dollars: the script reported only loss, epoch"),
        (
            (math.nan, 1.0),
            "benchmark.cost_attr=dollars: the script reported nan; it must be a number from 0",
        ),
        ((2.0, 0.5), "benchmark.cost_attr=dollars: trial 0 reported 0.5 after 2; it must be"),
        ((0.5, 2.0), None),
    ],
)
def test_what_a_training_program_reports_of_its_cost_is_taken_or_refused_in_one_sentence(costs, said, tmp_path):
    reports = [
        {"loss": 1.0, "epoch": epoch, **({} if cost is None else {"dollars": cost})}
        for epoch, cost in enumerate(costs, 1)
    ]
    lines = "".join(json.dumps(report) + "\n" for report in reports)
    (tmp_path / "train.py").write_text(
        f"import os\nwith open(os.environ['HPO_REPORT_FILE'], 'a') as file:\n    file.write({lines!r})\n"
    )
    benchmark = {
        "name": "paid", "script": str(tmp_path / "train.py"), "metric": "loss", "mode": "min", "resource_attr": "epoch",
        "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}}, "num_gpus_per_trial": 0, "preload": [],
        "cost_attr": "dollars", "max_num_trials": 1,
    }  # fmt: skip
    config = load_config(benchmark, "RS", random_seed=1, experiment_tag="t", max_cost=50.0)
    if costs[0] is None or math.isnan(costs[0]):  # of the very first report: the benchmark is wrong, and not the trial
        with pytest.raises(ExperimentError, match=re.escape(said)):
            run_experiment(config, tmp_path / "out", show=False)
        return
    state = run_experiment(config, tmp_path / "out", show=False).state
    assert state.spending.total == max(costs[:1] if said else costs)
    ended = [e.body for e in load_experiment(tmp_path / "out").events if e.kind == "ended"]
    assert [body["status"] for body in ended] == ["failed" if said else "completed"]
    assert said is None or ended[0]["error"].startswith(said)


def test_a_budget_of_device_hours_or_money_ends_an_experiment_may_grow_and_is_replayed(table, tmp_path):
    hours = 0.01
    for keys in ({"max_device_hours": hours}, {"max_price": 2.0, "device_price": 100.0}):
        given = {"max_num_trials": None, **keys}
        result = run_experiment(config_of(table, "ASHA", **given), tmp_path, show=False)
        found = load_experiment(tmp_path)
        began, held = {}, 0.0
        for event in found.events:
            if event.kind in ("started", "resumed", "restarted"):
                began[event.trial] = event.elapsed
            elif event.kind == "ended":
                held += event.elapsed - began[event.trial]
        assert held / 3600 == pytest.approx(keys.get("max_device_hours", 0.02), rel=1e-6)
        assert next(iter(keys)) in str(result.reason)
        assert standing(found)["device_hours"] == pytest.approx(held / 3600)
        assert run_experiment(config_of(table, "ASHA", **given), tmp_path, show=False).skipped
    assert standing(found)["price"] == pytest.approx(2.0)
    assert "device hours for 2.00" in summary(config_of(table, "ASHA", **given), found.state, tmp_path, "done")
    assert json.loads((tmp_path / "metadata.json").read_text())["max_price"] == 2.0
    config = config_of(table, "ASHA", **given)
    differing = verify(scheduler_of(config), ExperimentState(config.objective), enumerate(found.events), [0])
    assert list(differing) == []


def test_a_budget_in_money_needs_the_price_of_a_device(table):
    with pytest.raises(ConfigError, match=r"max_price=5: nothing says what a device costs; .*device_price"):
        check(config_of(table, "RS", max_price=5.0))
