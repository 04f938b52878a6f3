"""What somebody may have put into an experiment directory: each attack is planted, and shown to work where it is trusted."""

import contextlib
import json
import os
import pickle
import pydoc
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.conftest import Workplace

SECRET = b"what lies outside is nobody's business"


@dataclass
class Place:
    """A working directory with somebody else's experiment, and what lies outside."""

    work: Workplace

    @property
    def directory(self) -> Path:
        return self.work.directory("l", "ASHA", benchmark="longer")

    @property
    def outside(self) -> Path:
        return self.work.path.parent / "outside"

    @property
    def canary(self) -> Path:
        return self.outside / "canary"

    @property
    def touch(self) -> str:
        return f"touch {self.canary}"

    def edit(self, change: Callable[[dict], None]) -> None:
        """Rewrite experiment.yaml."""
        path = self.directory / "experiment.yaml"
        content = yaml.safe_load(path.read_text())
        change(content)
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    def around(self) -> dict[str, tuple]:
        """All that is not in the working directory: name, kind and content."""
        found = {}
        for path in sorted(self.work.path.parent.rglob("*")):
            if not path.is_relative_to(self.work.path):
                found[str(path)] = (path.is_symlink(), path.is_dir(), b"" if path.is_dir() else path.read_bytes())
        return found

    def sprung(self) -> bool:
        """Did the attack work? What it made is taken away."""
        there = self.canary.exists()
        self.canary.unlink(missing_ok=True)
        return there


class Evil:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def pickles(place):
    data = pickle.dumps(Evil(place.touch))
    folder = place.directory
    for name in ("metadata.pkl", "tuner.dill", "searcher.pkl", "scheduler.pickle", "results.pkl", "experiment.pkl"):
        (folder / name).write_bytes(data)
    for name in ("0/checkpoint/state.pkl", "0/attempt_0/result.pkl", "0/checkpoint/checkpoint.pt"):
        (folder / "trials" / name).write_bytes(data)
    pickle.loads(data)


def yaml_tags(place):
    text = f"evil: !!python/object/apply:os.system ['{place.touch}']\n"
    for name in ("experiment.yaml", "best.yaml"):
        path = place.directory / name
        path.write_text(path.read_text() + text)
    yaml.load(text, yaml.UnsafeLoader)


def json_classes(place):
    text = json.dumps(
        {"py/reduce": [{"py/function": "os.system"}, [place.touch]], "_target_": "os.system", "command": place.touch}
    )
    for path in (
        place.directory / "metadata.json",
        place.directory / ".owner.json",
        place.directory.parents[2] / "tag.json",
    ):
        path.write_text(text)
    follow({"_target_": "os.system", "command": place.touch})


def follow(spec):
    """What a reader does that trusts a `_target_`: what it names is called with what stands beside it."""
    if not isinstance(spec, dict) or "_target_" not in spec:
        return spec
    deep = follow if spec.get("_recursive_", True) else lambda value: value
    called = {name: deep(value) for name, value in spec.items() if name not in ("_target_", "_args_", "_recursive_")}
    return pydoc.locate(spec["_target_"])(*spec.get("_args_", ()), **called)


TARGETS = {
    "system": lambda place: {"_target_": "os.system", "command": place.touch},
    "exec": lambda place: {"_target_": "builtins.exec", "_args_": [f"import os; os.mknod({str(place.canary)!r})"]},
    "popen": lambda place: {"_target_": "subprocess.getoutput", "cmd": place.touch},
    "through_hpo": lambda place: {"_target_": "hpo.store.directory.os.system", "command": place.touch},
    "copy": lambda place: {"_target_": "shutil.copyfile", "src": "/dev/null", "dst": str(place.canary)},
    "own_command": lambda place: {
        "_target_": "hpo.experiment.run.run_experiment",
        "_recursive_": False,
        "config": {
            **yaml.safe_load((place.directory / "experiment.yaml").read_text()),
            "benchmark": {
                "name": "x", "metric": "x", "mode": "min", 
                "command": ["sh", "-c", f"{place.touch}; echo '{{\"x\": 1}}' >> $HPO_REPORT_FILE"],
                "config_space": {"x": {"type": "int", "lower": 0, "upper": 1}},
            },
            "method": {
                "name": "RS",
                "searcher": {"_target_": "hpo.searchers.RandomSearcher", "_partial_": True},
                "scheduler": {"_target_": "hpo.schedulers.FIFO", "_partial_": True},
            },
            "max_num_trials": 1, "num_gpus_per_trial": 0, "random_seed": 1,
        },
        "output_dir": str(place.work.path / "other"),
    },
    "own_function": lambda place: {
        "_target_": "hpo.store.atomic_files.write_atomically",
        "path": {"_target_": "hpo.store.directory.Path", "_args_": [str(place.canary)]},
        "data": {"_target_": "hpo.store.directory.os.fsencode", "filename": ""},
    },
}  # fmt: skip
"""What runs as soon as a `_target_` is followed; `hpo.` in front of it is no guarantee of anything."""


