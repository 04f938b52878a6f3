"""Our composition of a command line gives what Hydra's own multirun gives."""

import itertools

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from hpo.cli.composition import is_plain, jobs, typed
from hpo.config.composing import composing, hydra_errors_as_sentence
from hpo.config.config_folders import CONF_DIR
from hpo.config.hydra_versions import REPLACE, VERSION_BASE, register_resolver
from hpo.config.schema import ExperimentConfig
from hpo.config.yaml_files import check_kinds
from hpo.errors import ConfigError
from hpo.space.search_space import parse_space


@pytest.fixture(autouse=True)
def schema():
    ConfigStore.instance().store(name="schema", node=ExperimentConfig, **REPLACE)
    register_resolver("default_tag", lambda: "some-tag")


def by_hydra(*overrides):
    with initialize_config_dir(str(CONF_DIR), **VERSION_BASE):
        return typed(compose("config", list(overrides), return_hydra_config=True))


@pytest.mark.parametrize(
    ("words", "sweeps"),
    [
        (["benchmark=mlp_digits", "method=RS"], [["seed=0"]]),
        (["benchmark=mlp_digits", "method=RS,ASHA", "seed=3,1"], [["method=RS", "method=ASHA"], ["seed=3", "seed=1"]]),
        (
            ["benchmark=mlp_digits,mlp_fashionmnist", "method=RS"],
            [["benchmark=mlp_digits", "benchmark=mlp_fashionmnist"], ["seed=0"]],
        ),
        (["benchmark=mlp_digits", "method=ASHA", "num_seeds=3", "start_seed=1"], [["seed=1", "seed=2"]]),
        (["method=RS", "n_workers=1,2", "max_num_trials=5"], [["seed=0"], ["n_workers=1", "n_workers=2"]]),
        (
            ["method=ASHA", "method.scheduler.reduction_factor=2,4"],
            [["seed=0"], ["method.scheduler.reduction_factor=2", "method.scheduler.reduction_factor=4"]],
        ),
        (
            ["benchmark=mlp_digits", "method=RS", "+benchmark.arguments.extra=a,b"],
            [["seed=0"], ["+benchmark.arguments.extra=a", "+benchmark.arguments.extra=b"]],
        ),
        (["benchmark=mlp_digits", "method=RS", "~benchmark.config_space.dropout"], [["seed=0"]]),
        (
            ["benchmark=mlp_digits", "method=glob(ASHA*)"],
            [
                [
                    "method=ASHA",
                    "method=ASHA-CQR",
                    "method=ASHA-GP",
                    "method=ASHA-GP-TIME",
                    "method=ASHA-STOP",
                    "method=ASHA-TPE",
                ],
                ["seed=0"],
            ],
        ),
    ],
)
@pytest.mark.long
def test_every_experiment_of_a_sweep_is_what_hydra_composes(words, sweeps):
    made = list(jobs(words))
    swept = {choice.split("=")[0] for axis in sweeps for choice in axis}
    fixed = [word for word in words if word.split("=")[0] not in swept]
    expected = [by_hydra(*fixed, *choices) for choices in itertools.product(*sweeps)]
    assert [job.config for job in made] == expected


def test_without_words_it_is_the_default_benchmark_with_every_default_method_and_seed_0():
    made = [(job.config.benchmark.name, job.config.method.name, job.config.seed) for job in jobs([])]
    assert made == [("resnet_cifar10", method, 0) for method in ("RS", "BO", "ASHA", "MOBSTER")]


def test_directories_are_named_by_tag_benchmark_method_and_seed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = list(jobs(["benchmark=mlp_digits", "method=RS", "seed=7", "experiment_tag=t"]))
    assert [job.output_dir for job in made] == [tmp_path / "outputs/t/mlp_digits/RS/seed_7"]
    assert str(made[0].sweep_dir) == "outputs/t"


def test_a_users_folder_adds_benchmarks_that_may_extend_built_in_ones(tmp_path):
    (tmp_path / "benchmark").mkdir()
    (tmp_path / "benchmark" / "short.yaml").write_text(
        "defaults: [mlp_digits, _self_]\nname: short\narguments: {epochs: 3}\n"
    )
    for option in (["--config-dir", str(tmp_path)], [f"--config-dir={tmp_path}"], ["-cd", str(tmp_path)]):
        (job,) = jobs([*option, "benchmark=short", "method=RS"])
        assert (job.config.benchmark.name, job.config.benchmark.arguments["epochs"]) == ("short", 3)
        assert job.config.benchmark.metric == "accuracy"


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"--config-dir .*nowhere"):
        list(jobs(["--config-dir", str(tmp_path / "nowhere"), "benchmark=mlp_digits"]))


