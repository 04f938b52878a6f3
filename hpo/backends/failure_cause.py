"""The cause of a failed attempt, from its last output and the kernel: out of memory, out of disk, its own fault."""

import errno
import logging
import os
import re
import signal
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from hpo.errors import BackendError
from hpo.events.types import Exit
from hpo.store.directory import log_of_attempt
from hpo.store.disk_space import FREE, LEAST, LITTLE, disk_error_as_sentence, free_bytes, gone_as_sentence
from hpo.store.experiment_paths import from_here

_OF_LAUNCHER = re.compile(
    r"^(\[rank\d+\]:\s*)?\[?[IWEF]\d{4} [\d:.]+ .*(torch/distributed/|ProcessGroup)|"  # E1202 23:47:24.768000 9947 torch/…
    r"^(WARNING|ERROR|INFO):torch\.distributed\.|^\[[\d\-:, ]+\] torch\.distributed\.|"
    r"^\[[\d\-:, ]+\] \[\w+\] \[(launch|runner)\.py:\d+|"  # DeepSpeed
    r"^Set the environment variable HYDRA_FULL_ERROR=1 for a complete stack trace\.$|^See https://hydra\.cc/|"
    r"^(srun|slurmstepd|prterun|prun): |^ERROR conda\.cli\.main_run|^make(\[\d+\])?: \*\*\* "
)
"""Pattern of a line that the launcher itself has written."""
_SUMMARY = re.compile(
    r"^[-=]{20,}\n(=\s+BAD TERMINATION|Primary job\s|mpirun (detected|noticed)|prterun (detected|noticed)|MPI_ABORT was)",
    re.MULTILINE,
)
"""Pattern of the beginning of an MPI launcher's closing summary."""
_RAISED = re.compile(r"^[\w.]*ChildFailedError:|^subprocess\.CalledProcessError:")
_IN_LAUNCHER = re.compile(r'^ *File ".*/(accelerate/commands|torch/distributed|deepspeed/launcher)/', re.MULTILINE)
_ROOT_CAUSE = re.compile(r"^Root Cause .*\n(?:.*\n)*? *rank +: (\d+) .*\n *exitcode +: (-?\d+) ", re.MULTILINE)
_PREFIX = re.compile(r"^\[(?:rank|default|\d+,)?(\d+)\](?:<std\w+>)?: ?")
"""Pattern of the prefix that launchers, and torch itself, put before the lines of a process."""
_HEAD = "Traceback (most recent call last):"


def without_launcher(log: str) -> str:
    """Return the log as the program's own processes wrote it, ending with the error of the one that failed first.

    Args:
        log: End of standard error.

    Returns:
        The log itself if no launcher has written into it, or if the launcher has written all of it.
    """
    lines = log.splitlines()
    kept = [line for line in lines if not _OF_LAUNCHER.search(line)]
    text = "\n".join(kept)
    end = _end_of_program(kept)
    if end is None and len(kept) == len(lines):
        return log
    processes = kept[:end]
    root = _ROOT_CAUSE.search(text)
    own = [line for line in processes if root and (found := _PREFIX.match(line)) and found[1] == root[1]]
    if root and not own and int(root[2]) < 0:  # what others say is its consequence
        processes = [line for line in processes if not _PREFIX.match(line)]
        return "\n".join([*processes, f"rank {root[1]} was ended by signal {-int(root[2])}"])
    plain = [_PREFIX.sub("", line) for line in own or processes]
    return "\n".join(plain[: _end_of_error(plain)]).rstrip() or log


def _end_of_program(lines: list[str]) -> int | None:
    """Return the index of the line at which the launcher's closing words begin; None if there are none."""
    if (summary := _SUMMARY.search(text := "\n".join(lines))) is not None:
        return text.count("\n", 0, summary.start())
    heads = [number for number, line in enumerate(lines) if line.startswith(_HEAD)]
    for head, following in pairwise([*heads, len(lines)]):
        traceback = lines[head:following]
        if any(map(_RAISED.match, traceback)) and _IN_LAUNCHER.search("\n".join(traceback)):
            return head
    return None


def _end_of_error(lines: list[str]) -> int:
    """Return the index after the exception of the last traceback, or after the last line if there is no traceback."""
    head = max((number for number, line in enumerate(lines) if line.startswith(_HEAD)), default=None)
    if head is None:
        return len(lines)
    ends = (number + 1 for number, line in enumerate(lines) if number > head and line[:1].strip())
    return next(ends, len(lines))


log = logging.getLogger(__name__)

LINES = 20
"""Number of lines at the end of a log that are kept."""
_PACKAGE = Path(__file__).absolute().parents[1]
_NO_ROOM = tuple(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT))

_NO_MEMORY = re.compile(
    r"^(\w+\.)*_?(Array)?MemoryError\b|OutOfMemoryError\b|(CUDA|HIP|XPU|MPS)[\w ]*( error:)? out of memory|"
    r"CUBLAS_STATUS_ALLOC_FAILED|\bRESOURCE_EXHAUSTED\b|\bstd::bad_alloc\b|can't allocate memory|"
    r"^fatal error: .*out of memory",
    re.MULTILINE,
)
"""Out-of-memory messages of Python, NumPy, torch, JAX, TensorFlow, C++, Java and Go programs."""

