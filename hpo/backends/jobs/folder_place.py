"""An object place on a file system that all machines of a cluster share.

    live/0-0-ab/begun    is the file    live/0-0-ab+begun

The first part of a key is one folder without subfolders, so that one listing shows what all attempts have written.
"""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from hpo.backends.jobs.protocols import StoredObject

_SLASH = "+"
"""Replacement for a slash in file names; no key contains it."""
_UNFINISHED = ".tmp-"


class FolderPlace:
    """An object place in a folder; see `ObjectPlace`.

    Args:
        root: Folder, which need not exist yet.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, key: str) -> Path:
        """Return the file of an object."""
        folder, _, name = key.partition("/")
        return self._root / folder / name.replace("/", _SLASH)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """See `ObjectPlace.list`."""
        folder, _, start = prefix.partition("/")
        start = start.replace("/", _SLASH)
        try:
            self._refresh(self._root / folder)
            entries = list(os.scandir(self._root / folder))
        except FileNotFoundError:
            return
        for entry in entries:
            if entry.name.startswith(start) and not entry.name.startswith(_UNFINISHED):
                with contextlib.suppress(FileNotFoundError):  # removed since
                    status = entry.stat()
                    key = f"{folder}/{entry.name.replace(_SLASH, '/')}"
                    yield StoredObject(key, status.st_size, status.st_mtime)

    @staticmethod
    def _refresh(folder: Path) -> None:
        """Make NFS read the folder again: a client drops its cached listing of a folder that it changes itself."""
        probe = folder / f"{_UNFINISHED}{os.getpid()}-{secrets.token_hex(4)}"
        probe.touch()
        probe.unlink()

    def read(self, key: str) -> bytes:
        """See `ObjectPlace.read`."""
        return self.path(key).read_bytes()

    def download(self, key: str, target: Path) -> None:
        """See `ObjectPlace.download`."""
        shutil.copyfile(self.path(key), target)

    def write(self, key: str, content: bytes | Path) -> None:
        """See `ObjectPlace.write`."""
        with self._unfinished(key, content) as made:
            made.replace(self.path(key))

    def create(self, key: str, content: bytes) -> bool:
        """Write an object unless it exists; if several machines try, one succeeds. Returns whether this one did."""
        with self._unfinished(key, content) as made:
            try:
                os.link(made, self.path(key))  # atomic on NFS, too
            except FileExistsError:
                return False
            except PermissionError:  # a file system without links
                return self._create_without_link(key, content)
        return True

    def _create_without_link(self, key: str, content: bytes) -> bool:
        try:
            with self.path(key).open("xb") as file:
                file.write(content)
        except FileExistsError:
            return False
        return True

    @contextlib.contextmanager
    def _unfinished(self, key: str, content: bytes | Path) -> Iterator[Path]:
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_name(f"{_UNFINISHED}{os.getpid()}-{secrets.token_hex(4)}")
        try:
            if isinstance(content, Path):
                shutil.copyfile(content, made)
            else:
                made.write_bytes(content)
            yield made
        finally:
            made.unlink(missing_ok=True)

    def remove(self, keys: Sequence[str]) -> None:
        """See `ObjectPlace.remove`."""
        for key in keys:
            self.path(key).unlink(missing_ok=True)
