"""What a node must have before a trial is sent there; the actor's class is called here as Ray calls it there."""

import asyncio
import json
import platform
from pathlib import Path
from types import SimpleNamespace

import pytest

import hpo
from hpo.config.reading import load_config, resolve, to_plain
from hpo.ray.actor import SlotActor, SlotAnswer, digest_of

BENCHMARK = {
    "name": "b",
    "command": ["bash", "-c", "true"],
    "metric": "loss",
    "mode": "min",
    "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
    "num_gpus_per_trial": 0,
}


@pytest.fixture
def answer_of(tmp_path, monkeypatch):
    """A function that opens a slot on a pretended node, with an order changed by `keys`, and gives back its answer."""
    context = SimpleNamespace(get_node_id=lambda: "0123456789abcdef")
    pretended = SimpleNamespace(get_runtime_context=lambda: context, __version__="0")
    monkeypatch.setitem(__import__("sys").modules, "ray", pretended)
    script = tmp_path / "train.py"
    script.write_text("pass")
    (tmp_path / ".shared-1").touch()

    def answer(benchmark=(), **keys):
        config = resolve(load_config({**BENCHMARK, **dict(benchmark)}, "RS", random_seed=1))
        given = {
            "config": to_plain(config),
            "directory": str(tmp_path),
            "nonce": ".shared-1",
            "cwd": str(Path.cwd()),
            "python": ".".join(platform.python_version_tuple()[:2]),
            "hpo": digest_of(str(Path(hpo.__file__).parent)),
            "files": {str(script): digest_of(str(script))},
            "environment": {},
            "rooms": {},
            **keys,
        }
        return SlotAnswer(**json.loads(asyncio.run(SlotActor().open(json.dumps(given).encode(), []))))

    return answer


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"python": "3.9"}, "and the tuner 3.9: start its Ray with the same minor version"),
        ({"nonce": ".shared-2"}, "is not the same directory there as here: backend=ray needs one that all nodes share"),
        ({"hpo": "another"}, "is not the version that runs here: install the same there"),
        ({"cwd": "/nowhere"}, "the working directory /nowhere is not there: run the command in a shared folder"),
        ({"files": {"/nowhere/train.py": "1"}}, "/nowhere/train.py is not there what it is here"),
        (
            {"benchmark": {"command": ["only-elsewhere"]}},
            "the program 'only-elsewhere' is not on PATH or not executable",
        ),
        ({"benchmark": {"data": "/nowhere/images"}}, "benchmark.data=/nowhere/images: there is no such file or folder"),
    ],
)
def test_what_a_node_lacks_is_one_sentence(answer_of, keys, sentence):
    answer = answer_of(**keys)
    assert sentence in answer.error
    assert "\n" not in answer.error
    assert answer.node == "0123456789abcdef"


def test_a_node_without_hpo_says_so(answer_of, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert "hpo is not installed there" in answer_of().error


def test_a_digest_is_of_names_and_contents_and_of_nothing_else(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        (folder / "inside").mkdir(parents=True)
        (folder / "inside" / "a.py").write_text("1")
        (folder / "data.bin").write_text(str(folder))
    assert digest_of(str(one)) == digest_of(str(other))
    (other / "inside" / "a.py").rename(other / "inside" / "b.py")
    assert digest_of(str(one)) != digest_of(str(other))
    assert digest_of(str(tmp_path / "nowhere")) is None