@pytest.mark.parametrize("words", [["seed=range(3,3)"], ["start_seed=2", "num_seeds=2"]])
def test_an_empty_range_of_seeds_is_an_error(words):
    with pytest.raises(ConfigError, match=r"seed.*no value"):
        list(jobs(["benchmark=mlp_digits", "method=RS", *words]))


def test_an_interval_is_no_list_of_values():
    with pytest.raises(ConfigError, match="interval"):
        list(jobs(["benchmark=mlp_digits", "method=RS", "n_workers=interval(1,3)"]))


@pytest.mark.parametrize("word", ["sed=1", "benchmark=nope", "method=RS,NOPE", "seed=abc", "n_workers=a,b"])
def test_a_wrong_key_choice_or_type_is_hydras_error(word):
    with pytest.raises((HydraException, OmegaConfBaseException), match=r"sed|nope|NOPE|abc|'a'"):
        list(jobs(["benchmark=mlp_digits", word]))


@pytest.mark.parametrize("words", [["--help"], ["--info"], ["--hydra-help"]])
def test_what_asks_hydra_for_more_is_left_to_hydra(words):
    assert not is_plain(words)


@pytest.mark.parametrize("words", [[], ["-m", "method=RS"], ["--config-dir", "conf"], ["hydra.sweep.dir=elsewhere"]])
def test_what_runs_experiments_is_composed_here(words):
    assert is_plain(words)


@pytest.mark.long
def test_a_hundred_seeds_compose_each_choice_of_groups_once(monkeypatch):
    import hpo.config.composing

    composed = []
    original = hpo.config.composing.compose
    monkeypatch.setattr(hpo.config.composing, "compose", lambda *a, **k: composed.append(a) or original(*a, **k))
    made = list(jobs(["benchmark=mlp_digits", "method=RS,ASHA", "num_seeds=50"]))
    assert len(made) == 100
    assert len(composed) <= 3
    assert [job.config.seed for job in made] == 2 * list(range(50))


def test_hydra_is_asked_once_whether_a_swept_key_is_a_group(monkeypatch):
    with composing() as composer:
        [kind] = {type(source) for source in composer.loader.get_sources() if source.provider == "main"}
    asked, original = [], kind.is_group
    monkeypatch.setattr(kind, "is_group", lambda self, path: asked.append(path) or original(self, path))
    assert len(list(jobs(["benchmark=mlp_digits", "method=RS", "num_seeds=50"]))) == 50
    assert 1 <= asked.count("seed") <= 2


@pytest.mark.parametrize(("word", "name"), [("+n_worker=2", "n_worker"), ("+benchmark.foo=1,2", "benchmark.foo")])
def test_a_key_that_nothing_reads_is_refused(word, name):
    with pytest.raises(ConfigError, match=f"{name}: there is no such key"):
        list(jobs(["benchmark=mlp_digits", "method=RS", word]))


# ---------------------------------------------------------------------- what a user of Hydra expects


@pytest.fixture
def own(tmp_path):
    """A folder of the user's own groups."""

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return ["--config-dir", str(tmp_path)]

    return write


def methods_of(words):
    return [job.config.method.name for job in jobs(words)]


def test_a_method_that_an_experiment_file_chooses_is_the_one_that_runs(own):
    words = own(
        "experiment/mine.yaml",
        "# @package _global_\ndefaults: [override /method: ASHA, override /benchmark: mlp_digits]\nmax_num_trials: 3\n",
    )
    (job,) = jobs([*words, "+experiment=mine"])
    assert (job.config.method.name, job.config.benchmark.name, job.config.max_num_trials) == ("ASHA", "mlp_digits", 3)
    assert methods_of([*words, "+experiment=mine", "method=RS,BO"]) == ["RS", "BO"]