def target(kind, part, trusted=()):
    """A `_target_` in the stored configuration, beside the scheduler, the searcher, a callback or the launcher."""

    def plant(place):
        spec = TARGETS[kind](place)

        def change(content):
            content["trusted_modules"] = list(trusted)
            if part in ("searcher", "scheduler"):
                content["method"][part] = spec
            elif part == "nested":
                content["method"]["scheduler"]["brackets"] = spec
            else:
                content[part] = {**content[part], "evil": spec} if part != "launcher" else spec

        place.edit(change)
        follow(spec)

    return plant


def launch_record(kind, trusted=()):
    def plant(place):
        spec = TARGETS[kind](place)
        content = {"launcher": spec, "trusted_modules": list(trusted), "record": {"job": "1", "directory": "."}}
        (place.directory / "launch.json").write_text(json.dumps(content))
        follow(spec)

    return plant


def names(benchmark, method="ASHA", tag="l"):
    """Names that lead elsewhere, where files are named by them."""

    def plant(place):
        def change(content):
            content["benchmark"]["name"] = benchmark.format(outside=place.outside)
            content["method"]["name"], content["experiment_tag"] = method, tag

        place.edit(change)
        (place.work.path / "reproduced" / benchmark.format(outside=place.outside)).resolve().relative_to(place.outside)
        place.canary.touch()

    return plant


def links_to_files(place):
    for name in (
        "report.html",
        "hpo.log",
        "host.log",
        "results.csv.zip",
        "best.yaml",
        "metadata.json",
        ".lock",
        ".owner.json",
    ):
        path = place.directory / name
        path.unlink(missing_ok=True)
        path.symlink_to(place.outside / "victim")
    (place.directory.parents[2] / ".tag.lock").unlink(missing_ok=True)
    (place.directory.parents[2] / ".tag.lock").symlink_to(place.outside / "victim")
    for name in ("stdout.log", "stderr.log"):
        path = place.directory / "trials" / "0" / "attempt_0" / name
        path.unlink()
        path.symlink_to(place.outside / "victim")
    assert (place.directory / "report.html").read_bytes() == SECRET
    place.canary.touch()


def dangling_links(place):
    for name in ("report.html", "results.csv.zip", "best.yaml", "metadata.json", "host.log", ".experiment.yaml.tmp"):
        path = place.directory / name
        path.unlink(missing_ok=True)
        path.symlink_to(place.canary)
    (place.directory / "report.html").write_text("")


def links_to_folders(place):
    for name in ("figures", "left_behind", "tensorboard"):
        (place.directory / name).symlink_to(place.outside / "folder")
    assert (place.directory / "figures").resolve() == place.outside / "folder"
    place.canary.touch()


def trial_numbers(place):
    """Ids that are paths, in a store whose check sums were left out."""
    with contextlib.closing(sqlite3.connect(place.directory / "events.db")) as database:
        where = os.path.relpath(place.canary, place.directory / "trials")
        database.execute("UPDATE events SET crc = NULL, trial = ? WHERE trial = 0", (where,))
        database.commit()
    (place.directory / "trials" / where).resolve().touch()


def triggers(place):
    """SQL that writes a file when a row is added or a view is read."""
    with contextlib.closing(sqlite3.connect(place.directory / "events.db")) as database:
        database.execute(
            f"CREATE TRIGGER evil AFTER INSERT ON events BEGIN SELECT writefile('{place.canary}', 'x'); END"
        )
        database.execute("DROP VIEW reports")
        database.execute(f"CREATE VIEW reports AS SELECT writefile('{place.canary}', 'x') AS seq")
        database.commit()
        database.create_function("writefile", 2, lambda name, text: Path(name).write_text(text))
        database.execute("SELECT * FROM reports").fetchall()


ATTACKS = {
    "pickles": pickles,
    "yaml tags": yaml_tags,
    "json classes": json_classes,
    "searcher os.system": target("system", "searcher"),
    "searcher os.system, trusted": target("system", "searcher", ("os", "")),
    "scheduler exec, trusted": target("exec", "scheduler", ("builtins",)),
    "nested popen, trusted": target("popen", "nested", ("subprocess",)),
    "nested through hpo": target("through_hpo", "nested"),
    "scheduler through hpo": target("through_hpo", "scheduler"),
    "nested function of hpo": target("own_function", "nested"),
    "scheduler copy, trusted": target("copy", "nested", ("shutil", "")),
    "nested command of hpo": target("own_command", "nested"),
    "callback": target("copy", "callbacks", ("shutil",)),
    "launcher": target("copy", "launcher", ("shutil",)),
    "backend": target("copy", "backend", ("shutil",)),
    "launch record": launch_record("system", ("os",)),
    "launch record, trusted": launch_record("copy", ("shutil", "")),
    "launch record through hpo": launch_record("through_hpo"),
    "launch record function of hpo": launch_record("own_function"),
    "benchmark's name": names("../../outside/escaped"),
    "benchmark's absolute name": names("{outside}/escaped"),
    "links to files": links_to_files,
    "links to nothing": dangling_links,
    "links to folders": links_to_folders,
    "trial numbers": trial_numbers,
    "triggers": triggers,
}
