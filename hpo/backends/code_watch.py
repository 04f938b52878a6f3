"""A watch over the code that attempts run, checked before each of them; a file is read again only if it has changed."""

import hashlib
import os
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hpo.backends.executables import files_beside
from hpo.events.code import is_source
from hpo.host.child import is_settled, signature_of


class _Read(NamedTuple):
    """A file's state at the time it was read."""

    signature: tuple[int, ...] | None
    digest: str | None
    """Digest of the content; None if the file cannot be read."""
    settled: bool
    """Whether any later change of the file would change its signature."""


class CodeWatch:
    """A watch over a script and the sources beside it.

    Args:
        script: The program's file.
        tracked: Names of files under version control in its folder, relative to it.
        facts: Further facts that are recorded with the code.
    """

    def __init__(self, script: Path, tracked: Collection[str] = (), facts: Mapping[str, Any] | None = None) -> None:
        self.script = script
        self._tracked = frozenset(tracked)
        self._facts = dict(facts or {})
        self._read = {str(script): _read(str(script))}
        self.touched: list[tuple[str, bool]] = []
        """Name of each file that was found rewritten or replaced, and whether its content had changed."""
        files = files_beside(script.parent)
        self._whole = files is not None
        digests = {self._name(path): self._digest(path) for path in map(str, files or ())}
        sources = {name: digest for name, digest in digests.items() if is_source(name, script.name, self._tracked)}
        self._read = {path: read for path, read in self._read.items() if self._name(path) in {script.name, *sources}}
        whole = hashlib.blake2b(repr(sorted(digests.items())).encode(), digest_size=8).hexdigest()
        self.code = self._described(sources if self._whole else None, whole if self._whole else None)
        """Version of the code at the last look: a new object for each change."""

    def look(self) -> Mapping[str, Any]:
        """Look at the files and return the version of the code that is there now."""
        try:
            touched = [path for path, read in self._read.items() if not read.settled or _differs(read, os.stat(path))]  # noqa: PTH116
        except OSError:  # one is gone
            touched = [
                path for path, read in self._read.items() if not read.settled or read.signature != _signature(path)
            ]
        changed = False
        for path in touched:
            old, new = self._read[path], _read(path)
            self._read[path] = new
            if (old.signature, old.digest) != (new.signature, new.digest):
                self.touched.append((self._name(path), old.digest != new.digest))
            changed = changed or old.digest != new.digest
        if changed:
            self.code = self._described(self._sources() if self._whole else None, None)
        return self.code

    @property
    def script_signature(self) -> tuple[int, ...] | None:
        """Return a signature that identifies the script's content at the last look."""
        return self._read[str(self.script)].signature

    def _sources(self) -> dict[str, str | None]:
        """Return digests by file name, new files included. If the folder has grown too large, only known files are read."""
        found = map(str, files_beside(self.script.parent) or ())
        new = [path for path in found if is_source(self._name(path), self.script.name, self._tracked)]
        for path in new:
            self._digest(path)
        there = sorted((self._name(path), read.digest) for path, read in self._read.items())
        return {name: digest for name, digest in there if digest is not None}

    def _described(self, sources: Mapping[str, str | None] | None, whole: str | None) -> dict[str, Any]:
        tracked = [name for name in sources or () if name in self._tracked and not is_source(name, self.script.name)]
        return {
            "script": str(self.script),
            "digest": self._read[str(self.script)].digest,
            "sources": sources,
            "all": whole,
            "tracked": tracked,
            **self._facts,
        }

    def _digest(self, path: str) -> str | None:
        if path not in self._read:
            self._read[path] = _read(path)
        return self._read[path].digest

    def _name(self, path: str) -> str:
        return os.path.relpath(path, self.script.parent) if path != str(self.script) else self.script.name


def _read(path: str) -> _Read:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  a thousand files may be read
            status = os.fstat(file.fileno())
            digest = hashlib.blake2b(file.read(), digest_size=8).hexdigest()
    except OSError:
        return _Read(None, None, True)
    return _Read(signature_of(status), digest, is_settled(status, time.time_ns()))


def _differs(read: _Read, status: os.stat_result) -> bool:
    """Whether a file was changed or replaced, judged by the change time, which only the kernel sets."""
    signature = read.signature
    return signature is None or signature[1] != status.st_ctime_ns or signature[3] != status.st_ino


def _signature(path: str) -> tuple[int, ...] | None:
    try:
        return signature_of(os.stat(path))  # noqa: PTH116
    except OSError:
        return None
