"""Copies of folders that are there whole or not at all, whatever kills the writer."""

import os
import shutil
from pathlib import Path

from hpo.store.atomic_files import sync
from hpo.store.disk_space import FREE, disk_error_as_sentence


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder that nobody writes to. When this returns the copy is on the disk, with its name.

    Links to something inside the folder lead to the same place in the copy; others lead where they led.

    Args:
        source: what to copy.
        target: the copy, whose parent is made where it is not there; it must not exist.

    Raises:
        StoreError: it could not be written; there is nothing at `target`.
    """
    passing = target.with_name(f".{target.name}.copying")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(passing, ignore_errors=True)  # of a writer that was killed
        _copy(source, passing, source.resolve())
        passing.rename(target)
        sync(target.parent)
        sync(target.parent.parent)
    except OSError as error:
        shutil.rmtree(passing, ignore_errors=True)
        raise disk_error_as_sentence(
            target, f"the checkpoint in {source} could not be copied ({error})", FREE
        ) from error


def _copy(folder: Path, copy: Path, top: Path) -> None:
    copy.mkdir()
    with os.scandir(folder) as entries:
        for entry in entries:
            place, target = Path(entry.path), copy / entry.name
            if entry.is_symlink():
                target.symlink_to(_link(place, top))
            elif entry.is_dir():
                _copy(place, target, top)
            elif entry.is_file():  # no sockets, no pipes
                shutil.copy2(place, target)
                sync(target)
    shutil.copystat(folder, copy)
    sync(copy)


def _link(link: Path, top: Path) -> str:
    """Where the copy of a link leads."""
    written, leads = os.readlink(link), link.resolve()  # noqa: PTH115  as it is written
    if leads.is_relative_to(top):
        return os.path.relpath(leads, link.parent.resolve())
    return written if os.path.isabs(written) else str(leads)  # noqa: PTH117
