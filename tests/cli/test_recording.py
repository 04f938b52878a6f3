"""`hpo record`: a real grid into a table, and a simulation over it that decides as the real experiment does."""

import contextlib
import shutil

import pytest

import hpo
from hpo.cli.recording import record
from hpo.errors import ConfigError
from hpo.events.types import Event, Kind
from hpo.exporting.grid_table import table_of
from hpo.results.experiment import load_experiment
from hpo.store.event_store import Store
from hpo.store.experiment_paths import find_experiments
from hpo.tables.table import read_table
from tests.conftest import error_of, succeeded

pytestmark = pytest.mark.process

SCRIPT = """
import argparse, os, time
import hpo
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=int); parser.add_argument("--act"); parser.add_argument("--epochs", type=int)
a = parser.parse_args()
noise = int(os.environ["HPO_TRIAL_SEED"]) % 1000 / 1000
path = os.path.join(os.environ["HPO_CHECKPOINT_DIR"], "epoch")
first = int(open(path).read()) if os.path.exists(path) else 0
for epoch in range(first + 1, a.epochs + 1):
    time.sleep(0.002)
    open(path, "w").write(str(epoch))
    hpo.report(epoch=epoch, loss=(a.x - 2) ** 2 + len(a.act) + noise + 9 / epoch, note="text", size=a.x)
"""

