"""The simulated backend: virtual time, resuming from the last resource, order, and whole experiments over tables."""

import itertools
import sqlite3

import numpy as np
import pytest

import hpo
from hpo.backends.simulated import SimulatedBackend
from hpo.errors import ConfigError
from hpo.events.types import Exit, Kind, Report, Trial
from hpo.experiment.batch import run_batch
from hpo.randomness import Randomness
from hpo.results.experiment import load_experiment
from hpo.tables.table import Table

SPACE = {"x": {"type": "ordinal", "values": list(range(20))}, "y": {"type": "ordinal", "values": list(range(20))}}


def make_table(epochs=9, seeds=2):
    """Loss falls with the epoch towards (x-7)^2 + (y-3)^2; an epoch takes 1 + x/10 seconds."""
    rows = list(itertools.product(range(20), range(20)))
    loss = [
        [[(x - 7) ** 2 + (y - 3) ** 2 + 50 / e + 0.01 * s for e in range(1, epochs + 1)] for s in range(seeds)]
        for x, y in rows
    ]
    seconds = [[[(1 + x / 10) * e for e in range(1, epochs + 1)] for _ in range(seeds)] for x, _ in rows]
    about = {
        "name": "bowl",
        "config_space": SPACE,
        "metric": "loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource": epochs,
    }
    columns = {"x": np.array([x for x, _ in rows]), "y": np.array([y for _, y in rows])}
    return Table(about, columns, {"loss": np.array(loss)}, np.array(seconds))


@pytest.fixture
def backend():
    return SimulatedBackend(make_table(), Randomness(0, 0))


def until_exit(backend, trial_id):
    events = []
    while not (events and isinstance(events[-1], Exit) and events[-1].trial_id == trial_id):
        events += [(event, backend.now)[0] for event in backend.wait(None)]
    return events


def test_reports_come_when_the_table_says(backend):
    backend.start(Trial(0, {"x": 5, "y": 3}), 0, 3)
    times = []
    for _ in range(4):
        (event,) = backend.wait(None)
        times.append((type(event), getattr(event, "metrics", {}).get("epoch"), round(backend.now, 9)))
    assert times == [(Report, 1, 1.5), (Report, 2, 3.0), (Report, 3, 4.5), (Exit, None, 4.5)]


def test_a_resumed_trial_goes_on_from_its_last_resource_and_pays_only_for_the_rest(backend):
    backend.start(Trial(0, {"x": 0, "y": 0}), 0, 1)
    until_exit(backend, 0)
    assert backend.now == 1.0
    backend.start(Trial(0, {"x": 0, "y": 0}), 1, 3)
    events = until_exit(backend, 0)
    assert [event.metrics["epoch"] for event in events[:-1]] == [2, 3]
    assert backend.now == pytest.approx(3.0)


def test_a_trial_whose_checkpoint_is_forgotten_starts_over(backend):
    backend.start(Trial(0, {"x": 0, "y": 0}), 0, 2)
    until_exit(backend, 0)
    backend.forget_checkpoint(0)
    backend.start(Trial(0, {"x": 0, "y": 0}), 1, 3)
    assert [event.metrics["epoch"] for event in until_exit(backend, 0)[:-1]] == [1, 2, 3]


def test_a_stopped_trial_ends_now(backend):
    backend.start(Trial(0, {"x": 0, "y": 0}), 0, 9)
    backend.wait(None)
    backend.stop(0)
    assert list(backend.wait(None)) == [Exit(0, 0, 0)]
    assert backend.now == 1.0
    assert list(backend.wait(5.0)) == []
    assert backend.now == 6.0


def test_equal_times_are_ordered_by_worker_then_trial(backend):
    for trial_id in (4, 1, 3):
        backend.start(Trial(trial_id, {"x": 0, "y": trial_id}), 0, 1)
    order = [backend.wait(None)[0].trial_id for _ in range(6)]
    assert order == [4, 4, 1, 1, 3, 3]  # report and exit on workers 0, 1 and 2, given out in this order


def test_waiting_does_not_go_beyond_its_timeout(backend):
    backend.start(Trial(0, {"x": 0, "y": 0}), 0, 9)
    assert list(backend.wait(0.25)) == []
    assert backend.now == 0.25
    assert backend.wait(None)[0].metrics["epoch"] == 1


def experiment(folder, method="ASHA", seed=0, **keys):
    make_table().save(folder / "bowl")
    benchmark = {
        "name": "bowl",
        "table": str(folder / "bowl"),
        "metric": "loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "epochs",
        "config_space": SPACE,
        "arguments": {"epochs": 9},
        "n_workers": 3,
    }
    return hpo.load_config(benchmark, method, seed=seed, random_seed=1, **{"max_num_trials": 40, **keys})


