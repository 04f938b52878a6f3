"""Python finds what the command line finds: the user's folders, experiment files, and what packages add."""

import os
import subprocess
import sys

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.version import VersionBase, getbase
from omegaconf import OmegaConf

import hpo
from hpo.cli.composition import jobs
from hpo.config.config_folders import CONF_DIR
from hpo.config.hydra_versions import IS_1_4, REPLACE
from hpo.errors import ConfigError
from tests.conftest import succeeded

GRID = "defaults: [mlp_digits_grid, _self_]\nname: mine\narguments: {epochs: 9}\n"
FILES = {
    "benchmark/mine.yaml": GRID,
    "method/Quick.yaml": "defaults: [ASHA, _self_]\nname: Quick\nscheduler: {reduction_factor: 2}\n",
    "backend/slow.yaml": "defaults: [simulated, _self_]\ncharge_decisions: true\n",
    "launcher/ours.yaml": "defaults: [slurm, _self_]\npartition: long\n",
    "experiment/small.yaml": (
        "# @package _global_\ndefaults: [override /benchmark: mine, override /method: Quick]\n"
        "max_num_trials: 3\ncallbacks: {}\n"
    ),
    "experiment/half.yaml": "# @package _global_\ndefaults: [override /benchmark: mine]\n",
}


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def conf(tmp_path):
    """A folder with groups of the user's own."""
    return write(tmp_path / "conf", FILES)


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (["benchmark=mine", "method=ASHA"], {"benchmark": "mine", "method": "ASHA"}),
        (
            ["benchmark=mine", "method=RS", "backend=slow", "launcher=ours", "seed=3", "n_workers=7"],
            {"benchmark": "mine", "method": "RS", "backend": "slow", "launcher": "ours", "seed": 3, "n_workers": 7},
        ),
        (["+experiment=quick"], {"experiment": "quick"}),
        (["+experiment=half", "method=BO"], {"experiment": "half", "method": "BO"}),
        (
            ["+experiment=small", "benchmark=mlp_digits", "method.scheduler.reduction_factor=5", "max_num_trials=8"],
            {
                "experiment": "small",
                "benchmark": "mlp_digits",
                "method.scheduler.reduction_factor": 5,
                "max_num_trials": 8,
            },
        ),
    ],
)
def test_a_configuration_is_what_the_command_line_composes(conf, words, given):
    (job,) = jobs(["--config-dir", str(conf), "experiment_tag=t", *words])
    assert hpo.load_config(**given, config_dir=conf, experiment_tag="t") == job.config


def test_there_may_be_several_folders_and_a_path_is_relative_to_the_working_directory(conf, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "more", {"benchmark/other.yaml": GRID.replace("mine", "other")})
    assert hpo.load_config("other", "Quick", config_dir=["conf", "more"]).method.scheduler["reduction_factor"] == 2
    scheduler = hpo.build_scheduler("ASHA", {"x": {"type": "float", "lower": 0, "upper": 1}}, max_resource=9, seed=0)
    assert scheduler.suggest() is not None


def test_contents_and_names_of_ones_own_go_together(conf):
    content = {"name": "b", "script": "b.py", "metric": "loss", "mode": "min", "config_space": {}}
    made = hpo.load_config(content, "Quick", config_dir=conf)
    assert (made.benchmark.script, made.benchmark.arguments, made.method.name) == ("b.py", {}, "Quick")


@pytest.mark.parametrize(
    ("name", "head", "said"),
    [
        (
            "benchmark/of_1_0.yaml",
            "# @package _group_\n",
            r"benchmark/of_1_0\.yaml: .* of Hydra 1\.0, .* remove the line",
        ),
        ("benchmark/of_1_1.yaml", "defaults: [{other: x, optional: true}, _self_]\n", r"benchmark/of_1_1\b.*optional"),
        ("method/short.yml", "", r"conf/method/short\.yml: .* rename it to short\.yaml"),
    ],
)
def test_a_file_as_earlier_versions_of_hydra_took_it_is_one_sentence_that_names_it(conf, name, head, said):
    write(conf, {name: head + "name: mine\n"})
    benchmark = name.removeprefix("benchmark/").removesuffix(".yaml") if "benchmark" in name else "mine"
    with pytest.raises(ConfigError, match=said) as caught:
        hpo.load_config(benchmark, "RS", config_dir=conf)
    assert "\n" not in str(caught.value)


