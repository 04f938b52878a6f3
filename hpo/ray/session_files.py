"""Temporary files of a session: those that nodes look for in the experiment's directory, and the folder of a cluster."""

import contextlib
import hashlib
import os
import secrets
import shutil
import tempfile
from pathlib import Path

_LONGEST = 40
"""Longest path in bytes: Ray puts sockets 62 bytes deeper, and the kernel accepts 107."""


class SessionFiles:
    """The temporary files of one session. Files that killed sessions have left are removed.

    Args:
        directory: The experiment's directory.

    Raises:
        OSError: The directory cannot be written to.
    """

    def __init__(self, directory: Path) -> None:
        for old in directory.glob(".shared-*"):
            old.unlink(missing_ok=True)
        self._nonce = directory / f".shared-{secrets.token_hex(8)}"
        self._nonce.touch()
        self.cluster = _folder_of_cluster(directory)
        """Folder for a cluster on this machine."""

    @property
    def nonce(self) -> str:
        """Name of a file in the experiment's directory: a node that sees the file shares the directory."""
        return self._nonce.name

    @property
    def code(self) -> Path:
        """Archive of code for nodes that do not share the directory."""
        return self._nonce.with_name(f"{self._nonce.name}-code")

    def remove(self) -> None:
        """Remove the files at the end of the session."""
        self.code.unlink(missing_ok=True)
        self._nonce.unlink(missing_ok=True)
        shutil.rmtree(self.cluster, ignore_errors=True)


def _folder_of_cluster(directory: Path) -> Path:
    place = f"{os.getuid()} {directory.resolve()}".encode("utf-8", "surrogateescape")
    name = f"hpo-{hashlib.blake2b(place, digest_size=4).hexdigest()}-"
    base = Path(tempfile.gettempdir())
    if len(os.fsencode(base / name)) + len(str(os.getpid())) > _LONGEST:
        base = Path("/tmp")
    for old in base.glob(f"{name}*"):
        with contextlib.suppress(OSError):
            if not Path(f"/proc/{old.name.rpartition('-')[2]}").exists():
                shutil.rmtree(old)
    return base / f"{name}{os.getpid()}"
