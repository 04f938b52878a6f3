"""Removal of the text that torchrun, mpirun, srun, and Hydra in an app, print around the error of a program."""

import re
from itertools import pairwise

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
_ROOT_CAUSE = re.compile(r"^Root Cause .*\n(?:.*\n)*? *rank +: (\d+) ", re.MULTILINE)
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
