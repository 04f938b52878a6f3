"""What an experiment leaves: the columns and keys of Syne Tune, best.yaml, and what notebooks load."""

import csv
import dataclasses
import html
import io
import json
import math
import os
import shutil
import subprocess
import sys
import zipfile

import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

import hpo
from hpo import load_config, load_experiment, run_experiment
from hpo.cli.arguments import expand
from hpo.config.yaml_files import override_text
from hpo.errors import HPOError, StoreError
from hpo.events.objective import Objective
from hpo.events.state import ExperimentState
from hpo.events.text import best_of
from hpo.events.types import Decision, Event, Kind, Status
from hpo.results.files import write_best
from hpo.store.directory import ExperimentDirectory
from hpo.store.experiment_paths import find_experiments
from tests.conftest import SCRIPTS

pytestmark = pytest.mark.process

BENCHMARK = {
    "name": "mine",
    "script": str(SCRIPTS / "steps.py"),
    "metric": "loss",
    "mode": "min",
    "resource_attr": "epoch",
    "max_resource_attr": "epochs",
    "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}, "foo": 7},
    "arguments": {"epochs": 9},
    "n_workers": 2,
    "max_num_trials": 6,
    "max_wallclock_time": 60,
    "num_gpus_per_trial": 0,
    "instance_type": "ml.c5.4xlarge",
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """One real ASHA experiment for all tests of this module."""
    path = tmp_path_factory.mktemp("work") / "outputs" / "t" / "mine" / "ASHA" / "seed_3"
    run_experiment(load_config(BENCHMARK, "ASHA", seed=3, experiment_tag="t", random_seed=5), path)
    return path


def table(directory):
    with zipfile.ZipFile(directory / "results.csv.zip") as archive:
        (name,) = archive.namelist()
        return list(csv.DictReader(io.StringIO(archive.read(name).decode())))


def test_results_have_syne_tune_s_columns_in_its_order(directory):
    assert list(table(directory)[0]) == [
        "epoch", "loss", "foo", "pid", "st_worker_timestamp", "st_worker_time", "st_worker_iter", "st_decision",
        "st_status", "trial_id", "config_x", "config_foo", "config_epochs", "st_tuner_time",
    ]  # fmt: skip


def test_results_have_one_row_per_report_as_reported(directory):
    rows = table(directory)
    experiment = load_experiment(directory)
    reported = [event for event in experiment.events if event.kind == Kind.REPORTED]
    assert len(rows) == len(reported) == experiment.state.reports
    for row, event in zip(rows, reported, strict=True):
        x, epoch = float(row["config_x"]), int(row["epoch"])
        assert float(row["loss"]) == (x - 0.3) ** 2 + 1 / epoch
        assert int(row["trial_id"]) == event.trial
        assert row["st_decision"] in ("CONTINUE", "PAUSE", "STOP")
        assert row["st_status"] == "InProgress"
        assert float(row["st_tuner_time"]) == event.elapsed
        assert float(row["st_worker_timestamp"]) == event.time


def test_times_grow_and_iterations_count_from_0_in_every_attempt(directory):
    rows = table(directory)
    times = [float(row["st_tuner_time"]) for row in rows]
    assert times == sorted(times)
    experiment = load_experiment(directory)
    count = {}
    for row, event in zip(rows, (e for e in experiment.events if e.kind == Kind.REPORTED), strict=True):
        attempt = (event.trial, event.attempt)
        assert int(row["st_worker_iter"]) == count.get(attempt, 0)
        count[attempt] = count.get(attempt, 0) + 1
        assert float(row["st_worker_time"]) >= 0


def test_config_of_the_maximum_resource_is_the_next_milestone(directory):
    rows = table(directory)
    assert {int(row["config_epochs"]) for row in rows} <= {1, 3, 9}
    assert all(int(row["epoch"]) <= int(row["config_epochs"]) for row in rows)
    assert {row["config_foo"] for row in rows} == {"7"}


def test_metadata_has_syne_tune_s_keys(directory):
    content = json.loads((directory / "metadata.json").read_text())
    wanted = {
        "seed": 3,
        "algorithm": "ASHA",
        "tag": "t",
        "benchmark": "mine",
        "random_seed": 5,
        "max_size_data_for_model": 500,
        "n_workers": 2,
        "max_wallclock_time": 60,
        "instance_type": "ml.c5.4xlarge",
        "num_gpus_per_trial": 0,
        "entrypoint": "steps",
        "backend": "LocalBackend",
        "metric_names": ["loss"],
        "metric_mode": "min",
        "scheduler_name": "ASHA",
    }
    assert {key: content[key] for key in wanted} == wanted
    assert json.loads(content["config_space"]) == BENCHMARK["config_space"]
    assert content["st_tuner_creation_timestamp"] <= content["st_tuner_start_timestamp"]
    assert content["status"] == "complete"


def test_reports_are_the_rows_of_the_csv_as_a_data_frame(directory):
    reports = load_experiment(directory).reports
    stored = pd.read_csv(directory / "results.csv.zip")
    pd.testing.assert_frame_equal(reports, stored, check_dtype=False)


def test_trials_are_one_row_each(directory):
    experiment = load_experiment(directory)
    trials = experiment.trials
    assert list(trials["trial_id"]) == list(range(6))
    assert set(trials["status"]) <= {"completed", "paused"}
    for _, row in trials.iterrows():
        of_trial = experiment.reports[experiment.reports["trial_id"] == row["trial_id"]]
        assert row["resource"] == of_trial["epoch"].max()
        assert row["loss"] == of_trial["loss"].iloc[-1]
        assert row["config_x"] == of_trial["config_x"].iloc[0]
        assert row["seconds"] > 0


def test_the_best_is_the_lowest_of_all_reports(directory):
    experiment = load_experiment(directory)
    lowest = experiment.reports.loc[experiment.reports["loss"].idxmin()]
    assert experiment.best == {
        "trial_id": lowest["trial_id"],
        "loss": lowest["loss"],
        "epoch": lowest["epoch"],
        "configuration": {"x": lowest["config_x"]},
    }


def test_best_yaml_names_the_configuration_as_overrides(directory):
    best = load_experiment(directory).best
    (override,) = expand([f"@{directory}/best.yaml"])
    parsed = OverridesParser.create().parse_override(override)
    assert parsed.key_or_group == "benchmark.points_to_evaluate"
    assert parsed.value() == [best["configuration"]]


def test_exports_are_made_again_from_the_events(directory):
    before = table(directory)
    (directory / "results.csv.zip").unlink()
    (directory / "best.yaml").unlink()
    outcome = run_experiment(
        load_config(BENCHMARK, "ASHA", seed=3, experiment_tag="t", random_seed=5, max_num_evaluations=1000), directory
    )
    assert outcome.reason is not None
    assert table(directory)[: len(before)] == before
    assert (directory / "best.yaml").is_file()


LOAD = """
import json
from syne_tune.experiments import load_experiment
e = load_experiment("seed_3")
print(json.dumps({
    "name": e.name, "metrics": e.metric_names(), "mode": str(e.metric_mode()), "rows": len(e.results),
    "columns": sorted(e.results.columns), "seed": e.metadata["seed"], "best": e.best_config(),
    "time": float(e.results["st_tuner_time"].max()),
}, default=lambda value: value.item()))
"""


def test_syne_tune_s_own_reader_loads_the_directory(directory):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOAD], capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "SYNETUNE_FOLDER": str(directory.parent)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    experiment = load_experiment(directory)
    assert loaded["metrics"] == ["loss"]
    assert loaded["mode"] == "min"
    assert loaded["rows"] == len(experiment.reports)
    assert set(loaded["columns"]) == set(experiment.reports.columns)
    assert loaded["seed"] == 3
    assert loaded["best"]["config_x"] == experiment.best["configuration"]["x"]


