"""Stored experiments with something wrong in one of their files, and the commands that read them."""

import contextlib
import io
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hpo.cli.arguments import expand
from hpo.cli.commands import main as verbs
from hpo.config.reading import load_config
from hpo.config.schema import ExperimentConfig
from hpo.errors import HPOError, StoreError
from hpo.events.types import Event, Kind
from hpo.experiment.run import run_experiment
from hpo.results.experiment import load_experiment
from hpo.store.directory import ExperimentDirectory
from hpo.store.event_store import Store
from hpo.store.store_repair import open_store
from hpo.store.tags import default_tag, master_seed, read_tag
from tests.reliability.fuzzed_configs import changed, check_sentence, texts
from tests.reliability.fuzzed_reports import value
from tests.reliability.fuzzing import mutated, page_swapped

SCRIPT = Path(__file__).parent.parent / "support" / "scripts" / "steps.py"


def configuration(method: str) -> ExperimentConfig:
    """Of the experiments that are damaged."""
    benchmark = {
        "name": "mine",
        "script": str(SCRIPT),
        "metric": "loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "epochs",
        "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
        "arguments": {"epochs": 9},
        "max_num_trials": 4,
        "num_gpus_per_trial": 0,
    }
    return load_config(benchmark, method, random_seed=1, experiment_tag="t")


