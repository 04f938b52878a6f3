"""Configurations that nobody would write: every value of a valid one may be exchanged for something hostile."""

import copy
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from hpo.cli.arguments import expand
from hpo.config.reading import load_config, read_config, resolve, to_yaml
from hpo.errors import ConfigError, HPOError
from hpo.events.types import Start, Trial
from hpo.schedulers.construction import scheduler_of
from tests.reliability.fuzzing import mutated

BENCHMARK = {
    "name": "fuzzed",
    "script": "train.py",
    "metric": "loss",
    "mode": "min",
    "resource_attr": "epoch",
    "max_resource_attr": "epochs",
    "config_space": {
        "x": {"type": "float", "lower": 1e-4, "upper": 1.0, "log": True},
        "m": {"type": "float", "lower": 0.0, "upper": 0.9, "step": 0.1},
        "n": {"type": "int", "lower": 1, "upper": 64, "step": 2},
        "act": {"type": "choice", "values": ["relu", 1, 2.5, True]},
        "width": {"type": "ordinal", "values": [32, 64]},
        "constant": "adam",
    },
    "arguments": {"epochs": 9, "note": "text"},
    "points_to_evaluate": [{"x": 0.5}, {}],
    "n_workers": 2,
    "max_wallclock_time": 60.0,
    "max_num_trials": 3,
    "num_gpus_per_trial": 0,
    "preload": [],
    "report_channel": "file",
}
METHOD = {
    "name": "ASHA",
    "searcher": {"_target_": "hpo.searchers.RandomSearcher", "_partial_": True},
    "scheduler": {"_target_": "hpo.schedulers.ASHA", "_partial_": True, "reduction_factor": 3},
}
TOP: dict[str, Any] = {
    "seed": 0,
    "random_seed": 1,
    "experiment_tag": "t",
    "backend": {"name": "auto"},
    "launcher": {"_target_": "hpo.launchers.local.LocalLauncher"},
    "callbacks": {},
    "grace_period_seconds": 30.0,
    "gpus_to_use": None,
    "trusted_modules": [],
    "max_log_megabytes": 100.0,
}


def targets(canary: Path) -> list[dict[str, Any]]:
    """What would leave a file behind if it were called."""
    touch = f"touch {canary}"
    return [
        {"_target_": "os.system", "command": touch},
        {"_target_": "subprocess.run", "args": ["touch", str(canary)]},
        {"_target_": "builtins.open", "file": str(canary), "mode": "w"},
        {"_target_": "hpo.cli.run.os.system", "command": touch},
        {"_target_": "hpo.cli.run.os.popen", "_args_": [touch]},
        {"_target_": "hpo..os.system", "command": touch},
        {"_target_": "pathlib.Path.touch", "self": str(canary)},
        {"_target_": "hpo", "_args_": []},
        {"_target_": "hpo.searchers.RandomSearcher", "_partial_": "x", "_recursive_": [], "_convert_": 3},
        {"_target_": ["os.system"]},
    ]


def hostile(rng: random.Random, canary: Path) -> Any:
    """A value where another was expected."""
    match rng.randrange(9):
        case 0:
            return rng.choice(
                [None, True, 0, -1, 2, 1.5, 2**31, 2**53 + 1, 2**64, 10**30, -(10**400), 5e-324, 1e308, -1e308]
            )
        case 1:
            return rng.choice([float("nan"), float("inf"), float("-inf"), -0.0, 1e-300])
        case 2:
            return rng.choice(
                ["", " ", "\x00", "é" * 300, "x" * 5000, "\ud800", "../../x", "a/b", "-rf", "1e-3", "nan", "\n", "'"]
            )
        case 3:
            return rng.choice(
                [
                    "${seed}",
                    "${oc.env:HOME}",
                    "${oc.env:NO_SUCH}",
                    "${",
                    "${no.such}",
                    "${hydra:runtime}",
                    "${benchmark}",
                    "\\${x}",
                    "${oc.create:{a: 1}}",
                    "${oc.decode:'!!python/name:os.system'}",
                    "${..}",
                    "???",
                    "${oc.dict.keys:benchmark}",
                ]
            )
        case 4:
            return rng.choice(targets(canary))
        case 5:
            deep: Any = "end"
            for _ in range(rng.choice([3, 50, 300])):
                deep = rng.choice([{"a": deep}, [deep]])
            return deep
        case 6:
            return {rng.choice([1, 1.5, True, "", "_target_", "a.b", "lower", "\x00"]): hostile(rng, canary)}
        case 7:
            return [hostile(rng, canary) for _ in range(rng.randrange(3))]
        case _:
            return rng.choice(
                [b"\xff", {}, [], {"type": "float"}, {"type": "choice", "values": [b"a", b"b"]}, list(range(1000))]
            )


def places(tree: Any) -> list[tuple[Any, ...]]:
    """All paths in a tree, which may be deeper than Python's stack."""
    found, left = [], [((), tree)]
    while left:
        path, node = left.pop()
        found.append(path)
        items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        left += [((*path, key), item) for key, item in items]
    return found


