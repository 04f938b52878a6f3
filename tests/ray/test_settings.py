"""What `backend=ray` is given: each mistake is one sentence."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hpo.backends.backend_choice import check_backend
from hpo.config.reading import load_config, resolve
from hpo.errors import ConfigError
from hpo.ray.session_files import SessionFiles
from hpo.ray.settings import RaySettings
from hpo.store.directory import ExperimentDirectory
from tests.support import ray_cluster

BENCHMARK = {
    "name": "b",
    "command": ["bash", "-c", "true"],
    "metric": "loss",
    "mode": "min",
    "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
    "num_gpus_per_trial": 0,
    "n_workers": 3,
}


@pytest.fixture(autouse=True)
def pretended_ray(monkeypatch):
    """Nothing here needs it."""
    if ray_cluster.why_not():
        monkeypatch.setattr("hpo.ray.settings.find_spec", lambda _: True)


def config(benchmark=(), **keys):
    backend = {"name": "ray", "address": "head:6379", **keys.pop("backend", {})}
    return resolve(load_config({**BENCHMARK, **dict(benchmark)}, "RS", random_seed=1, backend=backend, **keys))


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"backend": {"address": None}}, "no cluster is named; set RAY_ADDRESS or backend.address"),
        ({"backend": {"address": "ray://head:10001"}}, "Ray Client is not meant for this; run the command on a node"),
        ({"backend": {"cpus": 0}}, "backend.cpus=0: give it a positive number"),
        ({"backend": {"cpus": "many"}}, "backend.cpus=many: give it a positive number"),
        ({"backend": {"pending_notice": -1}}, "backend.pending_notice=-1: give it a positive number"),
        ({"gpus_to_use": [0]}, "it is Ray that gives GPUs to trials; leave it out"),
        ({"benchmark": {"command": ...}}, "the benchmark has a table and no program"),
        ({"benchmark": {"command": ..., "script": "nowhere.py"}}, "benchmark.script=nowhere.py"),
        ({"backend": {"adress": "head:1"}}, "backend.adress: there is no such key; did you mean address"),
    ],
)
def test_a_mistake_is_one_sentence(keys, sentence):
    benchmark = {**BENCHMARK, **keys.pop("benchmark", {})}
    changed = {key: value for key, value in benchmark.items() if value is not ...}
    if "command" not in changed and "script" not in changed:
        changed["table"] = "nowhere"
    backend = {"name": "ray", "address": "head:6379", **keys.pop("backend", {})}
    with pytest.raises(ConfigError) as raised:
        check_backend(resolve(load_config(changed, "RS", random_seed=1, backend=backend, **keys)))
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


def test_without_ray_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setattr("hpo.ray.settings.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="ray is not installed here; install it with: pip install"):
        check_backend(config())


def test_the_environment_names_a_cluster_where_the_configuration_does_not(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "there:1")
    assert RaySettings().place == "there:1"
    assert RaySettings(address="here:1").place == "here:1"


def test_a_slot_takes_whole_gpus_and_the_cpus_that_are_set_aside():
    assert RaySettings(address="a:1").needed(config()) == {"CPU": 1}
    needed = RaySettings(address="a:1", cpus=4, accelerator_type="A100").needed(config(num_gpus_per_trial=2))
    assert needed == {"CPU": 4, "GPU": 2, "accelerator_type:A100": 0.001}


def test_a_cluster_of_its_own_has_a_token_of_its_own(monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "of another cluster")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "likewise")
    one, other = (RaySettings(address="local").environment for _ in range(2))
    assert one["RAY_AUTH_MODE"] == "token"
    assert len({one["RAY_AUTH_TOKEN"], other["RAY_AUTH_TOKEN"], "of another cluster"}) == 3
    assert "RAY_AUTH_TOKEN_PATH" not in one
    assert RaySettings(address="head:1").environment["RAY_AUTH_TOKEN"] == "of another cluster"


def test_slots_are_told_what_makes_a_call_where_they_are_and_no_paths_of_this_interpreter(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    opening = RaySettings(address="a:1").opening(
        config(), ExperimentDirectory(tmp_path), session=SessionFiles(tmp_path), bundle=None, proof=""
    )
    assert opening.slots == 3
    assert opening.opening.environment == {"OMP_NUM_THREADS": "3"}
    assert str(Path(sys.executable).parent) not in str(opening.opening)


def test_a_helper_beside_the_script_is_told_of_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("import helper")
    (tmp_path / "helper.py").write_text("x = 1")
    (tmp_path / "data.csv").write_text("x")
    given = resolve(load_config("mlp_digits", "RS", random_seed=1, backend={"name": "ray", "address": "a:1"}))
    given = replace(given, benchmark=replace(given.benchmark, script="train.py"))

    def files():
        made = RaySettings(address="a:1").opening(
            given, ExperimentDirectory(tmp_path), session=SessionFiles(tmp_path), bundle=None, proof=""
        )
        return made.opening.files

    before = files()
    assert {Path(name).name for name in before} == {"train.py", "helper.py"}
    (tmp_path / "helper.py").write_text("x = 2")
    assert {Path(name).name for name, digest in files().items() if before[name] != digest} == {"helper.py"}


def test_more_code_than_a_bundle_may_have_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("pass")
    (tmp_path / "weights.bin").write_bytes(bytes(2_000_000))
    given = resolve(load_config("mlp_digits", "RS", random_seed=1))
    given = replace(given, benchmark=replace(given.benchmark, script="train.py"))
    settings = RaySettings(address="a:1", storage=f"file://{tmp_path}/storage", max_bundle_mb=1)
    with pytest.raises(ConfigError, match=r"more than backend.max_bundle_mb=1 .*list patterns in backend.exclude"):
        settings.bundle(given)
    bundle = replace(settings, exclude=("*.bin",)).bundle(given)
    assert set(bundle.files) == {"train.py", ".requirements.txt"}, "hpo itself is on the nodes"


@pytest.mark.parametrize(
    ("variables", "in_home", "mode"),
    [
        ({}, False, None),
        ({}, True, "token"),
        ({"RAY_AUTH_TOKEN": "a"}, False, "token"),
        ({"RAY_AUTH_TOKEN_PATH": "/a/file"}, False, "token"),
        ({"RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN": "a"}, True, "disabled"),
    ],
)
def test_a_token_is_shown_wherever_ray_finds_it_unless_a_mode_is_given(monkeypatch, tmp_path, variables, in_home, mode):
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": str(tmp_path), **variables}.items():
        monkeypatch.setenv(name, value)
    if in_home:
        (tmp_path / ".ray").mkdir()
        (tmp_path / ".ray" / "auth_token").write_text("a")
    assert RaySettings(address="head:6379").environment.get("RAY_AUTH_MODE") == mode