BENCHMARK = """
name: grid
script: train.py
metric: loss
mode: min
resource_attr: epoch
max_resource_attr: epochs
config_space:
  x: {type: ordinal, values: [0, 1, 2, 3, 4]}
  act: {type: choice, values: [relu, tanhh]}
arguments: {epochs: 9}
num_gpus_per_trial: 0
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A folder with a benchmark and its table, recorded for the seeds 0 and 1 of master seed 0."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "conf" / "benchmark").mkdir(parents=True)
    (folder / "train.py").write_text(SCRIPT)
    (folder / "conf" / "benchmark" / "grid.yaml").write_text(BENCHMARK)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        record(folder / "grid", ["--config-dir", "conf", "benchmark=grid", "num_seeds=2", "n_workers=2"])
    return folder


def test_the_table_holds_every_number_of_every_training(recorded):
    table = read_table(recorded / "grid")
    assert table.name == "grid"
    assert table.seconds.shape == (10, 2, 9)
    assert set(table.metrics) == {"loss", "size"}
    assert table.about["recorded_with"] == {"random_seed": 0, "seeds": [0, 1]}
    for x in range(5):
        metrics, seconds = table.training({"x": x, "act": "relu"}, 0)
        noise = metrics["loss"][0] - (x - 2) ** 2 - 4 - 9
        assert 0 <= noise < 1
        assert metrics["loss"] == pytest.approx([(x - 2) ** 2 + 4 + noise + 9 / epoch for epoch in range(1, 10)])
        assert metrics["size"] == [float(x)] * 9
        assert seconds == sorted(seconds)
        assert seconds[0] >= 0.002


@pytest.mark.parametrize("method", ["RS", "ASHA", "ASHA-STOP", "HYPERBAND"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_simulation_with_the_seeds_of_the_recording_decides_as_the_real_experiment(
    recorded, monkeypatch, method, seed
):
    monkeypatch.chdir(recorded)
    logs = {}
    for backend in ("local", "simulated"):
        benchmark = {**hpo.load_config("mlp_digits_grid", "RS").benchmark.__dict__}
        benchmark |= {"name": "grid", "script": "train.py", "table": "grid", "metric": "loss", "mode": "min"}
        benchmark |= {"config_space": read_table(recorded / "grid").about["config_space"], "arguments": {"epochs": 9}}
        benchmark |= {"preload": [], "n_workers": 1, "report_channel": "file"}
        config = hpo.load_config(
            benchmark, method, seed=seed, random_seed=0, backend={"name": backend}, max_num_trials=8
        )
        outcome = hpo.run_experiment(config, recorded / backend / method / str(seed))
        logs[backend] = [
            (e.kind, e.trial, e.resource, e.body.get("configuration"), e.body.get("decision"), e.body.get("until"))
            for e in load_experiment(outcome.directory).events
            if e.kind in (Kind.STARTED, Kind.RESUMED, Kind.REPORTED)
        ]
    assert logs["simulated"] == logs["local"]


def test_an_incomplete_recording_is_an_error_that_counts(recorded, tmp_path):
    (first, second) = (recorded / path for path in find_experiments(recorded / "outputs" / "record-grid"))
    copy = tmp_path / "seed_1"
    shutil.copytree(second, copy)
    import sqlite3

    with sqlite3.connect(copy / "events.db") as db:
        db.execute("UPDATE events SET kind = 'noted', trial = NULL, crc = NULL WHERE trial = 3 AND kind = 'reported'")
    with pytest.raises(ConfigError, match="9 of 10 configurations"):
        table_of([load_experiment(first), load_experiment(copy)], "t", "")


def test_a_metric_tells_the_seconds_where_one_is_named(recorded):
    experiments = [load_experiment(recorded / path) for path in find_experiments(recorded / "outputs" / "record-grid")]
    table = table_of(experiments, "t", "", seconds="size")  # which is x
    assert list(table.metrics) == table.about["metrics"] == ["loss"]
    assert table.training({"x": 3, "act": "relu"}, 1)[1] == [3.0] * 9
    with pytest.raises(ConfigError, match="seconds=loss: it falls"):
        table_of(experiments, "t", "", seconds="loss")
    with pytest.raises(ConfigError, match="seconds=nosuch: not every training has reported it"):
        table_of(experiments, "t", "", seconds="nosuch")


def test_a_recording_that_was_steered_is_refused_unless_it_is_wanted(recorded, tmp_path):
    copy = tmp_path / "seed_0"
    shutil.copytree(recorded / find_experiments(recorded / "outputs" / "record-grid")[0], copy)
    body = {"id": "1", "command": "stop", "arguments": {"trial": 3}, "by": "me", "accepted": True}
    with contextlib.closing(Store(copy / "events.db")) as store:
        store.append([Event(Kind.COMMANDED, 99.0, 0.0, 3, 0, body=body)])
    with pytest.raises(ConfigError, match="--include-steered records it all the same"):
        table_of([load_experiment(copy)], "t", "")
    assert table_of([load_experiment(copy)], "t", "", include_steered=True).seconds.shape[0] == 10


def test_the_verb_takes_the_users_folders_and_says_first_how_much_it_will_train(workplace):
    space = {"x": {"type": "float", "lower": 0.0, "upper": 1.0}, "foo": {"type": "int", "lower": 1, "upper": 9}}
    workplace.benchmark(max_num_trials=..., config_space=space)
    words = ["tables/t", "--config-dir", "conf", "benchmark=mine", "num_seeds=2", "method.searcher.num_samples=2"]
    first, *_, last = succeeded(workplace.verb("record", *words)).splitlines()
    assert first.startswith("tables/t: 8 trainings in all: 4 configurations x 2 seed(s); for fewer lower ")
    assert "method.searcher.num_samples=2" in first
    assert last.startswith("tables/t.npz: 4 configurations x 2 trainings x 3;")
    about = read_table(workplace.path / "tables" / "t").about
    assert about["provenance"].startswith("recorded by: hpo record tables/t --config-dir=conf benchmark=mine")


def test_a_grid_that_a_budget_cuts_is_said_to_be_cut(workplace, monkeypatch, capsys):
    workplace.benchmark(max_num_trials=2)
    monkeypatch.chdir(workplace.path)
    record(workplace.path / "t", ["--config-dir=conf", "benchmark=mine"])
    assert (
        ": 2 trainings in all: 5 configurations x 1 seed(s), of which max_num_trials=2 are trained;"
        in capsys.readouterr().out
    )


def test_a_wrong_override_of_a_recording_is_one_sentence_before_anything_is_trained(workplace):
    assert "benchmark.nosuch" in error_of(
        workplace.verb("record", "t", "-cd", "conf", "benchmark=mine", "benchmark.nosuch=1")
    )
    assert not (workplace.path / "outputs").exists()
