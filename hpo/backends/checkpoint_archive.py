"""The archive of a trial's checkpoint: all its files of one moment, its metadata, and the database that knows of it.

checkpoint/…     the files
meta.json        when the trial was started, and the resource it had reached
events.db.gz     the experiment's database as it was just after
"""

import contextlib
import gzip
import hashlib
import json
import shutil
import tarfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

CHECKPOINT = "checkpoint.tar"
TICK = 0.02
"""Seconds that exceed the resolution of a file system's times."""
SETTLED = 1.0
CUT = 0.5
"""Seconds after which a file that looks empty is taken to be empty.

A file that is being rewritten may be seen empty with the time of its old content: ext4 updates the size before the time,
on a busy disk 0.1 s before.
"""
_META, _DATABASE = "meta.json", "events.db.gz"

Stamps = dict[str, tuple[int, int]]
"""Sizes and times of files, by name."""


def stamps(folder: Path) -> Stamps:
    """Return the sizes and times of a checkpoint folder's files, except temporary ones that will be renamed (`.tmp`)."""
    found = {}
    for path in sorted(folder.rglob("*")):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file() and not path.name.endswith(".tmp"):
                status = path.stat()
                found[str(path.relative_to(folder))] = status.st_size, status.st_mtime_ns
    return found


def pack(folder: Path, names: Stamps, archive: Path) -> bool:
    """Write the files into a new archive. Returns whether they stayed unchanged meanwhile.

    Raises:
        OSError: Writing failed for another reason than a change of the files, such as a full disk.
    """
    try:
        with tarfile.open(archive, "w", dereference=True) as target:
            for name in names:
                target.add(folder / name, f"checkpoint/{name}")
    except OSError:
        if stamps(folder) == names:
            raise
    return stamps(folder) == names


def pack_whole(folder: Path, archive: Path, *, known: Stamps, reports: Iterable[Path], final: bool) -> Stamps | None:
    """Write a checkpoint that no script is just writing into a new archive.

    Args:
        folder: Folder of the checkpoint.
        archive: Archive to write.
        known: Files of the last archive.
        reports: Files that the trial's reports go to.
        final: Whether the trial no longer runs.

    Returns:
        The files of the archive, empty if the folder has become empty; None if nothing is new, or not complete.

    Raises:
        OSError: The archive cannot be written.
    """
    for _ in range(3):
        before = stamps(folder)
        if before == known:
            return None
        if not before:
            return before
        whole = final or _is_whole(max(stamp[1] for stamp in before.values()), reports)
        if whole and pack(folder, before, archive) and (final or _stays(folder, before, known)):
            return before
        time.sleep(TICK)
    return None


def _is_whole(written: int, reports: Iterable[Path]) -> bool:
    """Whether a checkpoint last written at `written` is complete. Scripts save, then report; others pause for a second."""
    age = time.time() - written / 1e9
    if age < TICK:
        return False
    return age > SETTLED or written <= max((path.stat().st_mtime_ns for path in reports), default=0)


def _stays(folder: Path, before: Stamps, known: Stamps) -> bool:
    """Whether newly empty files are meant to be empty; see `CUT`. A file that is being rewritten soon has another time."""
    if all(size > 0 or known.get(name) == (size, changed) for name, (size, changed) in before.items()):
        return True
    time.sleep(CUT)
    return stamps(folder) == before


def digest_of(archive: Path) -> str:
    """Return a digest of an archive's content, by which damage to a stored copy is noticed."""
    with archive.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def seal(archive: Path, meta: Mapping[str, Any], database: Path) -> None:
    """Add metadata and the database to an archive. Compression level 1: the database is small and this is done often."""
    for name, data in ((_META, json.dumps(meta).encode()), (_DATABASE, gzip.compress(database.read_bytes(), 1))):
        temporary = archive.with_name(f"{archive.name}.{name}")
        temporary.write_bytes(data)
        with tarfile.open(archive, "a") as target:
            target.add(temporary, name)
        temporary.unlink()


def unseal(archive: Path, database: Path) -> dict[str, Any]:
    """Return the metadata that `seal` added, and write the database to a file.

    Raises:
        OSError, EOFError, KeyError, ValueError, tarfile.TarError: The archive is damaged.
    """
    with tarfile.open(archive, "r:") as source:
        meta, packed = source.extractfile(_META), source.extractfile(_DATABASE)
        if meta is None or packed is None:
            raise ValueError("it was never sealed")
        database.write_bytes(gzip.decompress(packed.read()))
        content = json.loads(meta.read())
    if not isinstance(content, dict):
        raise ValueError("it has no description")
    return content


def unpack(archive: Path, folder: Path) -> None:
    """Extract the files into the checkpoint's folder, and nothing else.

    Raises:
        OSError, tarfile.TarError: The archive cannot be read, or the files not written.
    """
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(
        archive, "r:"
    ) as source:  # never compressed; if tarfile guessed, its error would have a line per format
        members = [member for member in source.getmembers() if member.name.startswith("checkpoint/")]
        source.extractall(folder.parent, members, filter="data")
