"""`hpo export` and `hpo import`: what other tools read is what the event store says, recomputed here with plain sqlite3."""

import csv
import io
import json
import os
import sqlite3
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import optuna
import pandas as pd
import pytest

from hpo import load_config, load_experiment
from hpo.config.reading import resolve, to_yaml
from hpo.errors import ConfigError, StoreError
from hpo.events.types import Event, Kind
from hpo.exporting.optuna_storage import distribution, write_optuna
from hpo.exporting.portable import MANIFEST, pack, unpack
from hpo.exporting.tables import write_csv, write_jsonl, write_parquet
from hpo.space.domains import LOG, REVERSE_LOG, Choice, Float, Integer
from hpo.store.event_store import Store
from hpo.store.sqlite_file import copy_store
from tests.conftest import Workplace, error_of, succeeded
from tests.support import fronts
from tests.support.steps import STEPS, run_steps

pytestmark = pytest.mark.process

BENCHMARK = {**STEPS, "max_num_trials": 7}


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """One real ASHA experiment for all tests of this module."""
    return run_steps(tmp_path_factory.mktemp("work"), BENCHMARK)


def rows_of(directory):
    """(trial, resource, loss) of each report in order, and the configuration of each trial: with nothing of hpo."""
    database = sqlite3.connect(f"{(directory / 'events.db').as_uri()}?mode=ro", uri=True)
    query = "SELECT trial, resource, body FROM events WHERE kind = 'reported' ORDER BY seq"
    reports = [
        (trial, resource, json.loads(body)["metrics"]["loss"]) for trial, resource, body in database.execute(query)
    ]
    query = "SELECT trial, body FROM events WHERE kind = 'started' ORDER BY seq"
    trials = {trial: json.loads(body)["configuration"] for trial, body in database.execute(query)}
    database.close()
    return reports, trials


# ---------------------------------------------------------------------- one portable file


def test_an_exported_experiment_is_the_same_after_its_import(directory, tmp_path):
    file = pack([directory], tmp_path / "a.hpo.zip")
    (imported,) = unpack(file, tmp_path / "elsewhere")
    assert imported == tmp_path / "elsewhere" / "t" / "mine" / "ASHA" / "seed_3"
    before, after = load_experiment(directory), load_experiment(imported)
    assert after.events == before.events
    assert after.config == before.config
    assert after.best == before.best
    assert (imported / "best.yaml").read_text() == (directory / "best.yaml").read_text()
    pd.testing.assert_frame_equal(pd.read_csv(imported / "results.csv.zip"), pd.read_csv(directory / "results.csv.zip"))
    assert (imported / "hpo.log").read_text() == (directory / "hpo.log").read_text()


def test_a_portable_file_has_no_checkpoints_and_no_pickles(directory, tmp_path):
    assert list(directory.glob("trials/*/checkpoint/epoch")), "the experiment does have checkpoints"
    with zipfile.ZipFile(pack([directory], tmp_path / "a.zip")) as archive:
        names = archive.namelist()
    assert not [name for name in names if "checkpoint" in name or name.endswith((".pkl", ".dill", ".pickle"))]
    kinds = {Path(name).name for name in names}
    assert {"experiment.yaml", "metadata.json", "events.db", "results.csv.zip", "best.yaml"} <= kinds
    assert not [name for name in names if name.endswith(("-wal", "-shm", ".lock", ".owner.json"))]