class Directories:
    """A tag with a complete experiment and one that was interrupted, made once and copied for each case.

    Args:
        folder: to work in; it becomes the working directory.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.original = folder / "original"
        self.config = configuration("ASHA")
        complete = self.original / "t" / "mine" / "ASHA" / "seed_0"
        run_experiment(self.config, complete)
        run_experiment(configuration("RS"), self.original / "t" / "mine" / "RS" / "seed_0")
        facts = {"command": ["a=1"], "automatic": True, "complete": False, "random_seed": 1}
        (self.original / "t" / "tag.json").write_text(json.dumps(facts))
        shutil.copytree(self.original / "t", self.original / "i")
        self.events = load_experiment(complete).events
        self.half = self._interrupt(ExperimentDirectory(self.original / "i" / "mine" / "ASHA" / "seed_0"))

    def _interrupt(self, files: ExperimentDirectory) -> list[Event]:
        """As a kill in the middle leaves it; returns the events there are."""
        reports = [number for number, event in enumerate(self.events) if event.kind == Kind.REPORTED]
        events = self.events[: reports[len(reports) // 2] + 1]
        files.events.unlink()
        store = Store(files.events)
        store.append(events)
        store.close()
        files.metadata.write_text(files.metadata.read_text().replace('"complete"', '"running"'))
        return events

    # ------------------------------------------------------------------ one case

    def run(self, rng: random.Random, note: Callable[[bytes], None], resume: float = 0.02) -> str:
        """Damage a copy, and have every command look at it."""
        name = rng.choice(["t", "i"])
        self.tag = self.folder / "outputs" / name
        shutil.rmtree(self.tag, ignore_errors=True)
        shutil.copytree(self.original / name, self.tag, symlinks=True)
        canary = self.folder / "canary"
        experiment = self.tag / "mine" / "ASHA" / "seed_0"
        name = self._damage(experiment, rng, note, canary)
        try:
            outcomes = {self._command(words) for words in self._commands(experiment, self.tag)}
            if name in ("events.db", "events.db-wal"):
                self._check_events(experiment)
            if name == "tag.json":
                self._check_tag(rng)
            if name == "best.yaml":
                outcomes.add(_outcome(lambda: expand([f"@{experiment / 'best.yaml'}"])))
            if rng.random() < resume:
                outcomes.add(_outcome(lambda: run_experiment(self.config, experiment)))
        finally:
            assert not canary.exists(), "something was executed"
        return f"{name}: {'a sentence' if 'a sentence' in outcomes else 'read'}"

    @staticmethod
    def _commands(experiment: Path, tag: Path) -> list[list[str]]:
        place = str(experiment)
        output = str(experiment / "out.html")
        return [
            ["status", place],
            ["replay", place],
            ["report", place, "--output", output],
            ["compare", str(tag), "--include-incomplete", "--unpaired"],
            ["reproduce", place],
            ["report", str(tag), "--output", output, "--include-incomplete", "--unpaired"],
        ]

    @staticmethod
    def _command(words: list[str]) -> str:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return _outcome(lambda: verbs.main(words))

    def _check_events(self, experiment: Path) -> None:
        """What is read is what was written, from the beginning; so is what is salvaged."""
        wanted = self.events if self.tag.name == "t" else self.half
        for make in (
            lambda: Store(experiment / "events.db", read_only=True),
            lambda: open_store(experiment / "events.db"),
        ):
            found: list[Event] = []
            with contextlib.suppress(StoreError), contextlib.closing(make()) as store:
                found.extend(store.read())
            assert found == wanted[: len(found)], "an event is not what was written"

    def _check_tag(self, rng: random.Random) -> None:
        assert isinstance(read_tag(self.tag), dict)
        default_tag(["a=1"], self.tag.parent)
        seed, _ = master_seed(self.tag, None)
        assert seed >= 0
        assert not isinstance(seed, bool)

    # ------------------------------------------------------------------ damage

    def _damage(self, experiment: Path, rng: random.Random, note: Callable[[bytes], None], canary: Path) -> str:
        """Change one file; returns its name."""
        match rng.randrange(9):
            case 0 | 1:
                path = experiment / "events.db"
                data = path.read_bytes()
                data = page_swapped(rng, data) if rng.random() < 0.2 else mutated(rng, data)
            case 2:
                path = experiment / "metadata.json"
                data = self._mutated_json(path, rng)
            case 3:
                path = self.tag / "tag.json"
                data = self._mutated_json(path, rng)
            case 4 | 5:
                path = experiment / "experiment.yaml"
                data = self._mutated_config(path, rng, canary)
            case 6:
                path = experiment / "best.yaml"
                data = rng.choice(texts(canary)).encode("utf-8", "surrogatepass") if rng.random() < 0.5 else b""
                data = data or mutated(rng, path.read_bytes())
            case 7:
                path = experiment / "results.csv.zip"
                data = mutated(rng, path.read_bytes())
            case _:
                return self._damage_trials(experiment / "trials", rng, note)
        note(f"{path.relative_to(self.tag)}: ".encode() + data)
        path.write_bytes(data)
        return path.name

    @staticmethod
    def _mutated_json(path: Path, rng: random.Random) -> bytes:
        content: dict[str, Any] = json.loads(path.read_text())
        match rng.randrange(4):
            case 0:
                return mutated(rng, path.read_bytes())
            case 1:
                return json.dumps(value(rng)).encode()
            case 2:
                return b'{"a":' * rng.choice([200, 5000])
            case _:
                for _ in range(rng.choice([1, 3])):
                    content[
                        rng.choice([*content, "status", "reason", "table_optimum", "data_label", "random_seed"])
                    ] = value(rng)
                return json.dumps(content).encode()

    @staticmethod
    def _mutated_config(path: Path, rng: random.Random, canary: Path) -> bytes:
        import yaml

        match rng.randrange(4):
            case 0:
                return mutated(rng, path.read_bytes())
            case 1:
                return path.read_bytes() + rng.choice(texts(canary)).encode("utf-8", "surrogatepass")
            case _:
                tree = changed(rng, yaml.safe_load(path.read_text()), canary)
                with contextlib.suppress(yaml.YAMLError, RecursionError, UnicodeEncodeError):
                    return yaml.safe_dump(tree, allow_unicode=True).encode()
                return b"seed: 0"

    @staticmethod
    def _damage_trials(trials: Path, rng: random.Random, note: Callable[[bytes], None]) -> str:
        folder = rng.choice(sorted(path for path in trials.iterdir()))
        kind = rng.choice(["gone", "file", "link", "odd name", "loop", "reports"])
        note(f"{folder.name}: {kind}".encode())
        match kind:
            case "gone":
                shutil.rmtree(folder)
            case "file":
                shutil.rmtree(folder)
                folder.write_bytes(b"no folder")
            case "link":
                shutil.rmtree(folder)
                folder.symlink_to("/etc")
            case "loop":
                (folder / "attempt_7").symlink_to(folder)
            case "odd name":
                folder.rename(folder.with_name(rng.choice(["1²", "01", "9" * 200, "1 ", "-1", "\udcff1", "1e3"])))
            case _:
                for path in sorted(folder.glob("attempt_*/*")):
                    path.write_bytes(mutated(rng, path.read_bytes()))
        return "trials"


def _outcome(action: Callable[[], object]) -> str:
    try:
        action()
    except HPOError as error:
        check_sentence(str(error))
        return "a sentence"
    return "read"


@contextlib.contextmanager
def inside(folder: Path) -> Any:
    """With another working directory."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
