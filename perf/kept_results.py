"""Results of simulated experiments in a file, one JSON object per line, appended as they come.

A result says what it is of: a hash of the method's YAML, of its decisions in tests/golden (which change when the method
does), and of the task's space and scale. Only results of what is there today are read; the others stay in the file.
"""

import fcntl
import hashlib
import json
import lzma
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

from search_tasks import task_of

from hpo.config.reading import content_of

DECISIONS = Path(__file__).parents[1] / "tests" / "golden" / "decisions.json.xz"


class Cell(NamedTuple):
    """What a result is of."""

    method: str
    task: str
    workers: int
    seed: int


@dataclass(frozen=True)
class Result:
    """What came of an experiment: regret in each range, CPU milliseconds of suggestions per trial, CPU seconds of all."""

    regrets: tuple[float, ...]
    milliseconds: float
    trials: int
    seconds: float


@cache
def recorded_decisions() -> dict[str, Any]:
    """All that is recorded, by `BENCHMARK METHOD SEED`."""
    decisions: dict[str, Any] = json.loads(lzma.decompress(DECISIONS.read_bytes()))
    return decisions


def digest(*values: Any) -> str:
    """Of values that JSON has."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:12]


@cache
def mark_of_method(method: str) -> str:
    """Another one once it is another method."""
    decisions = {key: value for key, value in recorded_decisions().items() if key.split()[1] == method}
    if not decisions:
        print(f"{method}: no decisions are recorded, so only its YAML tells whether it has changed", file=sys.stderr)
    return digest(content_of("method", method), decisions)


@cache
def mark_of_task(name: str) -> str:
    """Another one once it is another task."""
    task = task_of(name)
    return digest(task.space, task.max_resource, task.best, task.median, task.full)


def marks_of(methods: Sequence[str], tasks: Sequence[str]) -> dict[tuple[str, str], str]:
    """What results of these methods on these tables must be of."""
    return {(m, t): f"{mark_of_method(m)}-{mark_of_task(t)}" for m in methods for t in tasks}


class Kept:
    """The results in a file that are of the methods and tasks of today."""

    def __init__(self, file: IO[str], marks: dict[tuple[str, str], str]) -> None:
        """Read what is there.

        Args:
            file: open for reading and appending.
            marks: by method and task, what a result must be of.
        """
        self._file, self._marks = file, marks
        self._results: dict[Cell, Result] = {}
        for line in file:
            if not line.endswith("\n"):
                break  # of a command that was killed, or is writing it just now
            row = json.loads(line)
            cell = Cell(*row["cell"])
            if marks.get((cell.method, cell.task)) == row["of"]:
                self._results[cell] = Result(tuple(row["regrets"]), row["milliseconds"], row["trials"], row["seconds"])

    @classmethod
    @contextmanager
    def at(cls, path: Path, marks: dict[tuple[str, str], str], *, alone: bool) -> Iterator[Self]:
        """Open the file, for one command alone if it is to add to it; marks as of the class."""
        with path.open("a+", encoding="utf-8") as file:
            if alone:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    sys.exit(f"{path}: another command adds to it; wait for its end, or give --show or another --kept")
                file.truncate(path.read_bytes().rfind(b"\n") + 1)  # the end of a line that was never finished
            file.seek(0)
            yield cls(file, marks)

    def add(self, cell: Cell, result: Result) -> None:
        """Keep one."""
        mark = self._marks[cell.method, cell.task]
        self._file.write(json.dumps({"cell": cell, "of": mark, **asdict(result)}) + "\n")
        self._file.flush()
        self._results[cell] = result

    def get(self, cell: Cell) -> Result | None:
        """What came of it, if it is known."""
        return self._results.get(cell)

    def __getitem__(self, cell: Cell) -> Result:
        return self._results[cell]

    def __contains__(self, cell: Cell) -> bool:
        return cell in self._results

    def __iter__(self) -> Iterator[tuple[Cell, Result]]:
        return iter(self._results.items())
