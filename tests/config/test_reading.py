"""The typed configuration: defaults, cross-checks, and errors that name key, value and remedy."""

import json
import math
from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from hpo.config.choices import Mode
from hpo.config.reading import content_of, load_config, read_config, resolve, to_config, to_plain, to_yaml
from hpo.config.schema import ExperimentConfig
from hpo.config.validation import TAG
from hpo.errors import ConfigError

BENCHMARK = {
    "name": "mine",
    "script": "train.py",
    "metric": "loss",
    "mode": "min",
    "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
    "n_workers": 4,
    "max_wallclock_time": 100.0,
    "max_num_trials": 7,
    "max_num_evaluations": 70,
    "num_gpus_per_trial": 2,
}


def config(benchmark=None, **overrides):
    return resolve(load_config({**BENCHMARK, **(benchmark or {})}, "RS", **overrides))


def test_what_is_not_given_comes_from_the_benchmark():
    made = config()
    assert (made.n_workers, made.max_wallclock_time, made.max_num_trials) == (4, 100.0, 7)
    assert (made.max_num_evaluations, made.num_gpus_per_trial) == (70, 2)


def test_what_is_given_wins_over_the_benchmark():
    made = config(n_workers=1, max_wallclock_time=3, max_num_trials=2, max_num_evaluations=9, num_gpus_per_trial=0)
    assert (made.n_workers, made.max_wallclock_time, made.max_num_trials) == (1, 3.0, 2)
    assert (made.max_num_evaluations, made.num_gpus_per_trial) == (9, 0)


def test_the_defaults_of_the_design_hold():
    made = load_config(BENCHMARK, "RS")
    assert (made.seed, made.start_seed, made.num_seeds, made.random_seed) == (0, 0, 1, None)
    assert (made.max_size_data_for_model, made.delete_checkpoints) == (500, False)
    assert (made.remote_tuning_metrics, made.use_long_tuner_name_prefix) == (True, True)
    assert (made.max_failures, made.trial_timeout, made.trial_silence_timeout) == (3, None, None)
    assert (made.grace_period_seconds, made.overwrite, made.resume, made.callbacks) == (30, False, True, {})
    assert made.scale_max_wallclock_time is False
    assert made.gpus_to_use is None
    assert made.max_checkpoint_gigabytes is None


@settings(max_examples=40)
@given(given_workers=st.integers(1, 100), own_workers=st.integers(1, 100), seconds=st.floats(1, 1e6))
def test_scaled_time_is_b_over_min_a_b(given_workers, own_workers, seconds):
    made = config(
        {"n_workers": own_workers, "max_wallclock_time": seconds},
        n_workers=given_workers,
        scale_max_wallclock_time=True,
    )
    assert math.isclose(made.max_wallclock_time, seconds * own_workers / min(given_workers, own_workers))
    assert resolve(made) == made, "resolving twice changes nothing"


@pytest.mark.parametrize(
    "overrides",
    [
        {"n_workers": 1},
        {"scale_max_wallclock_time": True},
        {"scale_max_wallclock_time": True, "n_workers": 4},
        {"scale_max_wallclock_time": True, "n_workers": 8},
        {"scale_max_wallclock_time": False, "n_workers": 2},
    ],
)
def test_time_is_not_scaled_without_the_key_or_without_fewer_workers(overrides):
    assert config(**overrides).max_wallclock_time == 100


def test_a_given_time_is_not_scaled():
    assert config(n_workers=1, scale_max_wallclock_time=True, max_wallclock_time=50).max_wallclock_time == 50


def test_a_benchmark_without_a_time_has_none_to_scale():
    made = config({"max_wallclock_time": None}, n_workers=1, scale_max_wallclock_time=True)
    assert made.max_wallclock_time is None


# ---------------------------------------------------------------------- tags


@pytest.mark.parametrize("tag", ["a", "7", "tutorial-local", "A--b", "2026-01-02-03-04-05", "a" * 200])
def test_tags_of_letters_digits_and_dashes_are_fine(tag):
    assert config(experiment_tag=tag).experiment_tag == tag


