"""Whole experiments with several objectives, from a table: front.yaml, metadata, what is loaded, and every decision again."""

import json

import numpy as np
import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

from hpo import load_config, load_experiment, run_experiment
from hpo.checking.reproduction import Reproduction
from hpo.cli.arguments import expand
from hpo.errors import ConfigError
from hpo.events.state import ExperimentState
from hpo.schedulers.construction import scheduler_of
from hpo.schedulers.replay import restore, verify
from hpo.tables.table import Table
from hpo.watching.progress import summary
from hpo.watching.status import standing
from tests.support.fakes import FOR_SEVERAL, METHODS

UNITS = [float(x) for x in range(1, 21)]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Configurations (width, waste): the error falls with the width, and latency grows with both."""
    path = tmp_path_factory.mktemp("table") / "widths"
    epochs = np.arange(1, 10)
    pairs = [(width, waste) for width in UNITS for waste in UNITS]
    error = np.array([[1 / width + 0.5 / epochs] for width, _ in pairs])
    latency = np.array([[[width + waste] * 9] for width, waste in pairs])
    ordinal = {"type": "ordinal", "values": UNITS}
    about = {
        "name": "widths",
        "config_space": {"width": ordinal, "waste": ordinal},
        "metric": "error",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource": 9,
    }
    columns = {"width": np.array([w for w, _ in pairs]), "waste": np.array([w for _, w in pairs])}
    Table(about, columns, {"error": error, "latency": latency}, np.cumsum(np.ones_like(error), axis=2)).save(path)
    return path


def config_of(table, method, objectives=None, **keys):
    ordinal = {"type": "ordinal", "values": UNITS}
    benchmark = {
        "name": "widths",
        "table": str(table),
        "objectives": objectives or {"error": "min", "latency": {"mode": "min", "log": True}},
        "reference_point": {} if objectives else {"error": 2.0, "latency": 50},
        "resource_attr": "epoch",
        "max_resource_attr": "epochs",
        "arguments": {"epochs": 9},
        "config_space": {"width": ordinal, "waste": ordinal},
    }
    options = {"seed": 0, "random_seed": 3, "experiment_tag": "t", "max_num_trials": 25, "n_workers": 2, **keys}
    if method == "NSGA-II":
        options["method.searcher.population_size"] = 8
    return load_config(benchmark, method, **options)


@pytest.mark.long
@pytest.mark.parametrize("method", [*FOR_SEVERAL, "MO-BO", "SOBOL"])
def test_the_decisions_come_out_again_and_so_they_do_from_any_moment_on(table, tmp_path, method):
    config = config_of(table, method)
    run_experiment(config, tmp_path, show=False)
    events = list(load_experiment(tmp_path).events)
    count = [0]
    assert list(verify(scheduler_of(config), ExperimentState(config.objective), enumerate(events), count)) == []
    assert count[0] > 25
    for cut in (len(events) // 3, 2 * len(events) // 3):
        scheduler, state = scheduler_of(config), ExperimentState(config.objective)
        restore(scheduler, state, events[:cut])
        assert list(verify(scheduler, state, enumerate(events[cut:]), [0])) == []


def front_by_definition(events):
    """(error, latency): (trial, resource) of the reports that no other dominates; of equal ones the first trial's."""
    told = {}
    for event in events:
        if event.kind == "reported":
            losses = event.body["metrics"]["error"], event.body["metrics"]["latency"]
            told[losses] = min(told.get(losses, (99, 99)), (event.trial, event.resource))
    return {
        one: told[one]
        for one in sorted(told)
        if not any(other != one and other[0] <= one[0] and other[1] <= one[1] for other in told)
    }


def test_the_front_is_in_every_file_and_view_and_there_is_no_best_yaml(table, tmp_path):
    config = config_of(table, "MO-ASHA")
    result = run_experiment(config, tmp_path, show=False)
    found = load_experiment(tmp_path)
    expected = [
        {
            "trial_id": trial,
            "error": error,
            "latency": latency,
            "epoch": epoch,
            "configuration": dict(found.state.trials[trial].trial.configuration),
        }
        for (error, latency), (trial, epoch) in front_by_definition(found.events).items()
    ]
    assert len(expected) > 2
    assert found.front == result.front == yaml.safe_load((tmp_path / "front.yaml").read_text()) == expected
    assert not (tmp_path / "best.yaml").exists()
    assert found.best == {name: value for name, value in expected[0].items() if name != "latency"}
    metadata = json.loads((tmp_path / "metadata.json").read_text())
    assert (metadata["metric_names"], metadata["metric_mode"]) == (["error", "latency"], ["min", "min"])
    assert metadata["reference_point"] == {"error": 2.0, "latency": 50}
    assert {"error", "latency"} <= set(found.trials.columns)
    assert standing(found)["front"] == expected
    assert f"  front    {len(expected)} reports" in summary(config, found.state, tmp_path, "done")
    assert f"front    {len(expected)} reports" in repr(found)


def test_a_new_search_starts_from_the_whole_front(table, tmp_path):
    run_experiment(config_of(table, "RS", max_num_trials=8), tmp_path, show=False)
    (override,) = expand([f"@{tmp_path / 'front.yaml'}"])
    parsed = OverridesParser.create().parse_override(override)
    assert parsed.key_or_group == "benchmark.points_to_evaluate"
    assert parsed.value() == [entry["configuration"] for entry in load_experiment(tmp_path).front]


def test_with_a_front_of_several_trials_a_trial_is_named_to_be_reproduced(table, tmp_path):
    run_experiment(config_of(table, "RS", max_num_trials=8), tmp_path / "it", show=False)
    found = load_experiment(tmp_path / "it")
    found.config.benchmark.script = "train.py"
    trials = found.state.best_trials
    assert len(trials) > 1
    with pytest.raises(ConfigError, match=rf"--trial best: with several objectives .* such as {trials[0]}"):
        Reproduction(found, "best", tmp_path / "new")


@pytest.mark.parametrize("method", [*(name for name in METHODS if name not in FOR_SEVERAL), "BOTORCH"])
def test_a_method_for_one_objective_is_refused_in_one_sentence_that_names_those_that_fit(table, method):
    if method in ("RS", "SOBOL", "GRID"):
        assert scheduler_of(config_of(table, method)).capabilities.objectives
        return
    if method == "BOTORCH":
        pytest.importorskip("botorch", reason="the extra botorch")
    with pytest.raises(
        ConfigError, match=rf"method={method}: its .* 2 in benchmark.objectives; use MO-ASHA-GP, .* or GRID"
    ):
        scheduler_of(config_of(table, method))


def test_an_objective_that_a_table_has_not_is_refused(table, tmp_path):
    config = config_of(table, "RS", objectives={"error": "min", "size": "min"})
    with pytest.raises(ConfigError, match=r"benchmark.objectives.size: the table widths has only error, latency"):
        run_experiment(config, tmp_path, show=False)
