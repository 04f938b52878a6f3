"""A checkpoint in another library's format and the metrics reported with it, replaced together and read together.

The library writes a file or folder under a new name each time. `saved.json` beside it is replaced last and names the
complete checkpoint with its metrics. Without a tuner nothing is saved, and reports are printed.
"""

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo import reporting
from hpo.checkpoint import directory
from hpo.integrations import generators
from hpo.store.atomic_files import sync, write_atomically

_NAME = "saved.json"


@dataclass(frozen=True)
class LibraryCheckpoint:
    """A saved checkpoint of a training library, with the metrics reported with it."""

    path: Path
    """File or folder that the library wrote."""
    metrics: Mapping[str, Any]
    """Metrics that were reported with the checkpoint."""
    generators: dict[str, Any]
    """States of the random number generators, as `generators.states` returns them."""


def find_checkpoint() -> LibraryCheckpoint | None:
    """Return the last complete checkpoint, or None if there is none.

    Raises:
        ValueError: The checkpoint is damaged. It is never silently ignored, because training from scratch in a resumed
            trial would falsify the experiment.
    """
    folder = directory()
    if folder is None or not (folder / _NAME).exists():
        return None
    try:
        content = json.loads((folder / _NAME).read_bytes())
        saved = LibraryCheckpoint(folder / content["name"], content["metrics"], content["generators"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder / _NAME}: is damaged ({type(error).__name__}: {error})") from error
    if not saved.path.exists():
        raise ValueError(f"{folder / _NAME}: is damaged: it names {saved.path.name}, which is not there")
    return saved


def resume() -> LibraryCheckpoint | None:
    """Return the last complete checkpoint, or None; restores the random number generators and reports its metrics again.

    A trial may have ended after it saved and before it reported. The tuner drops reports that it already has.

    Raises:
        ValueError: The checkpoint is damaged.
    """
    saved = find_checkpoint()
    if saved is not None:
        generators.restore(saved.generators)
        if first_process():
            reporting.report(saved.metrics)
    return saved


def checkpoint_path(name: str) -> Path | None:
    """Return the path where a library shall write its checkpoint, or None without a tuner.

    Args:
        name: File name with a number that changes each time, such as `epoch-3.ckpt`; files whose names differ only in
            the number replace each other.
    """
    folder = directory()
    if folder is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    last = find_checkpoint()
    if last is not None and last.path.name == name:  # trained again; keep the complete one until then
        stem, dot, suffix = name.partition(".")
        name = f"{stem}-again{dot}{suffix}"
    return folder / name


def save_and_report(name: str, write: Callable[[str], object], metrics: Mapping[str, Any]) -> None:
    """Let a library write its checkpoint, then report.

    Args:
        name: File name of the checkpoint, as for `checkpoint_path`.
        write: Function that writes the checkpoint to a given path.
        metrics: Metrics to report.
    """
    path = checkpoint_path(name)
    if path is not None:
        write(str(path))
    report_saved(path, metrics)


def report_saved(path: Path | None, metrics: Mapping[str, Any], keep: Collection[Path] = ()) -> None:
    """Make the written files the current checkpoint, remove the previous one, then report.

    Args:
        path: Path that `checkpoint_path` returned and the library wrote to; None without a tuner.
        metrics: Metrics to report.
        keep: Earlier checkpoints that are still needed.

    Raises:
        TypeError: A metric cannot be reported.
    """
    if path is not None:
        for written in (path, *path.rglob("*")):
            sync(written)
        known = json.loads(reporting.encode(dict(metrics)))
        content = {"name": path.name, "metrics": known, "generators": generators.random_states()}
        write_atomically(path.parent / _NAME, json.dumps(content).encode())
        sync(path.parent)
        _remove_others(path, keep)
    reporting.report(metrics)


def _remove_others(path: Path, keep: Collection[Path]) -> None:
    """Remove checkpoints whose names differ only in the number, and remains of one that a killed attempt left."""
    for other in path.parent.glob(re.sub(r"\d+(-again)?", "*", path.name, count=1)):
        if other != path and other not in keep:
            if other.is_dir():
                shutil.rmtree(other)
            else:
                other.unlink()


def scalars(values: Mapping[str, Any]) -> dict[str, float]:
    """Return the values that are a single number of Python, NumPy or a tensor, under their names."""
    found = {}
    for name, value in values.items():
        item = getattr(value, "item", None)
        with contextlib.suppress(ValueError, RuntimeError):  # more than one element
            value = item() if item is not None else value
        if isinstance(value, int | float):
            found[name] = value
    return found


def first_process() -> bool:
    """Whether this process reports for a distributed training, by the variables that torchrun and similar launchers set."""
    return os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"