@pytest.mark.parametrize(
    ("tag", "suggestion"),
    [
        ("my_tag", "my-tag"),
        ("-a", "a"),
        ("a-", "a"),
        ("a b", "a-b"),
        ("a/b", "a-b"),
        ("../x", "x"),
        ("a.b", "a-b"),
        ("ü", "my-experiment"),
        ("a\n", "a"),
    ],
)
def test_another_tag_is_an_error_with_a_suggestion_that_works(tag, suggestion):
    with pytest.raises(ConfigError, match="experiment_tag=") as caught:
        config(experiment_tag=tag)
    assert f"'{suggestion}'" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert TAG.fullmatch(suggestion)


@given(tag=st.text(min_size=1))
def test_a_tag_is_accepted_exactly_when_the_design_s_pattern_matches(tag):
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    fine = all(c in letters + "-" for c in tag) and tag[0] != "-" and tag[-1] != "-"
    assert bool(TAG.fullmatch(tag)) == fine


# ---------------------------------------------------------------------- wrong values


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("n_workers", 0),
        ("n_workers", -1),
        ("max_num_trials", 0),
        ("max_num_evaluations", 0),
        ("max_failures", 0),
        ("max_wallclock_time", 0),
        ("max_wallclock_time", -5),
        ("max_wallclock_time", math.nan),
        ("trial_timeout", 0),
        ("trial_silence_timeout", -1),
        ("grace_period_seconds", -1),
        ("num_gpus_per_trial", -1),
        ("seed", -1),
        ("random_seed", -1),
    ],
)
def test_a_number_out_of_range_is_an_error_that_names_key_and_value(key, value):
    with pytest.raises(ConfigError) as caught:
        config(**{key: value})
    assert f"{key}={value}" in str(caught.value).replace(".0:", ":")
    assert "positive number" in str(caught.value)


def test_a_target_is_any_number_but_nan():
    assert config(target_value=-3.5).target_value == -3.5
    with pytest.raises(ConfigError, match=r"target_value=nan: use a number$"):
        config(target_value=math.nan)


def test_a_log_may_not_be_made_so_short_that_nothing_fits_in():
    with pytest.raises(ConfigError, match=r"max_log_megabytes=0\.001: use a number of at least 0\.01"):
        config(max_log_megabytes=0.001)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("n_workers", "many"),
        ("n_workers", 1.5),
        ("seed", "x"),
        ("max_wallclock_time", "soon"),
        ("overwrite", "perhaps"),
        ("gpus_to_use", "all"),
        ("gpus_to_use", ["a"]),
        ("callbacks", 3),
        ("benchmark.mode", "maximum"),
        ("benchmark.report_channel", "mail"),
        ("benchmark.n_workers", "many"),
        ("benchmark.config_space", 3),
        ("method.scheduler", "ASHA"),
    ],
)
def test_a_value_of_another_type_is_an_error_of_one_line_that_names_the_key(key, value):
    with pytest.raises(ConfigError) as caught:
        config(**{key: value})
    assert key in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["n_worker", "benchmark.metrics", "method.schedular", "max_wallclock"])
def test_an_unknown_key_is_an_error_of_one_line_that_names_it(key):
    with pytest.raises(ConfigError) as caught:
        config(**{key: 1})
    assert key in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["name", "metric", "mode", "config_space"])
def test_a_missing_key_of_a_benchmark_is_an_error_that_names_it(key):
    benchmark = {k: v for k, v in BENCHMARK.items() if k != key}
    with pytest.raises(ConfigError, match=f"benchmark.{key}"):
        resolve(load_config(benchmark, "RS"))


def test_what_is_done_to_a_configuration_is_not_done_to_the_next_one():
    first = load_config("generated_typical", "ASHA")
    untouched = to_plain(first)
    first.method.scheduler["reduction_factor"] = 9
    first.benchmark.config_space.clear()
    first.callbacks["mine"] = {"_target_": "hpo.Callback"}
    assert to_plain(load_config("generated_typical", "ASHA")) == untouched