@pytest.mark.long
def test_the_methods_of_who_chose_none_are_the_default_ones_whatever_else_is_composed(own):
    words = own("experiment/short.yaml", "# @package _global_\ndefaults: [override /benchmark: mlp_digits]\n")
    assert methods_of([*words, "+experiment=short"]) == ["RS", "BO", "ASHA", "MOBSTER"]
    assert methods_of(["experiment_tag=x"]) == ["RS", "BO", "ASHA", "MOBSTER"]


SEVERAL = """
name: two
script: train.py
objectives: {accuracy: max, latency_ms: min}
config_space: {x: {type: float, lower: 0, upper: 1}}
"""


@pytest.mark.long
def test_several_objectives_have_default_methods_of_their_own_also_beside_benchmarks_with_one(own):
    words = [*own("benchmark/two.yaml", SEVERAL), "experiment_tag=x"]
    assert methods_of([*words, "benchmark=two"]) == ["RS", "MO-ASHA", "MO-ASHA-GP"]
    both = [(job.config.method.name, job.config.benchmark.name) for job in jobs([*words, "benchmark=two,mlp_digits"])]
    assert [method for method, benchmark in both if benchmark == "two"] == ["RS", "MO-ASHA", "MO-ASHA-GP"]
    assert [method for method, benchmark in both if benchmark == "mlp_digits"] == ["RS", "BO", "ASHA", "MOBSTER"]


def test_objectives_on_a_command_line_take_the_place_of_a_metric_that_is_taken_away(own):
    given = ["benchmark=mlp_digits", "method=RS", "+benchmark.objectives={accuracy: max, seconds: min}"]
    with pytest.raises(ConfigError, match=r"benchmark.metric=accuracy: benchmark.objectives are given too"):
        list(jobs(given))
    (job,) = jobs([*given, "benchmark.metric=???", "benchmark.mode=???", "seed=3"])
    assert [aim.metric for aim in job.config.objective.aims] == ["accuracy", "seconds"]
    (job,) = jobs([*given, "benchmark.metric=???", "benchmark.mode=???", "+benchmark.objectives.size=min"])
    assert len(job.config.objective.aims) == 3


def test_a_value_that_only_the_swept_methods_have_is_set_in_each(own):
    made = list(jobs(["benchmark=mlp_digits", "method=ASHA,MOBSTER", "method.scheduler.reduction_factor=4"]))
    assert [job.config.method.scheduler["reduction_factor"] for job in made] == [4, 4]


def test_a_list_of_methods_is_told_how_to_run_each():
    with pytest.raises(ConfigError, match=r"method=\[RS,ASHA\]: to run each of them, write method=RS,ASHA"):
        list(jobs(["benchmark=mlp_digits", "method=[RS,ASHA]"]))


def test_a_file_with_the_name_of_a_built_in_one_is_an_error_that_names_both(own):
    words = own("benchmark/mlp_digits.yaml", "name: mine\n")
    with pytest.raises(ConfigError) as caught:
        list(jobs([*words, "benchmark=mlp_digits", "method=RS"]))
    assert str(CONF_DIR / "benchmark/mlp_digits.yaml") in str(caught.value)
    assert str(words[1]) in str(caught.value)


def test_a_copy_of_a_built_in_file_is_that_file(own):
    words = own("benchmark/mlp_digits.yaml", (CONF_DIR / "benchmark/mlp_digits.yaml").read_text())
    assert methods_of([*words, "benchmark=mlp_digits", "method=RS"]) == ["RS"]


def test_the_search_path_may_be_named_in_hydras_way_and_beside_the_option(own, tmp_path):
    own("a/benchmark/one.yaml", "defaults: [mlp_digits, _self_]\nname: one\n")
    own("b/benchmark/two.yaml", "defaults: [mlp_digits, _self_]\nname: two\n")
    words = ["--config-dir", str(tmp_path / "a"), f"hydra.searchpath=[file://{tmp_path / 'b'}]", "method=RS"]
    assert [job.config.benchmark.name for job in jobs([*words, "benchmark=one,two"])] == ["one", "two"]


