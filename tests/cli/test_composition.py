"""Our composition of a command line gives what Hydra's own multirun gives."""

import itertools

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hpo.cli.composition import is_plain, jobs, typed
from hpo.config.schema import CONF_DIR, ExperimentConfig
from hpo.errors import ConfigError


@pytest.fixture(autouse=True)
def schema():
    ConfigStore.instance().store(name="schema", node=ExperimentConfig)
    OmegaConf.register_new_resolver("default_tag", lambda: "some-tag", replace=True)


def by_hydra(*overrides):
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
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
            [["method=ASHA", "method=ASHA-GP", "method=ASHA-STOP"], ["seed=0"]],
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


@pytest.mark.parametrize(
    "words", [["--help"], ["--cfg", "job"], ["-sc", "install=bash"], ["hydra/launcher=x"], ["hydra.mode=RUN"]]
)
def test_what_asks_hydra_for_more_is_left_to_hydra(words):
    assert not is_plain(words)


@pytest.mark.parametrize("words", [[], ["-m", "method=RS"], ["--config-dir", "conf"], ["hydra.sweep.dir=elsewhere"]])
def test_what_runs_experiments_is_composed_here(words):
    assert is_plain(words)


def test_a_hundred_seeds_compose_each_choice_of_groups_once(monkeypatch):
    import hpo.cli.composition

    composed = []
    original = hpo.cli.composition.compose
    monkeypatch.setattr(hpo.cli.composition, "compose", lambda *a, **k: composed.append(a) or original(*a, **k))
    made = list(jobs(["benchmark=mlp_digits", "method=RS,ASHA", "num_seeds=50"]))
    assert len(made) == 100
    assert len(composed) <= 3
    assert [job.config.seed for job in made] == 2 * list(range(50))


def test_hydra_is_asked_once_whether_a_swept_key_is_a_group(monkeypatch):
    from hydra._internal.config_loader_impl import ConfigLoaderImpl

    asked = []
    original = ConfigLoaderImpl.get_group_options
    monkeypatch.setattr(ConfigLoaderImpl, "get_group_options", lambda *a, **k: asked.append(a[1]) or original(*a, **k))
    assert len(list(jobs(["benchmark=mlp_digits", "method=RS", "num_seeds=50"]))) == 50
    assert asked.count("seed") <= 2


@pytest.mark.parametrize(("word", "name"), [("+n_worker=2", "n_worker"), ("+benchmark.foo=1,2", "benchmark.foo")])
def test_a_key_that_nothing_reads_is_refused(word, name):
    with pytest.raises(ConfigError, match=f"{name}: there is no such key"):
        list(jobs(["benchmark=mlp_digits", "method=RS", word]))