# ---------------------------------------------------------------------- values as overrides


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
awkward = st.text(st.sampled_from("\\'\"{}[]()$ ,:=;\n\t~@!ab1"))
plain = texts | awkward | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()


@given(value=plain)
def test_a_value_as_an_override_reads_back_equal(value):
    parsed = OverridesParser.create().parse_override(f"key={override_text(value)}").value()
    if not isinstance(value, str):
        assert parsed == value
        assert type(parsed) is type(value)
        return
    text = getattr(parsed, "text", str(parsed))
    assert value in (text, OmegaConf.create({"key": text}).key)  # which takes `\\${` for `${`


def test_a_mapping_as_an_override_reads_back_equal():
    value = {"_target_": "a.B", "text": "{x: 'y'}", "many": [1, {"deep": None}], "part.name": True}
    assert OverridesParser.create().parse_override(f"key={override_text(value)}").value() == value


def state_with(configuration, loss=0.5):
    """An experiment of one trial with one report."""
    state = ExperimentState(Objective("loss", "min", "epoch"))
    metrics = {"metrics": {"loss": loss, "epoch": 1}, "decision": Decision.CONTINUE.value, "position": 1}
    state.apply(Event(Kind.STARTED, 0.0, 0.0, 0, 0, body={"configuration": configuration, "until": None}))
    state.apply(Event(Kind.REPORTED, 1.0, 1.0, 0, 0, 1, metrics))
    return state


