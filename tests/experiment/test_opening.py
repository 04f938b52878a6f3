"""May a configuration go on with what is in the directory? What may differ, and how differences are shown."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hpo.config.reading import load_config, resolve, to_yaml
from hpo.errors import ConfigError, StoreError
from hpo.events.objective import Objective
from hpo.events.state import ExperimentState
from hpo.events.types import Event, Kind
from hpo.experiment.opening import check_resumable, differences, is_done, settle, stored_config
from hpo.experiment.run import run_experiment
from hpo.results.experiment import load_experiment
from hpo.schedulers.construction import scheduler_of
from hpo.schedulers.replay import verify
from hpo.store.directory import ExperimentDirectory
from hpo.store.event_store import Store
from hpo.store.store_repair import put_aside_unknown
from tests.conftest import error_of, succeeded

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
    found.trials.mkdir()
    return found


def test_an_equal_configuration_has_no_differences(files):
    assert differences(config(), config()) == []
    check_resumable(files, stored_config(files), config())


def test_an_experiment_may_go_on_with_another_backend_that_trains():
    ray = config(backend={"name": "ray", "address": "head:6379"})
    assert differences(config(), ray) == differences(ray, config()) == []
    assert differences(config(), config(backend={"name": "simulated"})) != []
    assert differences(ray, config(backend={"name": "mine", "_target_": "mine.Backend"})) != []


def test_an_argument_that_is_nan_is_equal_to_itself():
    """Hydra reads `how=nan` as a number, and the same command goes on."""
    one, other, third = (config({"arguments": {"how": float(how)}}) for how in ("nan", "nan", "1"))
    assert differences(one, other) == []
    assert differences(one, third) == ["benchmark.arguments.how: nan -> 1.0"]


def test_an_empty_directory_is_open_to_any_configuration(tmp_path):
    files = ExperimentDirectory(tmp_path)
    assert stored_config(files) is None
    check_resumable(files, None, config())


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"max_size_data_for_model": 99}, "max_size_data_for_model: 500 -> 99"),
        ({"seed": 2}, "seed: 0 -> 2"),
        ({"method.scheduler.reduction_factor": 4}, "method.scheduler.reduction_factor: 3 -> 4"),
        ({"benchmark.arguments.epochs": 5}, "benchmark.arguments.epochs: 9 -> 5"),
        ({"benchmark.arguments.new": 1}, "benchmark.arguments.new: None -> 1"),
        ({"benchmark.config_space.lr.upper": 0.5}, "benchmark.config_space.lr.upper: 1.0 -> 0.5"),
        ({"benchmark.mode": "max"}, "benchmark.mode: min -> max"),
        ({"num_gpus_per_trial": 2}, "num_gpus_per_trial: 1 -> 2"),
    ],
)
def test_a_difference_is_shown_as_key_old_new_and_names_the_remedies(files, change, shown):
    new = config(**change)
    assert differences(config(), new) == [shown]
    with pytest.raises(StoreError) as caught:
        check_resumable(files, stored_config(files), new)
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
    new = config(seed=4, num_gpus_per_trial=2)
    with pytest.raises(StoreError, match=r"seed: 0 -> 4; .*num_gpus_per_trial: 1 -> 2"):
        check_resumable(files, stored_config(files), new)


def test_very_many_differences_are_cut_and_counted(files):
    new = config({"arguments": {f"a{i}": i for i in range(30)}})
    with pytest.raises(StoreError, match=r"and 22 more") as caught:  # 30 new and 2 old arguments, 10 of them shown
        check_resumable(files, stored_config(files), new)
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
        {"max_failures": 9},
        {"trial_timeout": 5, "trial_silence_timeout": 5, "grace_period_seconds": 3},
        {"n_workers": 4, "benchmark.n_workers": 4},
        {"code_changes": "refuse", "retry": "failed"},
        {"gpus_to_use": [1], "benchmark.preload": None, "delete_checkpoints": True},
    ],
)
def test_budgets_and_what_concerns_a_call_may_differ(files, change):
    new = config(**change)
    assert differences(config(), new) == []
    check_resumable(files, stored_config(files), new)


@pytest.mark.parametrize("named_in", [(True, True), (False, True), (True, False)], ids=["both", "new", "old"])
def test_arguments_of_the_machine_may_differ_whichever_side_names_them(named_in):
    names = [{"arguments_of_the_machine": ["data_dir"]} if named else {} for named in named_in]
    old, new = (config({"arguments": {"epochs": 9, "data_dir": f"/{n}"}, **keys}) for n, keys in enumerate(names))
    assert differences(old, new) == []
    assert differences(old, config({"arguments": {"epochs": 8, "data_dir": "/0"}, **names[1]})) == [
        "benchmark.arguments.epochs: 9 -> 8"
    ]


def test_an_argument_of_the_machine_must_be_one_of_the_script():
    with pytest.raises(ConfigError, match=r"benchmark\.arguments_of_the_machine: 'data' is not among"):
        config({"arguments_of_the_machine": ["data"]})


def test_before_a_trial_has_started_any_configuration_may_follow(files):
    files.trials.rmdir()
    new = config(seed=4)
    check_resumable(files, stored_config(files), new)
    store = Store(files.events)
    store.append([Event(Kind.OPENED, 0.0, 1.0)])
    check_resumable(files, stored_config(files), new)
    store.append([Event(Kind.STARTED, 0.0, 1.0, 0, 0, body={"configuration": {"lr": 0.5}, "until": 1})])
    store.close()
    with pytest.raises(StoreError, match="seed: 0 -> 4"):
        check_resumable(files, stored_config(files), new)


def test_a_submitted_job_has_begun(files):
    files.trials.rmdir()
    (files.path / "launch.json").touch()
    with pytest.raises(StoreError, match="seed: 0 -> 4"):
        check_resumable(files, stored_config(files), config(seed=4))


@pytest.mark.process
def test_a_mistake_that_keeps_trials_from_starting_is_corrected_by_the_next_call(workplace):
    command = ("benchmark=mine", "method=RS", "experiment_tag=t")
    assert "no_such_module" in error_of(workplace.hpo(*command, "benchmark.preload=[no_such_module]"))
    assert "ended by an error" in workplace.verb("status", "outputs/t").stdout
    succeeded(workplace.hpo(*command))
    assert load_experiment(workplace.directory("t")).metadata["error"] is None


def test_an_experiment_goes_on_with_its_hyperparameters_in_the_order_of_the_start(tmp_path):
    """Which random number belongs to which of them depends on it: with another order the log would not replay."""
    first = load_config("generated_typical", "ASHA", random_seed=1, max_num_trials=5, backend={"name": "simulated"})
    run_experiment(first, tmp_path)
    names = list(first.benchmark.config_space)
    turned = {name: first.benchmark.config_space[name] for name in reversed(names)}
    run_experiment(replace(first, benchmark=replace(first.benchmark, config_space=turned), max_num_trials=10), tmp_path)
    made = load_experiment(tmp_path)
    assert list(made.config.benchmark.config_space) == names
    found = verify(scheduler_of(made.config), ExperimentState(made.config.objective), enumerate(made.events), [0])
    assert list(found) == []
    assert len(made.trials) == 10


def test_resume_false_refuses_and_names_the_remedies(files):
    new = config(resume=False)
    with pytest.raises(StoreError, match=r"resume=false.*overwrite=true.*experiment_tag"):
        check_resumable(files, stored_config(files), new)


def test_overwrite_deletes_what_is_there_and_keeps_the_lock(files):
    (files.trials / "0").mkdir(parents=True)
    (files.trials / "0" / "left").touch()
    outside = files.path.parent / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    (files.path / "link").symlink_to(outside)
    files.events.touch()
    files.lock.touch()
    assert settle(files, config(overwrite=True))[1] is None
    assert [path.name for path in files.path.iterdir()] == [files.lock.name]
    assert (outside / "kept").exists(), "what a link points to is not the experiment's"


def test_resume_false_refuses_a_log_whose_configuration_is_gone(files):
    files.config.unlink()
    files.events.touch()
    check_resumable(files, stored_config(files), config())
    new = config(resume=False)
    with pytest.raises(StoreError, match=r"resume=false.*overwrite=true.*experiment_tag"):
        check_resumable(files, stored_config(files), new)


@pytest.mark.parametrize("remains", ["events.db", "trials"])
def test_overwrite_deletes_what_an_earlier_deletion_or_a_user_left(files, remains):
    files.config.unlink()
    files.events.touch()
    files.log.touch()
    for path in (files.events, files.trials):
        if path.name != remains:
            path.unlink() if path.is_file() else path.rmdir()
    assert settle(files, config(overwrite=True))[1] is None
    assert list(files.path.iterdir()) == []


def test_overwrite_deletes_nothing_where_there_is_no_experiment(tmp_path):
    (tmp_path / "thesis.tex").touch()
    assert settle(ExperimentDirectory(tmp_path), config(overwrite=True))[1] is None
    assert (tmp_path / "thesis.tex").exists()


def test_an_overwriting_that_is_killed_is_gone_on_with_and_leaves_no_log_without_its_trials(tmp_path, monkeypatch):
    class KilledError(Exception):
        pass

    def dying_after(count):
        """Deleting that ends after so many files and folders."""
        steps = iter(range(count))

        def step(real, path, **options):
            if next(steps, None) is None:
                raise KilledError
            real(path, **options)

        return step

    unlink, rmtree = Path.unlink, shutil.rmtree
    for count in range(5):
        files = ExperimentDirectory(tmp_path / str(count))
        (files.trials / "0").mkdir(parents=True)
        for path in (files.events, files.log, files.best):
            path.touch()
        files.config.write_text(to_yaml(config()))
        step = dying_after(count)
        with monkeypatch.context() as patched:
            patched.setattr(Path, "unlink", lambda path, step=step, **options: step(unlink, path, **options))
            patched.setattr(shutil, "rmtree", lambda path, step=step, **options: step(rmtree, path, **options))
            with pytest.raises(KilledError):
                settle(files, config(overwrite=True))
        assert files.config.exists()
        assert files.events.exists() == (count == 0), "the log is what goes first"
        assert settle(files, config(overwrite=True))[1] is None
        assert list(files.path.iterdir()) == []


def test_overwrite_keeps_the_lock_of_a_command_that_submits_a_job(files):
    lock = files.path / ".launch.lock"
    lock.touch()
    assert settle(files, config(overwrite=True))[1] is None
    assert lock.exists()


def finished(**body):
    return Event(Kind.FINISHED, 1.0, 2.0, body={"reason": "enough", **body})


def test_a_log_that_names_the_budget_decides_whether_there_is_more_to_do():
    new = config(max_num_trials=6)
    budget = {"max_wallclock_time": 10.0, "max_num_trials": 2, "max_num_evaluations": None, "target_value": None}
    assert not is_done(finished(budget=budget), new, new), "experiment.yaml has the new one already"
    assert is_done(finished(budget={**budget, "max_num_trials": 6}), config(), new)
    assert not is_done(None, new, new)
    assert not is_done(Event(Kind.OPENED, 1.0, 2.0), new, new)


@pytest.mark.parametrize("limit", [None, 60, 60.0, 1e300, float("inf")])
def test_any_budget_is_known_again_from_the_log(tmp_path, limit):
    asked = replace(config(), max_wallclock_time=limit, target_value=limit)
    store = Store(tmp_path / "events.db")
    store.append([finished(budget={"max_num_trials": None, "max_wallclock_time": limit, "target_value": limit})])
    last = store.last()
    store.close()
    assert is_done(last, config(), asked)
    assert not is_done(last, config(), replace(asked, target_value=0.5))


def test_a_log_that_names_none_leaves_it_to_the_configuration():
    assert is_done(finished(), config(), config())
    assert is_done(finished(), None, config())
    assert not is_done(finished(), config(), config(max_num_trials=6))


@pytest.mark.parametrize("limit", ["null", "60"])
@pytest.mark.process
def test_a_larger_budget_is_not_lost_by_a_session_that_did_not_get_going(workplace, limit):
    command = ("benchmark=mine", "method=RS", "experiment_tag=t", f"max_wallclock_time={limit}")
    succeeded(workplace.hpo(*command, "max_num_trials=2"))
    assert "had finished already" in succeeded(workplace.hpo(*command, "max_num_trials=2"))
    mistaken = workplace.hpo(*command, "max_num_trials=6", "+callbacks.x={_target_: nowhere.Thing}")
    assert "nowhere" in error_of(mistaken)
    assert load_experiment(workplace.directory("t")).metadata["status"] == "interrupted", "it has trials to come"
    out = succeeded(workplace.hpo(*command, "max_num_trials=6"))
    assert "had finished already" not in out
    assert len(load_experiment(workplace.directory("t")).state.trials) == 6
    assert "had finished already" in succeeded(workplace.hpo(*command, "max_num_trials=6"))


@pytest.mark.process
def test_an_experiment_whose_last_commit_failed_does_not_call_itself_complete(workplace, monkeypatch):
    benchmark = workplace.benchmark()
    files = ExperimentDirectory(workplace.path / "e")
    append = Store.append

    def full(store, events):
        if any(event.kind == Kind.FINISHED for event in events):
            raise StoreError("the disk is full")
        append(store, events)

    with monkeypatch.context() as patched:
        patched.setattr(Store, "append", full)
        with pytest.raises(StoreError, match="full"):
            run_experiment(load_config(benchmark, "RS", random_seed=1), files.path)
    metadata = json.loads(files.metadata.read_text())
    assert (metadata["status"], metadata["reason"]) == ("interrupted", None)
    assert load_experiment(files.path).state.finished is None
    run_experiment(load_config(benchmark, "RS", random_seed=1), files.path)
    assert json.loads(files.metadata.read_text())["status"] == "complete"


def test_without_overwrite_nothing_is_deleted(files):
    files.events.touch()
    assert stored_config(files) == config()
    assert files.events.exists()


def test_a_damaged_configuration_is_an_error_that_names_the_file(files):
    files.config.write_text("benchmark: [\n")
    with pytest.raises(ConfigError, match=r"experiment\.yaml is damaged .*: delete that file"):
        stored_config(files)
    assert settle(files, config(overwrite=True))[1] is None


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