@pytest.mark.parametrize("key", ["name", "searcher", "scheduler"])
def test_a_missing_key_of_a_method_is_an_error_that_names_it(key):
    method = content_of("method", "RS")
    del method[key]
    with pytest.raises(ConfigError, match=f"method.{key}"):
        resolve(load_config(BENCHMARK, method))


@pytest.mark.parametrize(("group", "key"), [("benchmark", "nothing"), ("method", "nothing")])
def test_an_unknown_name_is_an_error_that_lists_those_there_are(group, key):
    arguments = {"benchmark": BENCHMARK, "method": "RS", group: key}
    with pytest.raises(ConfigError, match=f"{group}='{key}'") as caught:
        load_config(**arguments)
    assert {"benchmark": "mlp_digits", "method": "ASHA-STOP"}[group] in str(caught.value)


# ---------------------------------------------------------------------- cross-checks


@pytest.mark.parametrize("keys", [{"script": None}, {"command": ["bash"]}])
def test_a_benchmark_has_a_script_or_a_command_and_not_both(keys):
    with pytest.raises(ConfigError, match=r"benchmark\.script, \.command and \.function: give one of them"):
        config(keys)


def test_a_hyperparameter_cannot_be_tuned_and_constant():
    with pytest.raises(ConfigError, match=r"benchmark\.arguments\.x"):
        config({"arguments": {"x": 1}})


@pytest.mark.parametrize("value", [None, 0, -1, 2.5, "9", True])
def test_the_maximum_resource_is_a_positive_whole_number(value):
    with pytest.raises(ConfigError, match=r"benchmark\.max_resource_attr=epochs.*benchmark\.arguments\.epochs"):
        config({"max_resource_attr": "epochs", "arguments": {"epochs": value}})


def test_a_maximum_resource_without_an_argument_is_an_error_that_names_both():
    with pytest.raises(ConfigError, match=r"benchmark\.max_resource_attr=epochs.*benchmark\.arguments\.epochs"):
        config({"max_resource_attr": "epochs"})


def test_the_maximum_resource_may_stand_in_the_search_space_as_a_constant():
    space = {**BENCHMARK["config_space"], "epochs": 27}
    assert config({"max_resource_attr": "epochs", "config_space": space}).max_resource == 27


def test_a_mistake_in_the_search_space_is_an_error_that_names_the_hyperparameter():
    with pytest.raises(ConfigError, match=r"config_space\.lr\.type='flaot'"):
        config({"config_space": {"lr": {"type": "flaot", "lower": 0, "upper": 1}}})


# ---------------------------------------------------------------------- storing


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=40)
@given(values=st.lists(texts | st.integers() | st.floats(allow_nan=False) | st.booleans(), min_size=1, max_size=5))
@pytest.mark.long
def test_experiment_yaml_reads_back_equal(tmp_path, values):
    benchmark = {"arguments": {f"a{i}": value for i, value in enumerate(values)}}
    try:
        made = config(benchmark, random_seed=3, **{"method.scheduler.note": values[0]})
    except ConfigError:
        assert any("${" in str(value) for value in values), "only an interpolation of OmegaConf may be refused"
        return
    path = tmp_path / "experiment.yaml"
    path.write_text(to_yaml(made), newline="")
    again = read_config(path)
    assert again == made
    kinds = [type(value) for value in again.benchmark.arguments.values()]
    assert kinds == [type(value) for value in made.benchmark.arguments.values()]
    assert resolve(again) == made


def test_a_literal_dollar_brace_reads_back_equal(tmp_path):
    r"""OmegaConf writes `\${x}` for a text that is to be `${x}`."""
    made = config({"arguments": {"pattern": r"\${x}"}})
    assert made.benchmark.arguments["pattern"] == "${x}"
    path = tmp_path / "experiment.yaml"
    path.write_text(to_yaml(made))
    assert read_config(path) == made


@pytest.mark.parametrize("preload", ["auto", None, [], ["torch", "numpy"]])
def test_what_is_imported_for_all_trials_reads_back_equal(tmp_path, preload):
    made = config({"preload": preload}, random_seed=3)
    assert resolve(made).benchmark.preload == preload
    (tmp_path / "experiment.yaml").write_text(to_yaml(made))
    assert read_config(tmp_path / "experiment.yaml").benchmark.preload == preload


