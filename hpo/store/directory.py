"""The files of an experiment's directory, `outputs/<tag>/<benchmark>/<method>/seed_<n>/`."""

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.errors import StoreError
from hpo.store.untrusted import MOST_JSON, read_untrusted

CONFIG = "experiment.yaml"
"""Name of the file with the resolved configuration. A directory with this file is an experiment."""
LAUNCH_LOCK = ".launch.lock"
"""Name of the file that is locked by the command that submits the experiment's job."""
LAUNCH_RECORD = "launch.json"
"""Name of the file with the facts about the experiment's job."""


_KEPT = "checkpoint_at_"


@dataclass(frozen=True, slots=True)
class _Inside:
    """The path of a file or folder inside an experiment's directory."""

    name: str

    def __get__(self, directory: "ExperimentDirectory", kind: type) -> Path:
        return directory.path / self.name


@dataclass(frozen=True, slots=True)
class ExperimentDirectory:
    """The paths inside an experiment's directory."""

    path: Path

    config = _Inside(CONFIG)
    """The resolved configuration."""
    metadata = _Inside("metadata.json")
    """Facts about the experiment, with Syne Tune's keys."""
    events = _Inside("events.db")
    """The event store, from which everything else can be computed."""
    results = _Inside("results.csv.zip")
    """Table of results with one row per report."""
    best = _Inside("best.yaml")
    """The best configuration, as overrides."""
    schedule = _Inside("schedule.yaml")
    """The legs of the training that gave the best result, if its trial started from a copy of another's checkpoint."""
    confirmation = _Inside("confirmation.json")
    """Means and intervals of the best configurations, if `hpo confirm` has trained them again."""
    front = _Inside("front.yaml")
    """Results on the Pareto front, in place of `best` if there are several objectives."""
    warm_start = _Inside("warm_start.jsonl")
    """Copied results of earlier experiments, if the experiment started from them."""
    log = _Inside("hpo.log")
    """Log of the tuner."""
    lock = _Inside(".lock")
    """File that a tuner locks while it runs the experiment."""
    owner = _Inside(".owner.json")
    """Note about the process that holds, or last held, the lock."""
    identity = _Inside(".identity")
    """Random text that tells the processes of this experiment's trials from those of all others."""
    host_log = _Inside("host.log")
    """Standard error of the trial host; empty unless something is wrong with it."""
    ray_log = _Inside("ray.log")
    """Output of Ray in the process that connects to it; empty unless something is wrong."""
    trials = _Inside("trials")
    """Folder with a folder for each trial."""
    commands = _Inside("commands")
    """Folder with commands that people give, each a file until it is in the log."""
    left_behind = _Inside("left_behind")
    """Folders of trials that a repaired event log no longer contains."""

    def checkpoint(self, trial_id: int) -> Path:
        """Return the checkpoint folder that all attempts of a trial share."""
        return self.trials / str(trial_id) / "checkpoint"

    def kept(self, trial_id: int, resource: int) -> Path:
        """Return the path of the copy of a trial's checkpoint at a resource."""
        return self.trials / str(trial_id) / f"{_KEPT}{resource}"

    def all_kept(self) -> list[tuple[int, int]]:
        """Return the trial and the resource of each copied checkpoint."""
        found = [(path.parent.name, path.name.removeprefix(_KEPT)) for path in self.trials.glob(f"*/{_KEPT}*")]
        return sorted((int(trial), int(at)) for trial, at in found if trial.isdecimal() and at.isdecimal())

    def attempt(self, trial_id: int, attempt: int) -> Path:
        """Return the folder of one attempt."""
        return self.trials / str(trial_id) / f"attempt_{attempt}"


def log_of_attempt(folder: Path) -> Path | None:
    """Return the log in an attempt's folder that tells most: its standard error, or if that is empty its standard output.

    None if both are empty, or not there.
    """
    logs = (folder / "stderr.log", folder / "stdout.log")
    return next((log for log in logs if log.is_file() and log.stat().st_size > 0), None)


def _by_number(path: Path) -> list[tuple[str, int]]:
    """Return a sort key that puts seed_2 before seed_10."""
    stem = path.name.rstrip("0123456789")
    return [*((part, -1) for part in path.parent.parts), (stem, int(path.name[len(stem) :] or -1))]


def folders_with(base: Path, name: str, passed: list[Path] | None = None) -> list[Path]:
    """Return the directories from `base` down that contain a file of that name, in order; none below these or experiments.

    Args:
        base: Directory to start from, which may be a result itself.
        name: Name of the file.
        passed: List to which the searched folders are added, in which more may appear later.
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
    """Raise StoreError for a link where hpo expects a file to write to, because the link would lead elsewhere."""
    parts = [files.events.with_name(files.events.name + end) for end in ("", "-wal", "-shm", "-journal")]
    for path in (files.lock, files.identity, files.log, files.host_log, files.ray_log, files.commands, *parts):
        if path.is_symlink():
            raise StoreError(f"{path}: is a link, and hpo writes only files of the directory itself; remove the link")


def read_json(path: Path, most: int = MOST_JSON) -> dict[str, Any]:
    """Return the JSON object in a file; empty if it is missing, a link, not a regular file, too large or not an object.

    Args:
        path: The file.
        most: Largest number of bytes that are read.
    """
    try:
        return json_object(read_untrusted(path, most))
    except (OSError, ValueError):
        return {}


def json_object(text: str | bytes) -> dict[str, Any]:
    """Parse a text that is a JSON object.

    Raises:
        ValueError: The text is not a JSON object.
    """
    try:
        content = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(content, dict):
        raise ValueError("it is not a JSON object")
    return content
