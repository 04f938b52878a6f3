"""May a configuration go on with what is in the directory? What may differ, and how differences are shown."""

from dataclasses import replace

import pytest

from hpo.config import load_config, resolve, to_yaml
from hpo.directory import ExperimentDirectory
from hpo.errors import ConfigError, StoreError
from hpo.objective import Objective
from hpo.resuming import check_resumable, differences, put_aside_unknown, stored_config
from hpo.state import ExperimentState
from hpo.trial import Event, Kind

BENCHMARK = {
    "name": "mine",
    "script": "train.py",
    "metric": "loss",
    "mode": "min",
    "config_space": {"lr": {"type": "float", "lower": 0.1, "upper": 1.0}},
    "arguments": {"epochs": 9, "name": "a"},
    "max_wallclock_time": 10.0,
}


def config(benchmark=None, **overrides):
    return resolve(load_config({**BENCHMARK, **(benchmark or {})}, "ASHA", random_seed=3, **overrides))


@pytest.fixture
def files(tmp_path):
    """A directory that holds an experiment."""
    found = ExperimentDirectory(tmp_path)
    found.config.write_text(to_yaml(config()))
    return found


def test_an_equal_configuration_has_no_differences(files):
    assert differences(config(), config()) == []
    check_resumable(files, stored_config(files, config()), config())


def test_an_empty_directory_is_open_to_any_configuration(tmp_path):
    files = ExperimentDirectory(tmp_path)
    assert stored_config(files, config()) is None
    check_resumable(files, None, config())


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"n_workers": 4}, "n_workers: 1 -> 4"),
        ({"seed": 2}, "seed: 0 -> 2"),
        ({"method.scheduler.reduction_factor": 4}, "method.scheduler.reduction_factor: 3 -> 4"),
        ({"benchmark.arguments.epochs": 5}, "benchmark.arguments.epochs: 9 -> 5"),
        ({"benchmark.arguments.new": 1}, "benchmark.arguments.new: None -> 1"),
        ({"benchmark.config_space.lr.upper": 0.5}, "benchmark.config_space.lr.upper: 1.0 -> 0.5"),
        ({"benchmark.mode": "max"}, "benchmark.mode: min -> max"),
        ({"gpus_to_use": [1]}, "gpus_to_use: None -> [1]"),
        ({"trial_timeout": 5}, "trial_timeout: None -> 5.0"),
    ],
)
def test_a_difference_is_shown_as_key_old_new_and_names_the_remedies(files, change, shown):
    new = config(**change)
    assert differences(config(), new) == [shown]
    with pytest.raises(StoreError) as caught:
        check_resumable(files, stored_config(files, new), new)
    sentence = str(caught.value)
    assert shown in sentence
    assert str(files.path) in sentence
    assert "overwrite=true" in sentence
    assert "experiment_tag" in sentence
    assert "\n" not in sentence


def test_another_random_seed_is_a_difference(files):
    new = replace(config(), random_seed=4)
    assert differences(config(), new) == ["random_seed: 3 -> 4"]


def test_several_differences_are_all_shown(files):
    new = config(n_workers=4, trial_timeout=5)
    with pytest.raises(StoreError, match=r"n_workers: 1 -> 4; .*trial_timeout: None -> 5\.0"):
        check_resumable(files, stored_config(files, new), new)


def test_very_many_differences_are_cut_and_counted(files):
    new = config({"arguments": {f"a{i}": i for i in range(30)}})
    with pytest.raises(StoreError, match=r"and 22 more") as caught:  # 30 new and 2 old arguments, 10 of them shown
        check_resumable(files, stored_config(files, new), new)
    assert str(caught.value).count(" -> ") == 10


@pytest.mark.parametrize(
    "change",
    [
        {"max_wallclock_time": 20},
        {"max_num_trials": 5},
        {"max_num_evaluations": 50},
        {"target_value": 0.5},
        {"benchmark.max_wallclock_time": 30},
        {"num_seeds": 5},
        {"start_seed": 0},
        {"trusted_modules": ["mine"]},
        {"callbacks": {"mine": {"_target_": "hpo.Callback"}}},
    ],
)
def test_budgets_and_what_concerns_a_call_may_differ(files, change):
    new = config(**change)
    assert differences(config(), new) == []
    check_resumable(files, stored_config(files, new), new)


def test_resume_false_refuses_and_names_the_remedies(files):
    new = config(resume=False)
    with pytest.raises(StoreError, match=r"resume=false.*overwrite=true.*experiment_tag"):
        check_resumable(files, stored_config(files, new), new)


def test_overwrite_deletes_what_is_there_and_keeps_the_lock(files):
    (files.trials / "0").mkdir(parents=True)
    (files.trials / "0" / "left").touch()
    outside = files.path.parent / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    (files.path / "link").symlink_to(outside)
    files.events.touch()
    files.lock.touch()
    assert stored_config(files, config(overwrite=True)) is None
    assert [path.name for path in files.path.iterdir()] == [files.lock.name]
    assert (outside / "kept").exists(), "what a link points to is not the experiment's"


def test_without_overwrite_nothing_is_deleted(files):
    files.events.touch()
    assert stored_config(files, config()) == config()
    assert files.events.exists()


def test_a_damaged_configuration_is_an_error_that_names_the_file(files):
    files.config.write_text("benchmark: [\n")
    with pytest.raises(ConfigError, match=r"experiment\.yaml is damaged .*: delete that file"):
        stored_config(files, config())
    assert stored_config(files, config(overwrite=True)) is None


def test_folders_that_the_log_does_not_know_are_moved_away_and_others_stay(files, caplog):
    state = ExperimentState(Objective("loss", "min", "epoch"))
    state.apply(Event(Kind.STARTED, 0.0, 0.0, 0, 0, body={"configuration": {"x": 1}, "until": None}))
    for trial, attempt in ((0, 0), (0, 1), (1, 0)):
        files.attempt(trial, attempt).mkdir(parents=True)
        (files.attempt(trial, attempt) / "reports.jsonl").write_text(f"{trial} {attempt}")
        files.checkpoint(trial).mkdir(exist_ok=True)
    put_aside_unknown(files, state)
    left = sorted(path.relative_to(files.trials).as_posix() for path in files.trials.glob("*/*"))
    assert left == ["0/attempt_0", "0/checkpoint"]
    kept = {path.name.rpartition("-")[0]: path for path in files.left_behind.iterdir()}
    assert sorted(kept) == ["trials-0-attempt_1", "trials-1"]
    assert (kept["trials-1"] / "attempt_0" / "reports.jsonl").read_text() == "1 0"
    assert all(str(path) in caplog.text for path in kept.values())
    put_aside_unknown(files, state)
    assert len(list(files.left_behind.iterdir())) == 2