_KILLED = re.compile(r"killed by signal: Killed|exit(ed with)? code -9|SIGKILL")
"""Messages of a program whose worker process was killed."""


def oom_kills() -> int:
    """Return how many processes the kernel has killed for lack of memory since it started; 0 if it does not count them."""
    try:
        with open("/proc/vmstat", "rb") as file:  # noqa: PTH123
            found = re.search(rb"^oom_kill (\d+)$", file.read(), re.MULTILINE)
    except OSError:
        return 0
    return int(found.group(1)) if found else 0


def ran_out_of_memory(number: int | None, error: str, kills_before: int) -> bool:
    """Whether an attempt ended because memory was used up, by its own message or by the kernel.

    Args:
        number: Signal that ended the attempt.
        error: End of its standard error.
        kills_before: Result of `oom_kills` when it began.
    """
    if _NO_MEMORY.search(error):
        return True
    return (number == signal.SIGKILL or _KILLED.search(error) is not None) and oom_kills() > kills_before


def check_disk(folder: Path, trial_id: int, error: str) -> None:
    """Raise BackendError if a trial ended for lack of disk space or of its folder, whatever its configuration.

    Raises:
        BackendError: The disk is full, or the folder is gone.
    """
    if not folder.is_dir():
        raise BackendError(str(gone_as_sentence(folder)))
    said = any(words in error for words in _NO_ROOM)
    # On a full disk the trial's last output cannot be written either.
    if free_bytes(folder) < (LITTLE if said else LEAST):
        what = f"trial {trial_id} could not write on, and resumes from its checkpoint once there is room"
        raise BackendError(str(disk_error_as_sentence(folder, what, FREE)))


def ending(
    *,
    trial_id: int,
    attempt: int,
    code: int | None,
    number: int | None,
    usage: Mapping[str, float],
    error: str | None,
    stderr: Path,
    kills_before: int,
    own: Sequence[Path],
    directory: Path,
) -> Exit:
    """Return the exit of an attempt, with the cause that its standard error shows.

    Args:
        trial_id: Number of the trial.
        attempt: Number of the attempt.
        code: Exit code of the process; None if a signal ended it.
        number: That signal.
        usage: Resource usage of the attempt.
        error: Why it could not be started.
        stderr: Log of its standard error.
        kills_before: Result of `oom_kills` when it began.
        own: Folders with the user's own code.
        directory: The experiment's directory.

    Raises:
        BackendError: The attempt ended because the disk is full.
    """
    where, said = None, error or ""
    deleted = error is None and not stderr.parent.is_dir()
    if deleted:
        check_disk(directory, trial_id, said)
        error = f"its folder {from_here(stderr.parent)} was deleted while it ran"
        log.warning("trial %d: %s, and it starts over; leave trials/ alone until hpo ends", trial_id, error)
    elif code != 0:
        where = (
            line_of_script(stderr, own) if code == 1 and error is None else None
        )  # 1: Python's exit code after an exception
        if error is None:
            said = last_lines(stderr)
            error = "\n".join(without_launcher(last_lines(stderr, _TRACEBACK, _TRACEBACK)).splitlines()[-LINES:])
        check_disk(directory, trial_id, f"{error}\n{said}")
    return Exit(
        trial_id=trial_id,
        attempt=attempt,
        exit_code=code,
        signal=number,
        lost=deleted or (code is None and number is None),  # its end was not seen
        error=error or None,
        where=where,
        log=log_of_attempt(stderr.parent),
        usage=usage,
        out_of_memory=code != 0 and ran_out_of_memory(number, f"{error or ''}\n{said}", kills_before),
    )


_FRAME = re.compile(r'^ *File "(.+?)", line (\d+)', re.MULTILINE)
_SYNTAX = re.compile(r"^(SyntaxError|IndentationError|TabError): ", re.MULTILINE)
_TRACEBACK = 200_000
"""Bytes at the end of a log that are searched for its last traceback, since libraries add many frames."""


def line_of_script(stderr: Path, own: Sequence[Path]) -> str | None:
    """Return the line of the user's own code that raised Python's last exception, such as `train.py:17`.

    Args:
        stderr: Log of standard error.
        own: Folders with the user's code; a file is named relative to the first folder that contains it.
    """
    text = without_launcher(last_lines(stderr, lines=_TRACEBACK, most=_TRACEBACK))
    _, found, traceback = text.rpartition("Traceback (most recent call last)")
    if not found and not _SYNTAX.search(
        text
    ):  # a syntax error of the script itself has a file and a line, but no traceback
        return None
    for file, line in reversed(_FRAME.findall(traceback)):
        path = Path(file)
        if not {"site-packages", "dist-packages"} & set(path.parts) and not path.is_relative_to(_PACKAGE):
            for folder in own:
                if path.is_relative_to(folder) and not re.search(r"/lib/python3[.\d]*/", file):
                    return f"{path.relative_to(folder)}:{line}"
    return None


def last_lines(path: Path, lines: int = LINES, most: int = 8000) -> str:
    """Return the last lines of a text file, whatever its encoding."""
    try:
        with path.open("rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - most, 0))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""