def rows(directory):
    return sqlite3.connect(directory / "events.db").execute("SELECT * FROM events").fetchall()


@pytest.mark.parametrize("method", ["RS", "SOBOL", "GRID", "ASHA", "ASHA-STOP", "HYPERBAND", "SYNC-HYPERBAND"])
def test_the_same_experiment_gives_the_same_log_to_the_last_byte(tmp_path, method):
    for name in ("a", "b"):
        hpo.run_experiment(experiment(tmp_path, method), tmp_path / name)
    assert rows(tmp_path / "a") == rows(tmp_path / "b")


def test_a_larger_budget_goes_on_as_if_it_had_been_given_at_once(tmp_path):
    for number in (10, 40):
        hpo.run_experiment(experiment(tmp_path, n_workers=1, max_num_trials=number), tmp_path / "grown")
    hpo.run_experiment(experiment(tmp_path, n_workers=1), tmp_path / "once")
    grown, once = (load_experiment(tmp_path / name) for name in ("grown", "once"))
    assert grown.state.counts().keys() == once.state.counts().keys()
    started = [[e.body["configuration"] for e in x.events if e.kind == Kind.STARTED] for x in (grown, once)]
    assert started[0] == started[1]


def test_workers_are_never_more_than_given_and_the_budget_is_virtual_time(tmp_path):
    outcome = hpo.run_experiment(experiment(tmp_path, max_num_trials=None, max_wallclock_time=60.0), tmp_path / "out")
    assert outcome.reason == "max_wallclock_time=60 s is over"
    running, most = set(), 0
    for event in load_experiment(outcome.directory).events:
        if event.kind in (Kind.STARTED, Kind.RESUMED):
            running.add(event.trial)
        elif event.kind == Kind.ENDED:
            running.discard(event.trial)
        most = max(most, len(running))
    assert most == 3
    assert outcome.state.busy_seconds() == pytest.approx(180.0)


def test_metadata_says_that_it_was_simulated_and_what_the_best_possible_value_is(tmp_path):
    outcome = hpo.run_experiment(experiment(tmp_path), tmp_path / "out")
    metadata = load_experiment(outcome.directory).metadata
    assert (metadata["backend"], metadata["data_label"]) == ("SimulatedBackend", "recorded")
    assert metadata["table_optimum"] == pytest.approx(50 / 9 + 0.005)


def test_a_maximum_beyond_the_table_is_an_error(tmp_path):
    config = experiment(tmp_path)
    config.benchmark.arguments["epochs"] = 27
    with pytest.raises(ConfigError, match="ends at 9"):
        hpo.run_experiment(config, tmp_path / "out")


def test_simulating_a_benchmark_without_a_table_is_an_error(tmp_path):
    config = hpo.load_config("mlp_digits", "RS", backend={"name": "simulated"})
    with pytest.raises(ConfigError, match=r"benchmark\.table is not given"):
        hpo.run_experiment(config, tmp_path / "out")


@pytest.mark.process
def test_a_batch_gives_what_single_runs_give(tmp_path):
    batch = [(experiment(tmp_path, seed=seed), tmp_path / "batch" / str(seed)) for seed in range(4)]
    results = list(run_batch(batch, processes=2))
    assert sorted(result.directory for result in results) == sorted(directory for _, directory in batch)
    assert [result.code for result in results] == [0] * 4
    for seed in range(4):
        hpo.run_experiment(experiment(tmp_path, seed=seed), tmp_path / "single" / str(seed))
        assert rows(tmp_path / "batch" / str(seed)) == rows(tmp_path / "single" / str(seed))


@pytest.mark.process
def test_a_failing_experiment_of_a_batch_does_not_keep_the_others_from_running(tmp_path):
    good, bad = experiment(tmp_path, seed=0), experiment(tmp_path, seed=1)
    bad.benchmark.table = "nowhere"
    results = {
        result.directory.name: result for result in run_batch([(good, tmp_path / "good"), (bad, tmp_path / "bad")])
    }
    assert results["good"].code == 0
    assert results["bad"].code == 1
    assert "benchmark.table=nowhere" in results["bad"].error


def test_an_experiment_whose_files_were_never_written_gets_them_when_it_is_skipped(tmp_path):
    hpo.run_experiment(experiment(tmp_path), tmp_path / "out")
    for name in ("results.csv.zip", "best.yaml", "metadata.json"):
        (tmp_path / "out" / name).unlink()
    assert hpo.run_experiment(experiment(tmp_path), tmp_path / "out").skipped
    assert load_experiment(tmp_path / "out").metadata["status"] == "complete"
    assert (tmp_path / "out" / "results.csv.zip").exists()
    assert (tmp_path / "out" / "best.yaml").exists()