def test_what_hydra_knows_of_a_job_is_there(own, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = list(
        jobs(
            [
                "benchmark=mlp_digits", "method=RS", "num_seeds=2", "experiment_tag=t",
                "+benchmark.arguments.number='${hydra:job.num}'", "+benchmark.arguments.id='${hydra:job.id}'",
                "+benchmark.arguments.place='${hydra:runtime.output_dir}'",
            ]
        )
    )  # fmt: skip
    assert [job.config.benchmark.arguments["number"] for job in made] == [0, 1]
    assert [job.config.benchmark.arguments["id"] for job in made] == ["0", "1"]
    assert [job.config.benchmark.arguments["place"] for job in made] == [str(job.output_dir) for job in made]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hydra/launcher=joblib"], "hydra/launcher=joblib: hpo has its own"),
        (["hydra/sweeper=optuna"], "choose one by method=…"),
        (["launcher=submitit_slurm"], "hpo's is launcher=slurm"),
        (["hydra.mode=RUN"], "hydra.mode=RUN: leave it out"),
        (["hydra.run.dir=there"], "hydra.run.dir=there: experiments lie below hydra.sweep.dir"),
        (["hydra.output_subdir=.hydra"], "hydra.output_subdir=.hydra: nothing is written there"),
        (["+hydra.job.env_set.A=1"], "hydra.job.env_set"),
        (["+hydra.callbacks.mine._target_=x.Y"], "hydra.callbacks"),
    ],
)
def test_what_hpo_does_not_do_of_hydra_is_said(words, said):
    with pytest.raises((ConfigError, HydraException)) as caught:
        list(jobs(["benchmark=mlp_digits", "method=RS", *words]))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("interval(1e-4,1)", {"type": "float", "lower": 1e-4, "upper": 1.0}),
        ("tag(log,interval(1e-4,1))", {"type": "float", "lower": 1e-4, "upper": 1.0, "log": True}),
        ("int(interval(1,8))", {"type": "int", "lower": 1, "upper": 8}),
        ("choice(relu,tanh)", {"type": "choice", "values": ["relu", "tanh"]}),
    ],
)
def test_a_domain_may_be_written_as_hydras_sweepers_take_it(text, spec):
    words = ["benchmark=mlp_digits", "method=RS", f"benchmark.config_space.dropout={text}"]
    (job,) = jobs(words)
    assert job.config.space.domains["dropout"] == parse_space({"dropout": spec}).domains["dropout"]


def test_a_domain_written_so_keeps_the_condition_of_the_one_it_replaces():
    words = ["benchmark=mlp_digits_optimizers", "method=RS", "benchmark.config_space.momentum=interval(0.1,0.2)"]
    (job,) = jobs(words)
    when = {"optimizer": "sgd"}
    spec = {"type": "float", "lower": 0.1, "upper": 0.2, "when": when}
    assert job.config.benchmark.config_space["momentum"] == spec
    words[-1] = "+benchmark.config_space.dropout.when={optimizer: [adamw], n_layers: {lower: 2}}"
    (job,) = jobs(words)
    assert {condition.gate for condition in job.config.space.conditions["dropout"]} == {"optimizer", "n_layers"}


def test_values_with_commas_sweep_a_part_of_the_space_as_ever():
    made = list(jobs(["benchmark=mlp_digits", "method=RS", "benchmark.config_space.dropout=0.1,0.2"]))
    assert [job.config.space.constants["dropout"] for job in made] == [0.1, 0.2]


@pytest.mark.parametrize("word", ["benchmark.config_space={}", "benchmark.arguments={}"])
def test_an_empty_mapping_which_would_change_nothing_is_refused(word):
    key = word.partition("=")[0]
    with pytest.raises(ConfigError, match=f"{key}={{}}: an empty mapping is merged .*'~{key}"):
        list(jobs(["benchmark=mlp_digits", "method=RS", word]))
    [job] = jobs(["benchmark=mlp_digits", "method=RS", "callbacks={}", "benchmark.constraints={}"])
    assert job.config.callbacks == {}


@pytest.mark.parametrize("key", ["callbacks", "benchmark.config_space", "method.scheduler"])
@pytest.mark.parametrize("value", ["${seed}", "${oc.dict.keys:benchmark}"])
def test_a_mapping_that_stands_for_something_else_is_named_with_its_key(key, value):
    def compose():
        with hydra_errors_as_sentence(own_folder=False):
            [job] = jobs(["benchmark=mlp_digits", "method=ASHA", f"++{key}={value}"])
            check_kinds(job.config)

    with pytest.raises(ConfigError) as caught:
        compose()
    assert str(caught.value).startswith(key)
    assert "\n" not in str(caught.value)
