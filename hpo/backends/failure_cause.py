"""The cause of a failed attempt, from its last output and the kernel: out of memory, out of disk, its own fault."""

import errno
import logging
import os
import re
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from hpo.backends.launcher_output import without_launcher
from hpo.errors import BackendError
from hpo.events.types import Exit
from hpo.store.directory import log_of_attempt
from hpo.store.disk_space import FREE, LEAST, LITTLE, disk_error_as_sentence, free_bytes, gone_as_sentence
from hpo.store.experiment_paths import from_here

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
