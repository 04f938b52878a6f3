"""Short-lived files of a session: what nodes look for in the experiment's directory, and the folder of a cluster of its own."""

import contextlib
import hashlib
import os
import secrets
import shutil
import tempfile
from pathlib import Path

_LONGEST = 40
"""Bytes: Ray puts sockets 62 bytes deeper, and the kernel takes 107."""


def leave_nonce(directory: Path) -> str:
    """The name of a new file in the experiment's directory: a node that sees it sees the directory.

    Raises:
        OSError: it cannot be written.
    """
    for old in directory.glob(".shared-*"):
        old.unlink(missing_ok=True)
    nonce = f".shared-{secrets.token_hex(8)}"
    (directory / nonce).touch()
    return nonce


def folder_of_cluster(directory: Path) -> Path:
    """A folder for the cluster of this process for an experiment. Those of processes that are gone are removed."""
    digest = hashlib.blake2b(f"{os.getuid()} {directory.resolve()}".encode("utf-8", "surrogateescape"), digest_size=4)
    base = Path(tempfile.gettempdir())
    base = base if len(os.fsencode(base)) + 25 <= _LONGEST else Path("/tmp")
    for old in base.glob(f"hpo-{digest.hexdigest()}-*"):
        with contextlib.suppress(OSError):
            if not Path(f"/proc/{old.name.rpartition('-')[2]}").exists():
                shutil.rmtree(old)
    return base / f"hpo-{digest.hexdigest()}-{os.getpid()}"
