"""Where an experiment keeps its files. `outputs/<tag>/<benchmark>/<method>/seed_<n>/` is one experiment."""

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.errors import StoreError
from hpo.store.untrusted import MOST_JSON, read_untrusted

CONFIG = "experiment.yaml"
"""In an experiment's directory: its resolved configuration. Who has this file is an experiment."""
LAUNCH_LOCK = ".launch.lock"
"""In an experiment's directory: held by the command that submits its job."""
LAUNCH_RECORD = "launch.json"
"""In an experiment's directory: what is known of its job."""


_KEPT = "checkpoint_at_"


@dataclass(frozen=True, slots=True)
class _Inside:
    """A file or folder of an experiment's directory, by its name there."""

    name: str

    def __get__(self, directory: "ExperimentDirectory", kind: type) -> Path:
        return directory.path / self.name


@dataclass(frozen=True, slots=True)
class ExperimentDirectory:
    """Names inside one experiment's directory."""

    path: Path

    config = _Inside(CONFIG)
    """The resolved configuration."""
    metadata = _Inside("metadata.json")
    """What the experiment is, with Syne Tune's keys."""
    events = _Inside("events.db")
    """The event store, the truth."""
    results = _Inside("results.csv.zip")
    """One row per report."""
    best = _Inside("best.yaml")
    """The best configuration, as overrides."""
    schedule = _Inside("schedule.yaml")
    """How the best result came about, where its trial went on from a copy of another's checkpoint."""
    front = _Inside("front.yaml")
    """In its place where there are several objectives: the results on the front."""
    warm_start = _Inside("warm_start.jsonl")
    """Results of earlier experiments, copied when it started from them."""
    log = _Inside("hpo.log")
    """What was logged while it ran."""
    lock = _Inside(".lock")
    """Locked while a tuner works here."""
    owner = _Inside(".owner.json")
    """Who holds, or last held, the lock."""
    identity = _Inside(".identity")
    """A random text by which its trials' processes are told from those of every other experiment."""
    host_log = _Inside("host.log")
    """Standard error of the trial host; empty unless something is wrong with it."""
    ray_log = _Inside("ray.log")
    """What Ray says in the process that talks with it; empty unless something is wrong."""
    trials = _Inside("trials")
    """One folder per trial."""
    commands = _Inside("commands")
    """What people tell the running experiment to do, each a file until it is in the log."""
    left_behind = _Inside("left_behind")
    """Folders of trials that the event log, damaged and mended, no longer knows."""

    def checkpoint(self, trial_id: int) -> Path:
        """The checkpoint folder that all attempts of a trial share."""
        return self.trials / str(trial_id) / "checkpoint"

    def kept(self, trial_id: int, resource: int) -> Path:
        """A copy of what a trial had saved when it had reached a resource."""
        return self.trials / str(trial_id) / f"{_KEPT}{resource}"

    def all_kept(self) -> list[tuple[int, int]]:
        """Of which trials there are such copies, and the resource of each."""
        found = [(path.parent.name, path.name.removeprefix(_KEPT)) for path in self.trials.glob(f"*/{_KEPT}*")]
        return sorted((int(trial), int(at)) for trial, at in found if trial.isdecimal() and at.isdecimal())

    def attempt(self, trial_id: int, attempt: int) -> Path:
        """The folder of one attempt."""
        return self.trials / str(trial_id) / f"attempt_{attempt}"


def _by_number(path: Path) -> list[tuple[str, int]]:
    """Orders seed_2 before seed_10."""
    stem = path.name.rstrip("0123456789")
    return [*((part, -1) for part in path.parent.parts), (stem, int(path.name[len(stem) :] or -1))]


def folders_with(base: Path, name: str, passed: list[Path] | None = None) -> list[Path]:
    """Directories from `base` down that hold a file of that name, in order; none below such a one, or below an experiment.

    Args:
        base: where to begin.
        name: of the file.
        passed: is given the folders that were gone through, in which others may appear.
    """
    found, ahead = [], [str(base)]
    while ahead:
        folder = ahead.pop()
        if os.access(f"{folder}/{name}", os.F_OK):
            found.append(Path(folder))
        elif not os.access(f"{folder}/{CONFIG}", os.F_OK):  # there thousands of trials may be
            if passed is not None:
                passed.append(Path(folder))
            with contextlib.suppress(OSError), os.scandir(folder) as entries:
                ahead += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    return sorted(found, key=_by_number)


def refuse_links(files: ExperimentDirectory) -> None:
    """Raise StoreError for a link in the place of a file that is written to and not replaced: it leads elsewhere."""
    parts = [files.events.with_name(files.events.name + end) for end in ("", "-wal", "-shm", "-journal")]
    for path in (files.lock, files.identity, files.log, files.host_log, files.ray_log, files.commands, *parts):
        if path.is_symlink():
            raise StoreError(f"{path}: is a link, and hpo writes only files of the directory itself; remove the link")


def read_json(path: Path, most: int = MOST_JSON) -> dict[str, Any]:
    """The JSON object in a file; nothing if there is none, or if it is a link, not a regular file, or too large.

    Args:
        path: the file.
        most: bytes that it may have.
    """
    try:
        return json_object(read_untrusted(path, most))
    except (OSError, ValueError):
        return {}


def json_object(text: str | bytes) -> dict[str, Any]:
    """The JSON object that a text is.

    Raises:
        ValueError: it is none.
    """
    try:
        content = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(content, dict):
        raise ValueError("it is not a JSON object")
    return content
