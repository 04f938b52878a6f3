"""A checkpoint as another library writes it, and what was reported with it: replaced together, read back together.

The file or folder is the library's, under a new name each time. `saved.json` beside it is replaced last: it names what is
whole and belongs together. Without a tuner nothing is saved, and reports are printed.
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
from hpo.store.replacing import sync, write_atomically

_NAME = "saved.json"


@dataclass(frozen=True)
class Saved:
    """What a training goes on from."""

    path: Path
    """The file or folder of the library."""
    metrics: Mapping[str, Any]
    """What was reported with it."""
    generators: dict[str, Any]
    """The states of the random number generators, see `generators.states`."""


def find() -> Saved | None:
    """What was saved last, or None where there is none.

    Raises:
        ValueError: it is damaged. It is never silently ignored: training from scratch under a resumed trial would falsify
            the experiment.
    """
    folder = directory()
    if folder is None or not (folder / _NAME).exists():
        return None
    try:
        content = json.loads((folder / _NAME).read_bytes())
        saved = Saved(folder / content["name"], content["metrics"], content["generators"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder / _NAME}: is damaged ({type(error).__name__}: {error})") from error
    if not saved.path.exists():
        raise ValueError(f"{folder / _NAME}: is damaged: it names {saved.path.name}, which is not there")
    return saved


def resume() -> Saved | None:
    """What was saved last, with the random number generators as they were and its metrics reported again; or None.

    A trial may have been ended after it had saved and before it had reported; what the tuner knows already it drops.

    Raises:
        ValueError: as `find`.
    """
    saved = find()
    if saved is not None:
        generators.restore(saved.generators)
        if first_process():
            reporting.report(saved.metrics)
    return saved


def place(name: str) -> Path | None:
    """Where a library shall write its checkpoint, or None without a tuner.

    Args:
        name: new each time, by a number in it: `epoch-3.ckpt`. Those that differ in it alone replace each other.
    """
    folder = directory()
    if folder is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    last = find()
    if last is not None and last.path.name == name:  # trained again; the one that is whole stays until then
        stem, dot, suffix = name.partition(".")
        name = f"{stem}-again{dot}{suffix}"
    return folder / name


def save_and_report(name: str, write: Callable[[str], object], metrics: Mapping[str, Any]) -> None:
    """Have a library write its checkpoint, then report.

    Args:
        name: of the checkpoint, as in `place`.
        write: given the path where to.
        metrics: to be reported.
    """
    path = place(name)
    if path is not None:
        write(str(path))
    report_saved(path, metrics)


def report_saved(path: Path | None, metrics: Mapping[str, Any], keep: Collection[Path] = ()) -> None:
    """Make what was written the checkpoint to go on from, remove the one before, then report.

    Args:
        path: what `place` has given, and is written.
        metrics: to be reported.
        keep: earlier ones that are still needed.

    Raises:
        TypeError: a metric cannot be reported.
    """
    if path is not None:
        for written in (path, *path.rglob("*")):
            sync(written)
        known = json.loads(reporting.encode(dict(metrics)))
        content = {"name": path.name, "metrics": known, "generators": generators.states()}
        write_atomically(path.parent / _NAME, json.dumps(content).encode())
        sync(path.parent)
        _remove_others(path, keep)
    reporting.report(metrics)


def _remove_others(path: Path, keep: Collection[Path]) -> None:
    """Checkpoints whose names differ in the number alone, and what a killed attempt has left of one."""
    for other in path.parent.glob(re.sub(r"\d+(-again)?", "*", path.name, count=1)):
        if other != path and other not in keep:
            if other.is_dir():
                shutil.rmtree(other)
            else:
                other.unlink()


def scalars(values: Mapping[str, Any]) -> dict[str, float]:
    """Those that are one number, of Python, NumPy or a tensor; under the names that they have."""
    found = {}
    for name, value in values.items():
        item = getattr(value, "item", None)
        with contextlib.suppress(ValueError, RuntimeError):  # more than one element
            value = item() if item is not None else value
        if isinstance(value, int | float):
            found[name] = value
    return found


def first_process() -> bool:
    """Is this the process that reports, of those of a distributed training? By what torchrun and its kind set."""
    return os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"
