"""The YAML groups that ship: every benchmark and method composes, with Hydra and without."""

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from hpo import Start, build_scheduler
from hpo.config.config_folders import CONF_DIR
from hpo.config.default_method import DEFAULT_METHODS
from hpo.config.hydra_versions import REPLACE, VERSION_BASE, register_resolver
from hpo.config.reading import content_of, load_config, read_config, resolve, to_config, to_yaml
from hpo.config.schema import ExperimentConfig

GROUPS = ("benchmark", "method", "backend", "launcher")
NAMES = {group: sorted(path.stem for path in (CONF_DIR / group).glob("*.yaml")) for group in GROUPS}
FIRST_METHODS = {"RS", "BO", "ASHA", "MOBSTER"}


@pytest.fixture
def composed():
    """A function that composes overrides as the command line does."""
    ConfigStore.instance().store(name="schema", node=ExperimentConfig, **REPLACE)
    register_resolver("default_tag", lambda: "automatic")
    with initialize_config_dir(config_dir=str(CONF_DIR), **VERSION_BASE):
        yield lambda *overrides, **options: compose("config", list(overrides), **options)


def test_the_groups_hold_what_the_design_names():
    assert set(NAMES["method"]) >= FIRST_METHODS
    assert {"resnet_cifar10", "mlp_fashionmnist"} <= set(NAMES["benchmark"])
    assert "local" in NAMES["launcher"]
    assert {"auto", "local"} <= set(NAMES["backend"])


@pytest.mark.parametrize(("group", "name"), [(g, n) for g in ("benchmark", "method", "backend") for n in NAMES[g]])
def test_a_name_is_the_file_s_stem(group, name):
    assert content_of(group, name)["name"] == name


EACH_IN_TURN = [(name, NAMES["method"][i % len(NAMES["method"])]) for i, name in enumerate(NAMES["benchmark"])]


@pytest.mark.parametrize(("benchmark", "method"), EACH_IN_TURN)
@pytest.mark.long
def test_hydra_and_load_config_agree(composed, benchmark, method, tmp_path):
    given = [f"benchmark={benchmark}", f"method={method}", "seed=3", "experiment_tag=t", "random_seed=1"]
    by_hydra = resolve(to_config(composed(*given)))
    by_python = resolve(load_config(benchmark, method, seed=3, experiment_tag="t", random_seed=1))
    by_python.launcher.update(by_hydra.launcher)  # Python runs here; only the command line launches
    assert by_python == by_hydra
    path = tmp_path / "experiment.yaml"
    path.write_text(to_yaml(by_hydra))
    assert read_config(path) == by_hydra


@pytest.mark.parametrize("method", NAMES["method"])
def test_every_method_can_be_assembled_and_starts_a_trial(method):
    space = content_of("benchmark", "mlp_digits")["config_space"]
    given = {"mutable": ["learning_rate"]} if method == "PBT" else {}  # which nobody but the user knows
    first = build_scheduler(method, space, max_resource=27, seed=0, **given).suggest()
    assert isinstance(first, Start)
    assert set(first.configuration) == set(space)


@pytest.mark.parametrize("benchmark", NAMES["benchmark"])
def test_every_benchmark_names_what_a_run_needs(benchmark):
    config = resolve(load_config(benchmark, "ASHA"))
    assert config.max_wallclock_time is not None
    assert config.max_resource is not None
    assert config.benchmark.resource_attr is not None
    assert all(value in config.space.domains[name] for name, value in config.space.default.items())


def test_the_command_alone_is_resnet_with_four_methods_and_seed_0(composed):
    cfg = composed(return_hydra_config=True)
    assert cfg.benchmark.name == "resnet_cifar10"
    assert cfg.hydra.mode.name == "MULTIRUN"
    params = cfg.hydra.sweeper.params
    assert cfg.hydra.runtime.choices.method is None
    assert set(DEFAULT_METHODS) == FIRST_METHODS
    assert params.seed == "range(0,1)"
    assert (cfg.start_seed, cfg.num_seeds) == (0, 1)
    assert composed("method=RS", return_hydra_config=True).hydra.sweep.subdir == "resnet_cifar10/RS/seed_0"
    assert cfg.hydra.sweep.dir == "outputs/automatic"


def test_resnet_has_syne_tune_s_space_and_budget():
    config = resolve(load_config("resnet_cifar10", "RS"))
    space = OmegaConf.to_container(OmegaConf.create(dict(config.benchmark.config_space)))
    assert space == {
        "batch_size": {"type": "int", "lower": 8, "upper": 256},
        "momentum": {"type": "float", "lower": 0.0, "upper": 0.99},
        "weight_decay": {"type": "float", "lower": 1e-5, "upper": 1e-3, "log": True},
        "lr": {"type": "float", "lower": 1e-3, "upper": 0.1, "log": True},
    }
    assert (config.max_resource, config.n_workers, config.max_wallclock_time) == (27, 4, 3 * 3600)
    assert (config.num_gpus_per_trial, config.benchmark.mode.value) == (1, "max")


def test_only_config_yaml_mentions_hydra():
    others = [path for path in CONF_DIR.glob("**/*.yaml") if path.name != "config.yaml"]
    assert others
    assert [path.name for path in others if "hydra" in path.read_text()] == []


def test_the_defaults_of_config_yaml_are_those_of_the_schema(composed):
    cfg = to_config(composed("experiment_tag=t", "method=RS"))
    alone = load_config("resnet_cifar10", "RS", experiment_tag="t")
    alone.launcher.update(cfg.launcher)
    assert cfg == alone
