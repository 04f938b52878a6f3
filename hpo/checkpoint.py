"""Checkpoints of a training script: written atomically, read back on resume. torch is imported when first needed.

A trial that was paused, interrupted or killed restarts with the same checkpoint directory (`HPO_CHECKPOINT_DIR`).
Without a tuner there is no such directory: `save` does nothing and `load` returns None.

In every epoch save first, then report. A kill between the two loses the report: keep the metrics in the state and
report them again after `load`; the tuner drops reports that it already has.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.reporting import is_first_process
from hpo.store.atomic_files import remove_leftovers, replacing, sync

CHECKPOINT_DIR = "HPO_CHECKPOINT_DIR"


def directory() -> Path | None:
    """Return the trial's checkpoint directory, or None if the script runs without a tuner."""
    path = os.environ.get(CHECKPOINT_DIR)
    return Path(path) if path else None


def save(state: Mapping[str, Any], name: str = "checkpoint.pt") -> None:
    """Save `state` (tensors, state dicts, plain values) atomically: a reader sees the old file or the new one, complete.

    Of the processes of a trial only that of rank 0 writes; it returns in the others at once.

    Args:
        state: State that `load` will return.
        name: File name inside the checkpoint directory.

    Raises:
        OSError: The file cannot be written; the previous checkpoint is untouched.
    """
    folder = directory()
    if folder is None or not is_first_process():
        return
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / name) as temporary, temporary.open("wb") as file:
        torch.save(dict(state), file)
        file.flush()
        os.fsync(file.fileno())
    sync(folder)  # the rename itself reaches the disk before the report that follows


def load(name: str = "checkpoint.pt", map_location: Any = "cpu") -> dict[str, Any] | None:
    """Return the last saved state, or None if there is none. Only tensors and plain values are loaded, never code.

    Args:
        name: File name inside the checkpoint directory.
        map_location: Device for the tensors, as in `torch.load`.

    Raises:
        ValueError: The file exists but is damaged. It is never silently ignored, because training from scratch in a
            resumed trial would falsify the experiment.
    """
    folder = directory()
    if folder is None:
        return None
    if is_first_process():  # what is left over may be what rank 0 writes at this moment
        remove_leftovers(folder / name)
    if not (folder / name).exists():
        return None
    import torch

    try:
        state: dict[str, Any] = torch.load(folder / name, map_location=map_location, weights_only=True)
    except Exception as error:  # torch raises nearly anything, depending on where the damage is
        raise ValueError(f"{folder / name}: is damaged ({type(error).__name__}: {error})") from error
    return state
