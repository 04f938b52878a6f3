"""Checkpoints of a training script: written atomically, read back on resume. torch is imported when first needed.

A trial that was paused, interrupted or killed starts again in the same checkpoint directory (`HPO_CHECKPOINT_DIR`).
Without a tuner there is no such directory: `save` does nothing and `load` finds nothing.

In every epoch save first, then report. A kill between the two loses the report: keep the metrics in the state and report
them again after `load`; what the tuner knows already it drops.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.store.replacing import remove_leftovers, replacing, sync

CHECKPOINT_DIR = "HPO_CHECKPOINT_DIR"


def directory() -> Path | None:
    """The trial's checkpoint directory, or None when the script runs by hand."""
    path = os.environ.get(CHECKPOINT_DIR)
    return Path(path) if path else None


def save(state: Mapping[str, Any], name: str = "checkpoint.pt") -> None:
    """Write `state` (tensors, state dicts, plain values) so that a reader sees the old file or the new one, whole.

    Args:
        state: what `load` shall return.
        name: file name inside the checkpoint directory.

    Raises:
        OSError: the file cannot be written; the previous checkpoint is untouched.
    """
    folder = directory()
    if folder is None:
        return
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / name) as temporary, temporary.open("wb") as file:
        torch.save(dict(state), file)
        file.flush()
        os.fsync(file.fileno())
    sync(folder)  # the rename itself reaches the disk before the report that follows


def load(name: str = "checkpoint.pt", map_location: Any = "cpu") -> dict[str, Any] | None:
    """The last state saved, or None where there is none. Only tensors and plain values are read, never code.

    Args:
        name: file name inside the checkpoint directory.
        map_location: device for the tensors, as in `torch.load`.

    Raises:
        ValueError: the file is there but damaged. It is never silently ignored: training from scratch under a resumed
            trial would falsify the experiment.
    """
    folder = directory()
    if folder is None:
        return None
    remove_leftovers(folder / name)
    if not (folder / name).exists():
        return None
    import torch

    try:
        state: dict[str, Any] = torch.load(folder / name, map_location=map_location, weights_only=True)
    except Exception as error:  # torch raises nearly anything, depending on where the damage is
        raise ValueError(f"{folder / name}: is damaged ({type(error).__name__}: {error})") from error
    return state
