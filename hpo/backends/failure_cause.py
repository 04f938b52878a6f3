"""Why an attempt ended badly, as far as its last words and the kernel tell: out of memory, out of disk, its own fault."""

import errno
import os
import re
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from hpo.backends.launcher_output import without_launcher
from hpo.errors import BackendError
from hpo.events.types import Exit
from hpo.store.disk_space import FREE, LEAST, LITTLE, disk_error_as_sentence, free_bytes, gone_as_sentence

LINES = 20
"""Of a log that are kept as its last words."""
_PACKAGE = Path(__file__).absolute().parents[1]
_NO_ROOM = tuple(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT))

_NO_MEMORY = re.compile(
    r"^(\w+\.)*_?(Array)?MemoryError\b|OutOfMemoryError\b|(CUDA|HIP|XPU|MPS)[\w ]*( error:)? out of memory|"
    r"CUBLAS_STATUS_ALLOC_FAILED|\bRESOURCE_EXHAUSTED\b|\bstd::bad_alloc\b|can't allocate memory|"
    r"^fatal error: .*out of memory",
    re.MULTILINE,
)
"""What Python, NumPy, torch, JAX, TensorFlow, C++, Java and Go programs say."""

_KILLED = re.compile(r"killed by signal: Killed|exit(ed with)? code -9|SIGKILL")
"""What a program says whose worker was killed."""


def oom_kills() -> int:
    """How many processes the kernel has killed for want of memory since it started; 0 where it does not count them."""
    try:
        with open("/proc/vmstat", "rb") as file:  # noqa: PTH123
            found = re.search(rb"^oom_kill (\d+)$", file.read(), re.MULTILINE)
    except OSError:
        return 0
    return int(found.group(1)) if found else 0


def ran_out_of_memory(number: int | None, error: str, kills_before: int) -> bool:
    """Did an attempt end because memory was used up: by its own account, or by the kernel's hand?

    Args:
        number: the signal that ended it.
        error: the end of its standard error.
        kills_before: `oom_kills` when it began.
    """
    if _NO_MEMORY.search(error):
        return True
    return (number == signal.SIGKILL or _KILLED.search(error) is not None) and oom_kills() > kills_before


def check_disk(folder: Path, trial_id: int, error: str) -> None:
    """A trial that ended because the disk is full, or its folder gone, says nothing of its configuration.

    Raises:
        BackendError: that is so.
    """
    if not folder.is_dir():
        raise BackendError(str(gone_as_sentence(folder)))
    said = any(words in error for words in _NO_ROOM)
    # On a disk that is entirely full the last words of a trial cannot be written either.
    if free_bytes(folder) < (LITTLE if said else LEAST):
        what = f"trial {trial_id} could not write on, and goes on from its checkpoint once there is room"
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
    """The end of an attempt, and what its standard error says of it.

    Args:
        trial_id: of the trial.
        attempt: its number.
        code: how the process ended; None where a signal ended it.
        number: that signal.
        usage: of the machine.
        error: why it could not be started.
        stderr: its log.
        kills_before: `oom_kills` when it began.
        own: folders with the user's own code.
        directory: of the experiment.

    Raises:
        BackendError: it ended because the disk is full.
    """
    where, said = None, error or ""
    if code != 0:
        where = (
            line_of_script(stderr, own) if code == 1 and error is None else None
        )  # as Python ends after an exception
        if error is None:
            said = last_lines(stderr)
            error = "\n".join(without_launcher(last_lines(stderr, _TRACEBACK, _TRACEBACK)).splitlines()[-LINES:])
        check_disk(directory, trial_id, f"{error}\n{said}")
    return Exit(
        trial_id=trial_id,
        attempt=attempt,
        exit_code=code,
        signal=number,
        lost=code is None and number is None,  # nobody saw its end
        error=error or None,
        where=where,
        log=stderr if error else None,
        usage=usage,
        out_of_memory=code != 0 and ran_out_of_memory(number, f"{error or ''}\n{said}", kills_before),
    )


_FRAME = re.compile(r'^ *File "(.+?)", line (\d+)', re.MULTILINE)
_SYNTAX = re.compile(r"^(SyntaxError|IndentationError|TabError): ", re.MULTILINE)
_TRACEBACK = 200_000
"""Bytes of a log in which the beginning of its last traceback is looked for: libraries call themselves a hundred times."""


def line_of_script(stderr: Path, own: Sequence[Path]) -> str | None:
    """`train.py:17`, the line of the user's own code that was at work when Python's last exception was raised.

    Args:
        stderr: the log.
        own: folders with the user's code; a file is named as it is seen from the first that has it.
    """
    text = without_launcher(last_lines(stderr, lines=_TRACEBACK, most=_TRACEBACK))
    _, found, traceback = text.rpartition("Traceback (most recent call last)")
    if not found and not _SYNTAX.search(text):  # that of the script itself has a file and a line, and no traceback
        return None
    for file, line in reversed(_FRAME.findall(traceback)):
        path = Path(file)
        if not {"site-packages", "dist-packages"} & set(path.parts) and not path.is_relative_to(_PACKAGE):
            for folder in own:
                if path.is_relative_to(folder) and not re.search(r"/lib/python3[.\d]*/", file):
                    return f"{path.relative_to(folder)}:{line}"
    return None


def last_lines(path: Path, lines: int = LINES, most: int = 8000) -> str:
    """The last lines of a text file, whatever is in it."""
    try:
        with path.open("rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - most, 0))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""