def as_plain(value):
    """What Hydra's parser makes of a value, without its class for quoted text."""
    if isinstance(value, list):
        return [as_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): as_plain(item) for key, item in value.items()}
    return getattr(value, "text", value)


@given(configuration=st.dictionaries(st.sampled_from(["lr", "n_units_1", "Act"]), plain, min_size=1))
def test_best_yaml_gives_the_configuration_back_whatever_is_in_it(tmp_path, configuration):
    files = ExperimentDirectory(tmp_path)
    if any("${" in str(value) for value in configuration.values()):
        return  # a test of its own
    write_best(files, state_with(configuration))
    (override,) = expand([f"@{files.best}"])
    assert as_plain(OverridesParser.create().parse_override(override).value()) == [configuration]


def test_best_yaml_gives_a_text_with_dollar_brace_back(tmp_path):
    files = ExperimentDirectory(tmp_path)
    write_best(files, state_with({"pattern": "${x}"}))
    (override,) = expand([f"@{files.best}"])
    parsed = as_plain(OverridesParser.create().parse_override(override).value())
    assert parsed in ([{"pattern": "${x}"}], [{"pattern": r"\${x}"}])


def test_before_the_first_report_there_is_no_best(tmp_path):
    files = ExperimentDirectory(tmp_path)
    state = ExperimentState(Objective("loss", "min", "epoch"))
    assert best_of(state) is None
    write_best(files, state)
    assert not files.best.exists()


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_is_never_the_best(loss):
    assert best_of(state_with({"x": 1}, loss)) is None


# ---------------------------------------------------------------------- finding


def test_experiments_are_found_by_directory_and_by_tag(directory, monkeypatch):
    work = directory.parents[4]
    monkeypatch.chdir(work)
    assert find_experiments(directory) == [directory]
    assert find_experiments(work / "outputs") == [directory]
    assert [path.resolve() for path in find_experiments("t")] == [directory]
    assert [path.resolve() for path in find_experiments("outputs/t")] == [directory]


@pytest.mark.parametrize("place", ["nothing", "../..", ""])
def test_a_place_without_experiments_is_an_error_that_names_it(tmp_path, monkeypatch, place):
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    with pytest.raises(StoreError, match="no experiment"):
        find_experiments(place or folder)


def test_loading_takes_a_tag_and_any_directory_above_the_experiment(directory, monkeypatch):
    monkeypatch.chdir(directory.parents[4])
    for place in ("t", "outputs/t", "outputs/t/mine/ASHA", directory):
        assert load_experiment(place).directory.resolve() == directory