def test_syne_tune_reads_what_was_imported(directory, tmp_path):
    reports, trials = rows_of(directory)
    unpack(pack([directory], tmp_path / "a.zip"), tmp_path / "outputs")
    code = """
import json
from syne_tune.experiments import load_experiment
found = load_experiment("seed_3")
frame = found.results
values = [len(frame), frame["loss"].min(), frame["trial_id"].nunique(), found.best_config()["config_x"]]
print(json.dumps(values, default=lambda value: value.item()))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "SYNETUNE_FOLDER": str(tmp_path / "outputs" / "t" / "mine" / "ASHA")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    count, best, n_trials, x = json.loads(done.stdout.splitlines()[-1])
    assert (count, n_trials) == (len(reports), len(trials))
    assert best == min(loss for _, _, loss in reports)
    winner = min(reports, key=lambda row: (row[2], row[0]))[0]
    assert x == trials[winner]["x"]


def test_a_running_experiment_can_be_exported(tmp_path):
    """The writer has its store open, and what it committed last is in the write-ahead log only."""
    folder = write_story(tmp_path / "outputs" / "t" / "story" / "RS" / "seed_0")
    writer = Store(folder / "events.db")
    writer.append([Event(Kind.NOTED, 99.0, 99.0, body={"text": "last"})])
    assert (folder / "events.db-wal").stat().st_size > 0
    (imported,) = unpack(pack([folder], tmp_path / "a.zip"), tmp_path / "elsewhere")
    writer.close()
    assert load_experiment(imported).events[-1].body == {"text": "last"}
    assert not list(imported.glob("events.db-*"))


def test_an_import_never_replaces_an_experiment(directory, tmp_path):
    file = pack([directory], tmp_path / "a.zip")
    unpack(file, tmp_path / "outputs")
    marker = tmp_path / "outputs" / "t" / "mine" / "ASHA" / "seed_3" / "mine.txt"
    marker.write_text("x")
    with pytest.raises(ConfigError, match="exists; move it away"):
        unpack(file, tmp_path / "outputs")
    assert marker.read_text() == "x"


def test_an_export_never_replaces_a_file(directory, tmp_path):
    (tmp_path / "a.zip").write_text("precious")
    with pytest.raises(ConfigError, match="exists"):
        pack([directory], tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_text() == "precious"


def test_the_same_experiment_twice_is_one_sentence(directory, tmp_path):
    with pytest.raises(ConfigError, match="is the same experiment as"):
        pack([directory, directory], tmp_path / "a.zip")
    assert list(tmp_path.iterdir()) == []


PLACE = "t/mine/ASHA/seed_3"
EVIL = [
    "../outside.txt", f"{PLACE}/../../../../outside.txt", "/tmp/outside.txt", f"{PLACE}/..\\outside.txt", "other/file",
    f"{PLACE}//double", f"{PLACE}/./dot", PLACE + "x/file",
]  # fmt: skip


def tampered(directory, tmp_path, change):
    """A portable file whose entries went through `change`, a function of (name, data, archive to write to)."""
    pack([directory], tmp_path / "good.zip")
    with zipfile.ZipFile(tmp_path / "good.zip") as old, zipfile.ZipFile(tmp_path / "bad.zip", "w") as new:
        for info in old.infolist():
            change(info.filename, old.read(info), new)
    return tmp_path / "bad.zip"


def copy(name, data, archive):
    archive.writestr(name, data)


@pytest.mark.parametrize("name", EVIL)
def test_an_entry_that_leads_out_of_its_place_is_refused(directory, tmp_path, name):
    def change(old, data, archive):
        copy(old, data, archive)
        if old == MANIFEST:
            archive.writestr(zipfile.ZipInfo(name), "x")

    bad = tampered(directory, tmp_path, change)
    with pytest.raises(ConfigError, match="nothing was unpacked"):
        unpack(bad, tmp_path / "outputs")
    assert not (tmp_path / "outputs").exists()


def test_a_link_is_refused(directory, tmp_path):
    def change(old, data, archive):
        copy(old, data, archive)
        if old == MANIFEST:
            info = zipfile.ZipInfo(f"{PLACE}/link")
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, "/etc/passwd")

    with pytest.raises(ConfigError, match="nothing was unpacked"):
        unpack(tampered(directory, tmp_path, change), tmp_path / "outputs")


@pytest.mark.parametrize("place", ["../a/b/c", "a/../../b/c", "a/b", "/a/b/c", "t/other/ASHA/seed_3", 7])
def test_a_manifest_that_names_another_place_is_refused(directory, tmp_path, place):
    def change(name, data, archive):
        if name == MANIFEST:
            content = json.loads(data)
            content["experiments"], content["tags"] = [place], {}
            data = json.dumps(content)
        copy(name.replace(PLACE, str(place)), data, archive)

    with pytest.raises(ConfigError):
        unpack(tampered(directory, tmp_path, change), tmp_path / "outputs")
    assert not list(tmp_path.glob("outputs/*"))
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"no zip", "cannot be unpacked"),
        (None, "there is no such file"),
        ({"other": "x"}, "was not made by hpo export"),
        ({MANIFEST: json.dumps({"format": 99, "experiments": [], "tags": {}})}, "later version"),
        ({MANIFEST: "[]"}, "was not made by hpo export"),
    ],
)
def test_what_is_no_portable_file_is_one_sentence(tmp_path, content, sentence):
    file = tmp_path / "x.zip"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        with zipfile.ZipFile(file, "w") as archive:
            for name, text in content.items():
                archive.writestr(name, text)
    with pytest.raises(ConfigError, match=sentence):
        unpack(file, tmp_path / "outputs")


@pytest.mark.parametrize("name", ["events.db", "experiment.yaml"])
def test_a_damaged_experiment_is_not_unpacked(directory, tmp_path, name):
    def change(old, data, archive):
        copy(old, b"damaged" * 2000 if old.endswith(name) else data, archive)

    with pytest.raises(ConfigError):
        unpack(tampered(directory, tmp_path, change), tmp_path / "outputs")
    assert not list(tmp_path.glob("outputs/*"))


def test_flipped_bits_are_found(directory, tmp_path):
    file = pack([directory], tmp_path / "a.zip")
    with zipfile.ZipFile(file) as archive:
        info = next(info for info in archive.infolist() if info.filename.endswith("events.db"))
    data = bytearray(file.read_bytes())
    data[info.header_offset + 200] ^= 0xFF
    file.write_bytes(data)
    with pytest.raises(ConfigError, match="cannot be unpacked"):
        unpack(file, tmp_path / "outputs")


def test_a_store_that_is_none_cannot_be_copied(tmp_path):
    (tmp_path / "events.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match="cannot be copied"):
        copy_store(tmp_path / "events.db", tmp_path / "copy.db")


# ---------------------------------------------------------------------- tables


def test_csv_and_parquet_have_a_row_per_report_with_the_numbers_of_the_store(directory, tmp_path):
    reports, trials = rows_of(directory)
    experiment = load_experiment(directory)
    write_csv([experiment], tmp_path / "a.csv")
    write_parquet([experiment], tmp_path / "a.parquet")
    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(int(row["trial_id"]), int(row["epoch"]), float(row["loss"])) for row in rows] == reports
    assert [row["method"] for row in rows] == ["ASHA"] * len(reports)
    frame = pd.read_parquet(tmp_path / "a.parquet")
    assert list(zip(frame["trial_id"], frame["epoch"], frame["loss"], strict=True)) == reports
    assert all(frame["config_x"] == [trials[trial]["x"] for trial, _, _ in reports])


def test_tables_take_any_value_that_a_script_may_report(tmp_path):
    folder = write_story(tmp_path / "a")
    write_csv([load_experiment(folder)], tmp_path / "a.csv")
    write_parquet([load_experiment(folder)], tmp_path / "a.parquet")
    frame = pd.read_parquet(tmp_path / "a.parquet")
    assert list(frame["odd"].dropna()) == ["text", "[1, 2]", "3", "half ?", str(2**70)]
    assert len(pd.read_csv(tmp_path / "a.csv")) == len(frame)


def test_json_lines_are_the_log(directory, tmp_path):
    experiment = load_experiment(directory)
    write_jsonl([experiment], tmp_path / "a.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [(line["seq"], line["kind"], line["body"]) for line in lines] == [
        (seq, event.kind.value, event.body) for seq, event in enumerate(experiment.events, 1)
    ]
    assert {line["experiment_tag"] for line in lines} == {"t"}


# ---------------------------------------------------------------------- optuna

STORY = {
    **BENCHMARK, "name": "story", "metric": "accuracy", "mode": "max", "n_workers": 1, "max_num_trials": 20,
    "config_space": {
        "lr": {"type": "float", "lower": 1e-4, "upper": 1.0, "log": True},
        "momentum": {"type": "float", "lower": 0.5, "upper": 0.999, "reverse_log": True},
        "dropout": {"type": "float", "lower": 0.0, "upper": 0.95, "step": 0.1},
        "layers": {"type": "int", "lower": 1, "upper": 10, "step": 4},
        "units": {"type": "int", "lower": 8, "upper": 512, "log": True},
        "act": {"type": "choice", "values": ["relu", "tanh", True, 1.5]},
        "width": {"type": "ordinal", "values": [32, 64]},
    },
}  # fmt: skip
CONFIGURATION = {"lr": 1e-3, "momentum": 0.9, "dropout": 0.9, "layers": 9, "units": 64, "act": True, "width": 64}
VALUES = {0: [0.5, 0.9, 0.7], 1: [0.95], 2: [0.2], 3: [], 4: [0.4], 5: [float("nan")], 6: [0.3], 7: [0.1], 8: [0.6]}
ENDS = {
    0: "completed",
    1: "paused",
    2: "stopped",
    3: "failed",
    4: "timeout",
    5: "completed",
    6: "interrupted",
    8: "paused",
}
EXPECTED = {
    0: "COMPLETE", 1: "COMPLETE", 2: "PRUNED", 3: "FAIL", 4: "FAIL", 5: "FAIL", 6: "RUNNING", 7: "RUNNING", 8: "PRUNED",
}  # fmt: skip
ODD = {(0, 1): "text", (0, 2): [1, 2], (0, 3): 3, (1, 1): "half \ud800", (2, 1): 2**70}


def write_story(folder):
    """An experiment with a trial in each state; trial 1 is the best and paused, trial 5 never had a number."""
    folder.mkdir(parents=True)
    config = resolve(load_config(STORY, "RS", seed=0, experiment_tag="t", random_seed=5))
    (folder / "experiment.yaml").write_text(to_yaml(config))
    store = Store(folder / "events.db")
    events = [Event(Kind.OPENED, 0.0, 1e9, body={"host": "h"})]
    for trial, values in VALUES.items():
        body = {"configuration": CONFIGURATION, "until": 9}
        events.append(Event(Kind.STARTED, trial, 1e9 + trial, trial, 0, body=body))
        for epoch, value in enumerate(values, 1):
            metrics = {"accuracy": value, "epoch": epoch}
            if (trial, epoch) in ODD:
                metrics["odd"] = ODD[trial, epoch]
            body = {"metrics": metrics, "decision": "CONTINUE", "position": epoch}
            events.append(Event(Kind.REPORTED, trial + epoch / 10, 1e9 + trial + epoch / 10, trial, 0, epoch, body))
        if trial in ENDS:
            body = {"status": ENDS[trial], "usage": {}, "error": "exit code 1\nValueError: bad" if trial == 3 else None}
            events.append(Event(Kind.ENDED, trial + 0.9, 1e9 + trial + 0.9, trial, 0, body=body))
    store.append(events)
    store.close()
    return folder


def studies_of(file):
    storage = optuna.storages.RDBStorage(f"sqlite:///{file}")
    return storage, [optuna.load_study(study_name=name, storage=storage) for name in
                     optuna.get_all_study_names(storage=storage)]  # fmt: skip


@pytest.fixture(autouse=True)
def quiet_optuna():
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def test_optuna_reads_the_trials_and_the_best_of_the_store(directory, tmp_path):
    reports, trials = rows_of(directory)
    write_optuna([load_experiment(directory)], tmp_path / "a.db")
    storage, (study,) = studies_of(tmp_path / "a.db")
    assert study.study_name == "t/mine/ASHA/seed_3"
    assert len(study.trials) == len(trials)
    assert study.best_value == min(loss for _, _, loss in reports)
    winner = min(reports, key=lambda row: (row[2], row[0]))[0]
    assert study.best_trial.number == winner
    for trial in study.trials:
        assert trial.params == trials[trial.number]
        assert trial.intermediate_values == {epoch: loss for number, epoch, loss in reports if number == trial.number}
        assert trial.value == min(trial.intermediate_values.values())
    storage.engine.dispose()


def test_optuna_s_states_say_what_became_of_a_trial(tmp_path):
    write_optuna([load_experiment(write_story(tmp_path / "a"))], tmp_path / "a.db")
    storage, (study,) = studies_of(tmp_path / "a.db")
    assert {trial.number: trial.state.name for trial in study.trials} == EXPECTED
    assert {n: study.trials[n].user_attrs["hpo_status"] for n in ENDS} == ENDS
    assert study.best_value == 0.95, "the best is found although its trial is paused"
    assert study.trials[0].value == 0.9, "the best it reported, not the last"
    assert study.trials[3].user_attrs["hpo_error"] == "ValueError: bad"
    assert study.trials[7].datetime_complete is None
    assert study.trials[0].params == CONFIGURATION
    assert study.direction.name == "MAXIMIZE"
    importable = optuna.create_study(direction="maximize")
    importable.add_trials([trial for trial in study.trials if trial.state.name == "COMPLETE"])
    importable.ask(study.trials[0].distributions)  # distributions that optuna can go on with
    storage.engine.dispose()


def test_optuna_has_the_directions_and_the_front_of_several_objectives(tmp_path):
    made = fronts.table(tmp_path)
    experiment = fronts.run(tmp_path, made, "MO-ASHA", trials=25, constraints={"size": {"upper": 8.0}})
    write_optuna([experiment], tmp_path / "a.db")
    storage, (study,) = studies_of(tmp_path / "a.db")
    assert [direction.name for direction in study.directions] == ["MINIMIZE", "MAXIMIZE"]
    reports = {}
    for _, trial, _, (error, minus_speed) in fronts.losses_of(experiment):
        reports.setdefault(trial, []).append([error, -minus_speed])
    front = {}
    for point in experiment.state.front:
        front.setdefault(point.trial_id, [point.losses[0], -point.losses[1]])  # the best of the first objective
    for trial in study.trials:
        if trial.values is not None:
            assert trial.values == front.get(trial.number, reports[trial.number][-1])
    best = {trial.number: trial.values for trial in study.best_trials}
    assert set(best) <= set(front) | {n for n, t in enumerate(study.trials) if t.state.name == "COMPLETE"}
    assert {n: values for n, values in best.items() if n in front} == front
    assert study.user_attrs["hpo_objectives"] == ["error", "speed"]
    assert [point["trial_id"] for point in study.user_attrs["hpo_best"]] == [p.trial_id for p in experiment.state.front]
    storage.engine.dispose()


@pytest.mark.parametrize(
    "domain",
    [
        Float(0.0, 1.0), Float(1e-4, 1.0, LOG), Float(0.5, 0.999, REVERSE_LOG), Float(0.0, 0.95, step=0.1),
        Float(0.1, 0.7, step=0.2), Float(1e-3, 1.0, LOG, step=0.1), Float(2.0, 2.0), Float(0.0, 0.05, step=0.1),
        Integer(1, 10), Integer(1, 10, step=4), Integer(8, 512, LOG), Integer(3, 90, LOG, step=3), Integer(4, 4),
        Choice(("a", 1, 2.5, True)), Choice((1, 2, 4), ordered=True),
    ],
)  # fmt: skip
def test_every_value_of_a_domain_lies_in_its_distribution(domain):
    found = distribution(domain)
    for value in domain.values(50):
        assert found._contains(found.to_internal_repr(value)), value


# ---------------------------------------------------------------------- the verbs


def test_a_tag_is_exported_and_imported_with_every_experiment(complete, tmp_path):
    out = succeeded(complete.verb("export", "l"))
    assert "2 experiment(s) written to l.hpo.zip" in out
    seed = json.loads((complete.path / "outputs" / "l" / "tag.json").read_text())["random_seed"]
    other = Workplace(tmp_path / "other")
    other.path.mkdir()
    out = succeeded(other.verb("import", str(complete.path / "l.hpo.zip")))
    assert out.count("imported") == 2
    assert json.loads((other.path / "outputs" / "l" / "tag.json").read_text()) == {"random_seed": seed}
    for verb in ("status", "replay"):
        there, here = (succeeded(place.verb(verb, "l")) for place in (complete, other))
        assert here == there
    assert "hpo: error" in complete.verb("export", "l").stderr, "the file exists by now"
    assert "exists" in error_of(other.verb("import", str(complete.path / "l.hpo.zip")))


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl", "optuna", "hparams"])
def test_each_form_is_written_by_the_verb(complete, form):
    out = succeeded(complete.verb("export", "outputs/l", "--to", form, "--output", f"made/{form}.out"))
    assert f"made/{form}.out" in out
    assert (complete.path / "made" / f"{form}.out").exists()


def test_a_form_that_is_none_names_those_there_are(complete):
    sentence = error_of(complete.verb("export", "l", "--to", "excel"))
    assert "--to excel" in sentence
    assert "parquet" in sentence


def test_results_of_a_csv_read_back_as_numbers(complete):
    succeeded(complete.verb("export", "l", "--to", "csv"))
    frame = pd.read_csv(io.StringIO((complete.path / "l.csv").read_text()))
    assert set(frame["method"]) == {"RS", "ASHA"}
    assert frame["loss"].dtype == "float64"
