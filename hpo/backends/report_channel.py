"""The report channel: a file that a trial appends to, with one JSON object per line, read from the last position on.

JSON has no notation for the values of a diverged training, and few programs outside Python write numbers as it requires.
If a line is not JSON, bare numbers such as `-nan`, `+Infinity`, `1.#QNAN`, `.5` and `1.0D-03` are therefore accepted.
"""

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hpo.events.types import BackendEvent, Garbage, Report
from hpo.host.number_format import spelled

PREFIX = b"[tune-metric]: "
"""Prefix of Syne Tune's reports on standard output."""
LONGEST_LINE = 1 << 20
DEEPEST = 100
"""Largest nesting depth of a report.

The depth that Python's parser reaches depends on the depth of its own stack: a report near that limit might not be
stored a few calls further down, or not be read back by another program.
"""

_WORD = re.compile(r'"(?:[^"\\]|\\.)*+"?|[^\s",:\[\]{}]+')
"""Pattern of a JSON string, or of a word outside all strings."""
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?(e[-+]?\d+)?", re.ASCII | re.IGNORECASE)


class Channel:
    """A reader of an attempt's report file. Bytes that are not UTF-8 are replaced, never an error.

    Args:
        path: Report file; it must exist.
        trial_id: Number of the trial, for the events.
        attempt: Number of the attempt, for the events.
        position: Byte to start at.
        prefixed: Whether only lines that begin with Syne Tune's `[tune-metric]: ` are reports, the others plain output.
    """

    def __init__(self, path: Path, trial_id: int, attempt: int, position: int = 0, *, prefixed: bool = False) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._trial_id = trial_id
        self._attempt = attempt
        self._prefixed = prefixed
        self._rest = b""
        self._skipping = False  # inside a line longer than any report
        self.position = position

    def read(self) -> list[BackendEvent]:
        """Return the events in the complete lines since the last call. An incomplete line stays for the next call."""
        events: list[BackendEvent] = []
        while data := os.pread(self._file, 1 << 20, self.position + len(self._rest)):
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self.position += len(line) + 1
                if self._skipping:
                    self._skipping = False
                else:
                    events += self._parse(line)
            if len(self._rest) > LONGEST_LINE:
                if not self._skipping and not self._prefixed:
                    events.append(Garbage(self._trial_id, self._attempt, _excerpt(self._rest)))
                self.position += len(self._rest)
                self._rest, self._skipping = b"", True
        return events

    def finish(self) -> list[BackendEvent]:
        """Read to the end and close the file; an incomplete last line counts as garbage."""
        events = self.read()
        if self._rest and not self._prefixed:
            events.append(Garbage(self._trial_id, self._attempt, _excerpt(self._rest)))
        os.close(self._file)
        return events

    def _parse(self, line: bytes) -> list[BackendEvent]:
        if self._prefixed:
            start = line.find(PREFIX)
            if start < 0:
                return []
            line = line[start + len(PREFIX) :]
        if not line.strip():
            return []
        try:
            metrics = _object(line.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            metrics = None
        if not isinstance(metrics, dict) or (line.count(b"[") + line.count(b"{") > DEEPEST and _is_too_deep(metrics)):
            return [Garbage(self._trial_id, self._attempt, _excerpt(line))]
        return [Report(self._trial_id, self._attempt, metrics, self.position)]


def resource_at(path: Path, position: int, resource_attr: str | None) -> int:
    """Return the resource that an attempt had reported when its file had `position` bytes; 0 if it had reported none.

    Args:
        path: Report file without other output between the reports.
        position: Number of bytes.
        resource_attr: Name of the resource.
    """
    reports = Channel(path, 0, 0).finish() if position and path.is_file() else ()
    told = [
        one.metrics.get(str(resource_attr)) for one in reports if isinstance(one, Report) and one.position <= position
    ]
    return max((int(value) for value in told if isinstance(value, int | float)), default=0)


def _object(line: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        if not line.lstrip().startswith("{"):
            raise
    return json.loads(_WORD.sub(_as_json, line))


def _as_json(word: re.Match[str]) -> str:
    """Return a bare number in Python's dialect of JSON, and any other word unchanged."""
    text = word[0]
    if text.startswith('"') or _NUMBER.fullmatch(text):
        return text
    number = spelled(text)
    return text if number is None else json.dumps(number)


def _is_too_deep(metrics: dict[str, Any]) -> bool:
    level: list[Any] = [metrics]
    for _ in range(DEEPEST):
        level = [item for value in level for item in _inside(value)]
        if not level:
            return False
    return any(isinstance(value, dict | list) for value in level)


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _excerpt(line: bytes) -> str:
    text = line[:200].decode("utf-8", "replace")
    return text + " …" if len(line) > 200 else text