def test_what_a_script_imports_first_is_imported_for_all_where_nothing_is_said():
    assert config().benchmark.preload == "auto"


@pytest.mark.parametrize("preload", ["torch", {"torch": 1}, 5, True, [["torch"]], [None]])
def test_what_cannot_be_imported_for_all_trials_is_one_sentence(tmp_path, preload):
    wrong = r"benchmark\.preload=.*: use auto, a list of modules, or null, which gives"
    with pytest.raises(ConfigError, match=wrong):
        config({"preload": preload})
    stored = to_yaml(config(random_seed=3))
    assert "preload: auto" in stored
    (tmp_path / "experiment.yaml").write_text(stored.replace("preload: auto", f"preload: {json.dumps(preload)}"))
    with pytest.raises(ConfigError, match=wrong):
        read_config(tmp_path / "experiment.yaml")


@pytest.mark.parametrize(
    "content", [b"", b"- a\n", b"benchmark: [\n", b"\xff\xfe\x00", b"text", b"n_workers: many\n", b"unknown: 1\n"]
)
def test_a_damaged_experiment_yaml_is_a_config_error_of_one_line(tmp_path, content):
    path = tmp_path / "experiment.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert "\n" not in str(caught.value)


def test_a_missing_experiment_yaml_is_a_config_error_that_names_it(tmp_path):
    with pytest.raises(ConfigError, match=r"experiment\.yaml"):
        read_config(tmp_path / "experiment.yaml")


def test_a_config_may_be_given_as_plain_data():
    made = config()
    assert to_config(OmegaConf.to_container(OmegaConf.structured(made))) == made
    assert made.benchmark.mode is Mode.min
    assert {f.name for f in fields(ExperimentConfig)} >= {"benchmark", "method", "seed", "random_seed"}


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"max_num_trial": 4}, ["max_num_trial", "did you mean max_num_trials?"]),
        ({"n_workers": "two"}, ["n_workers=two", "a whole number"]),
        ({"gpus_to_use": 1}, ["gpus_to_use=1", "[1]"]),
        ({"nothing_like_it": 1}, ["nothing_like_it", "no such key"]),
    ],
)
def test_a_mistake_in_python_gets_the_nearest_key_or_the_right_form(overrides, words):
    with pytest.raises(ConfigError) as caught:
        load_config(BENCHMARK, "RS", **overrides)
    assert [word for word in words if word not in str(caught.value)] == [], caught.value


def test_a_benchmark_s_misspelt_key_in_python_gets_the_nearest():
    with pytest.raises(ConfigError, match=r"benchmark\.metrik.*did you mean metric\?"):
        load_config({**BENCHMARK, "metrik": "loss"}, "RS")


@pytest.mark.parametrize(
    ("group", "name", "near"), [("method", "asha", "ASHA"), ("benchmark", "mlp_digit", "mlp_digits")]
)
def test_a_misspelt_choice_in_python_gets_the_nearest(group, name, near):
    with pytest.raises(ConfigError, match=f"did you mean {near}"):
        content_of(group, name)


def test_an_object_of_python_where_a_path_is_expected_is_told_what_to_write():
    content = content_of("benchmark", "mlp_digits")
    for script in (print, lambda: 0.5, object()):
        with pytest.raises(
            ConfigError, match=r"benchmark\.script: an object of type .* save what it does as a script"
        ) as caught:
            load_config({**content, "script": script}, "RS")
        assert "full_key" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"benchmark\.arguments\.f: an object of type"):
        load_config({**content, "arguments": {"f": print}}, "RS")
    with pytest.raises(ConfigError, match="benchmark: a function is neither the name of a benchmark nor a mapping"):
        load_config(lambda: 0.5, "RS")


def test_an_empty_mapping_in_python_which_would_change_nothing_is_refused():
    with pytest.raises(ConfigError, match=r"benchmark.config_space=\{\}: .* x as before"):
        load_config(BENCHMARK, "RS", **{"benchmark.config_space": {}})
    assert load_config(BENCHMARK, "RS", callbacks={}).callbacks == {}