def test_a_tag_with_several_experiments_is_an_error_that_names_one(directory, tmp_path, monkeypatch):
    for seed in (3, 4):
        shutil.copytree(directory, tmp_path / "outputs" / "two" / "mine" / "ASHA" / f"seed_{seed}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match=r"two: 2 experiments are there; .*such as outputs/two/mine/ASHA/seed_3$"):
        load_experiment("two")


def test_an_experiment_without_its_events_is_an_error_that_says_so(directory, tmp_path):
    shutil.copy(directory / "experiment.yaml", tmp_path)
    with pytest.raises(StoreError, match=f"{tmp_path}: no events are here"):
        load_experiment(tmp_path)


def test_what_a_notebook_shows_is_a_few_lines(directory):
    experiment = load_experiment(directory)
    lines = repr(experiment).splitlines()
    assert lines[0] == f"Experiment {directory}"
    assert lines[1].split() == ["status", "complete:", "max_num_trials=6", "trials", "are", "done"]
    assert f"loss={experiment.best['loss']:.6g} (trial {experiment.best['trial_id']}, epoch " in lines[2]
    paused = int((experiment.trials["status"] == "paused").sum())
    assert f"6 trials ({paused} paused, " in lines[3]
    assert len(lines) == 4
    outcome = run_experiment(experiment.config, directory)
    assert repr(outcome).splitlines() == [f"Outcome {directory}", *lines[1:]]


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ("interrupted", "interrupted"),
        ("running", "not complete when it was read"),
        (None, "not complete when it was read"),
    ],
)
def test_what_a_notebook_shows_of_an_unfinished_experiment_says_so(directory, status, shown):
    experiment = load_experiment(directory)
    unfinished = dataclasses.replace(experiment, events=experiment.events[:5], metadata={"status": status})
    assert repr(unfinished).splitlines()[1] == f"  status   {shown}"


def test_what_cannot_be_made_sense_of_can_still_be_shown(directory, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(directory, copy)
    config = copy / "experiment.yaml"
    config.write_text(config.read_text().replace("metric: loss", "metric: los"))
    assert repr(load_experiment(copy)).startswith(f"Experiment {copy}: benchmark.metric=los: ")


def test_loading_a_directory_without_an_experiment_is_an_error_that_names_it(tmp_path):
    with pytest.raises(StoreError, match=str(tmp_path)):
        load_experiment(tmp_path)


def test_metadata_of_another_type_than_it_had_is_left_out(directory, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(directory, copy)
    metadata = json.loads((copy / "metadata.json").read_text())
    (copy / "metadata.json").write_text(
        json.dumps({**metadata, "status": ["complete"], "table_optimum": [1], "host": {}})
    )
    read = load_experiment(copy).metadata
    assert {"status", "table_optimum", "host"}.isdisjoint(read)
    assert read["backend"] == "LocalBackend"


def test_a_log_that_does_not_fit_its_configuration_is_one_sentence(directory, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(directory, copy)
    config = copy / "experiment.yaml"
    config.write_text(config.read_text().replace("metric: loss", "metric: los"))
    with pytest.raises(HPOError, match=r"benchmark\.metric=los: .* did you mean 'loss'"):
        _ = load_experiment(copy).state


def test_a_running_experiment_can_be_loaded(workplace):
    workplace.benchmark(arguments={"epochs": 1000, "sleep": 0.02})
    with workplace.start("benchmark=mine", "method=RS", "experiment_tag=t") as process:
        place = workplace.directory("t")
        while not (place / "events.db").is_file() or not (place / "experiment.yaml").is_file():
            assert process.poll() is None
        lengths = []
        while len(lengths) < 20 or lengths[-1] == lengths[0]:
            assert process.poll() is None
            lengths.append(len(load_experiment(place).events))
        process.terminate()
        process.communicate(timeout=60)
    assert lengths == sorted(lengths)
    assert {state.status for state in load_experiment(place).state.trials.values()} == {Status.INTERRUPTED}


def test_refreshing_reads_on_and_notices_another_experiment_in_its_place(directory, tmp_path):
    copy = tmp_path / "outputs" / "t" / "mine" / "ASHA" / "seed_3"
    shutil.copytree(directory, copy)
    whole = load_experiment(copy)
    early = dataclasses.replace(whole, events=whole.events[:5])
    assert early.refresh().events == whole.events
    shutil.rmtree(copy)
    run_experiment(load_config(BENCHMARK, "RS", seed=3, experiment_tag="t", random_seed=6), copy)
    assert early.refresh().config.method.name == "RS"
    assert early.refresh().events == load_experiment(copy).events


def test_the_whole_report_is_shown_in_a_frame_of_its_own(directory):
    shown = load_experiment(directory).show()
    assert shown.page.startswith("<!doctype html>")
    assert shown._repr_html_().startswith('<iframe sandbox="allow-scripts"')
    assert html.escape(shown.page) in shown._repr_html_()
    assert hpo.show(directory) == shown