def test_a_reference_to_the_environment_stays_one(monkeypatch):
    monkeypatch.setenv("TOKEN", "secret")
    made = hpo.load_config("mlp_digits", "RS", **{"benchmark.arguments.token": "${oc.env:TOKEN}"})
    assert made.benchmark.arguments["token"] == "${hpo.env:TOKEN}"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"benchmark": "train.yaml"},
            "train.yaml is a file: move it to conf/benchmark/train.yaml, and pass 'train', and",
        ),
        ({"benchmark": "conf/benchmark/mine.yaml"}, "a name, not a path: pass 'mine', and config_dir='conf'"),
        ({"benchmark": "mine"}, "conf/benchmark/mine.yaml is one: pass 'mine', and config_dir='conf'"),
        ({"benchmark": "nothing.yaml"}, "a benchmark of your own needs config_dir=FOLDER"),
        (
            {"benchmark": "mines", "config_dir": "conf"},
            "benchmark='mines': there is no such benchmark; did you mean mine",
        ),
        ({"method": "Quik", "config_dir": "conf"}, "method='Quik': there is no such method; did you mean Quick"),
        ({"launcher": "slrum"}, "launcher='slrum': there is no such launcher; did you mean slurm"),
        ({"experiment": "small"}, "experiment='small': there is no such experiment, but conf/experiment/small.yaml"),
        ({"config_dir": "nowhere"}, "config_dir='nowhere': there is no such directory"),
        ({"config_dir": "conf/method"}, "config_dir='conf/method': it has neither"),
        ({"backend": "\ud800"}, "backend='\\ud800': there is no such backend"),
        ({"benchmark": "a" * 300}, "there is no such benchmark"),
        ({"n_worker": "2", "config_dir": "conf"}, "n_worker: there is no such key; did you mean n_workers?"),
        ({"n_workers": "two", "config_dir": "conf"}, "n_workers=two: use a whole number"),
        ({"method": None}, "method: name one"),
        ({"method": None, "experiment": "half", "config_dir": "conf"}, "method: experiment='half' chooses none"),
    ],
)
def test_a_mistake_is_one_sentence_in_the_words_of_python(conf, tmp_path, monkeypatch, given, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.yaml").write_text(GRID)
    with pytest.raises(ConfigError) as caught:
        hpo.load_config(**{"benchmark": "mlp_digits", "method": "RS", **given})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------------- two files with one name

OTHER = "defaults: [mlp_digits_grid, _self_]\nname: other\n"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"benchmark/mlp_digits.yaml": OTHER}, ["benchmark=mlp_digits_grid,mlp_digits", "method=RS"]),
        ({"benchmark/mlp_digits.yaml": OTHER}, ["+experiment=quick"]),
        (
            {"benchmark/mlp_digits.yaml": OTHER, "benchmark/b.yaml": "defaults: [mlp_digits]\nname: b\n"},
            ["benchmark=b", "method=RS"],
        ),
        ({"backend/auto.yaml": "name: local\n"}, ["method=RS"]),
    ],
)
def test_wherever_a_built_in_file_would_be_taken_for_one_of_the_users_both_are_named(tmp_path, files, words):
    write(tmp_path, files)
    clash = next(iter(files))
    with pytest.raises(ConfigError, match="would be taken; rename it") as caught:
        list(jobs(["--config-dir", str(tmp_path), "experiment_tag=t", *words]))
    assert str(tmp_path / clash) in str(caught.value)
    assert str(CONF_DIR / clash) in str(caught.value)


def test_a_file_that_nobody_asks_for_and_a_primary_configuration_disturb_nobody(conf):
    write(conf, {"benchmark/mlp_digits.yaml": OTHER, "config.yaml": "defaults: [db: mysql]\n"})
    assert hpo.load_config("mine", "RS", config_dir=conf).benchmark.name == "mine"


def test_of_two_folders_with_one_name_both_are_named(conf, tmp_path):
    write(tmp_path / "more", {"benchmark/mine.yaml": OTHER})
    with pytest.raises(ConfigError) as caught:
        hpo.load_config("mine", "RS", config_dir=[conf, tmp_path / "more"])
    assert str(caught.value).startswith(f"benchmark=mine: {tmp_path}/more/benchmark/mine.yaml has the name of {conf}/")


# ---------------------------------------------------------------------- places on Hydra's search path