def changed(rng: random.Random, tree: dict[str, Any], canary: Path) -> dict[str, Any]:
    """A copy with values exchanged, removed, added and renamed."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        options = places(tree)[1:]
        if not options:
            break
        *path, last = rng.choice(options)
        node: Any = tree
        for key in path:
            node = node[key]
        match rng.randrange(6):
            case 0:
                del node[last]
            case 1 if isinstance(node, dict):
                node[rng.choice(["lr", "seed", "_target_", "command", "type", "${x}", "a.b", 1, ""])] = hostile(
                    rng, canary
                )
            case 2 if isinstance(node, dict) and isinstance(last, str):
                node[last[:-1] + rng.choice(["", "x", "é", "\x00"])] = node.pop(last)
            case 3 if isinstance(node[last], int | float):
                node[last] = rng.choice([-node[last], node[last] * 10**9, str(node[last])[:20], [node[last]], 0, 1])
            case _:
                node[last] = hostile(rng, canary)
    return tree


def texts(canary: Path) -> list[str]:
    """YAML that no tree of plain values is written as."""
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join(9 * [f'*a{i - 1}'])}]\n" for i in range(1, 12)
    )
    return [
        *(f"seed: !!python/object/apply:os.system ['touch {canary}']", "seed: !!python/name:os.system ", bomb),
        *(
            f"callbacks: {{a: {{_target_: os.system, command: touch {canary}}}}}",
            "a: &a [*a]",
            "a: &a {b: *a}",
            "<<: 3",
        ),
        *("seed: " + "9" * 5000, "seed: 0x" + "f" * 5000, "seed: !!int abc", "seed: !!int ''", "seed: !!float ''"),
        *(
            "seed: !!bool maybe",
            "seed: !!timestamp no",
            "seed: !!timestamp 2020-01-01",
            "seed: !!binary '%'",
            "seed: !!set {a}",
        ),
        *(
            "seed: !!binary aGk=",
            "? [a]\n: b",
            "? {a: b}\n: c",
            "null: 1",
            "a: 1\na: 2",
            "1: 2",
            "- 1",
            "3",
            "text",
            "---\n---\n",
        ),
        *(
            "[" * 500,
            "{a: " * 400 + "}" * 400,
            "a:\n" + "".join(f"{' ' * i}a:\n" for i in range(1, 400)),
            "%YAML 9.9\n---\n",
        ),
        *(
            "\ufeffseed: 1",
            "seed: \u2028",
            "\t",
            "@",
            "`",
            "seed: 190:20:30",
            "seed: 1_000",
            "seed: .inf",
            "seed: 1e400",
            "*a",
        ),
    ]


def check(config: Any) -> None:
    """A configuration that was accepted is one: it is written down, read back, and its method is made and asked."""
    assert read_back(config) == to_yaml(config)
    scheduler = scheduler_of(replace(config, random_seed=config.random_seed or 0))
    for number in range(2):
        suggestion = scheduler.suggest()
        if isinstance(suggestion, Start):
            trial = Trial(number, suggestion.configuration)
            scheduler.on_start(trial)
            scheduler.on_report(trial, 1, 0.5)


def check_sentence(text: str, of_the_right_kind: bool = True, longest: int = 20_000) -> None:
    """What is said to the user is one line."""
    assert of_the_right_kind, f"an error of another kind: {text}"
    assert "\n" not in text.strip(), f"more than a line: {text}"
    assert len(text) < longest, f"a sentence of {len(text)} characters"


def read_back(config: Any) -> str:
    """The text of a configuration that went through a file."""
    path = _folder / "back.yaml"
    path.write_text(to_yaml(config))
    return to_yaml(read_config(path))


_folder = Path()


def run(folder: Path, rng: random.Random, note: Callable[[bytes], None]) -> str:
    """One configuration, given as a dictionary or as a file."""
    global _folder
    _folder = folder
    canary = folder / "canary"
    tree: dict[str, Any] = {"benchmark": BENCHMARK, "method": METHOD, **TOP}
    kind = rng.choice(["values", "values", "file", "text", "overrides file"])
    try:
        if kind == "values":
            tree = changed(rng, tree, canary)
            note(repr(tree).encode("utf-8", "backslashreplace"))
            if not all(isinstance(tree.get(part), dict) for part in ("benchmark", "method")):
                return "no mapping"
            tops = {str(key): item for key, item in tree.items() if key not in ("benchmark", "method")}
            config = resolve(load_config(tree["benchmark"], tree["method"], **tops))
        else:
            path = folder / "experiment.yaml"
            path.write_bytes(_text(rng, kind, tree, canary))
            note(path.read_bytes())
            if kind == "overrides file":
                expand([f"@{path}"])
                return "overrides"
            config = resolve(read_config(path))
        check(config)
        return "accepted"
    except HPOError as error:
        check_sentence(str(error), isinstance(error, ConfigError))
        return "one sentence"
    finally:
        assert not canary.exists(), "something was executed"


def _text(rng: random.Random, kind: str, tree: dict[str, Any], canary: Path) -> bytes:
    if kind == "text":
        head = yaml.safe_dump(tree).encode() if rng.random() < 0.3 else b""
        return head + rng.choice(texts(canary)).encode("utf-8", "surrogatepass")
    if kind == "overrides file":
        tree = {"overrides": ["a=1", "b=[{x: 1}]"], "loss": 0.5}
    try:
        data = yaml.safe_dump(changed(rng, tree, canary), allow_unicode=rng.random() < 0.5).encode(
            "utf-8", "surrogatepass"
        )
    except (yaml.YAMLError, RecursionError):  # the dumper is not what is tried here
        data = yaml.safe_dump(tree).encode()
    return mutated(rng, data) if rng.random() < 0.5 else data