def test_a_package_on_the_search_path_has_groups_that_are_swept_and_globbed(tmp_path, monkeypatch):
    folder = tmp_path / "lab" / "conf"
    write(folder, {"benchmark/lab_a.yaml": GRID, "benchmark/lab_b.yaml": GRID, "__init__.py": "", "../__init__.py": ""})
    monkeypatch.syspath_prepend(tmp_path)
    words = ["hydra.searchpath=[pkg://lab.conf]", "method=RS", "experiment_tag='t-${hydra:job.num}'"]
    assert len(list(jobs([*words, "benchmark=lab_a,lab_b"]))) == 2
    assert len(list(jobs([*words, "benchmark=glob(lab_*)"]))) == 2
    write(folder, {"benchmark/mlp_digits.yaml": OTHER})
    with pytest.raises(ConfigError, match=r"pkg://lab\.conf/benchmark/mlp_digits\.yaml has the name of the built-in"):
        list(jobs([*words, "benchmark=mlp_digits"]))


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ("[pkg://nolab]", "pkg://nolab: nolab is not a package with an __init__.py"),
        ("[file:///no/where]", "file:///no/where: there is no such directory"),
        ("pkg://lab", "it is a list of places"),
        ("[1]", "it is a list of places"),
    ],
)
def test_a_place_that_is_none_is_one_sentence(places, said):
    with pytest.raises(ConfigError) as caught:
        list(jobs([f"hydra.searchpath={places}", "benchmark=mlp_digits", "method=RS", "experiment_tag=t"]))
    assert str(caught.value).startswith("hydra.searchpath=")
    assert said in str(caught.value)


PACKAGE = {
    "hydra_plugins/lab.py": (
        "from hydra.plugins.search_path_plugin import SearchPathPlugin\n\n\n"
        "class LabSearchPath(SearchPathPlugin):\n"
        "    def manipulate_search_path(self, search_path):\n"
        "        search_path.append('lab', 'pkg://lab.conf')\n"
    ),
    "lab/__init__.py": "",
    "lab/training.py": "def objective(config, report):\n    return {'loss': config['x']}\n",
    "lab/conf/__init__.py": "",
    "lab/conf/benchmark/lab_line.yaml": (
        "{name: lab_line, function: 'lab.training:objective', metric: loss, mode: min, max_num_trials: 2,\n"
        " config_space: {x: {type: float, lower: 0, upper: 1}}, num_gpus_per_trial: 0}\n"
    ),
    "lab/conf/method/LabASHA.yaml": "defaults: [ASHA, _self_]\nname: LabASHA\n",
}


IN_PYTHON = """
import hpo
from hpo.cli.commands.main import main

config = hpo.load_config("lab_line", "LabASHA")
print(config.benchmark.function, config.method.name)
print(type(hpo.build_scheduler("LabASHA", config.benchmark.config_space, max_resource=9, seed=0)).__name__)
main(["plan", "benchmark=lab_line", "method=RS"])
try:
    main(["plan", "benchmark=mlp_digits", "method=RS"])
except hpo.HPOError as error:
    print(str(error).split()[1])
"""


@pytest.mark.process
def test_what_an_installed_package_adds_is_found_by_commands_verbs_and_python(tmp_path):
    installed = write(tmp_path / "installed", PACKAGE)
    env = {**os.environ, "PYTHONPATH": str(installed)}

    def call(*words):
        command = [sys.executable, *words]
        return succeeded(subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False))

    write(installed, {"lab/conf/benchmark/mlp_digits.yaml": OTHER})
    assert "2 completed" in call("-m", "hpo", "benchmark=lab_line", "method=RS", "experiment_tag=t")
    assert "reports          ok" in call("-m", "hpo", "check-script", "benchmark=lab_line", "method=RS")
    lines = call("-c", IN_PYTHON).splitlines()
    assert lines[:3] == ["lab.training:objective LabASHA", "ASHA", "lab_line · RS: 1 experiment (seed 0), local, 1 new"]
    assert lines[-1] == "pkg://lab.conf/benchmark/mlp_digits.yaml"


# ---------------------------------------------------------------------- in somebody's own Hydra


def test_an_application_of_hydra_keeps_what_it_has_of_hydra(conf, tmp_path):
    write(tmp_path / "app", {"config.yaml": "defaults: [schema, _self_]\ny: 2\n"})
    before, own = VersionBase.instance().version_base, "1.4" if IS_1_4 else "1.2"  # 1.4 has no older behaviour
    ConfigStore.instance().store(name="schema", node={"x": 1}, **REPLACE)
    try:
        with initialize_config_dir(str(tmp_path / "app"), **({} if IS_1_4 else {"version_base": "1.2"})):
            assert hpo.load_config("mine", "Quick", config_dir=conf).benchmark.name == "mine"
            assert OmegaConf.to_container(compose("config")) == {"x": 1, "y": 2}
            assert [source.provider for source in GlobalHydra.instance().config_loader().get_sources()] == [
                "hydra", "main", "schema",
            ]  # fmt: skip
            assert str(getbase()) == own
    finally:
        ConfigStore.instance().repo.pop("schema.yaml")
        VersionBase.instance().version_base = before
