"""Which processes belong to which trial: a mark that a process cannot lose by accident.

Every trial is started with a soft limit on real-time CPU time (RLIMIT_RTTIME) of decades, whose low bits number the
experiment and the attempt. Limits pass through fork, exec, setsid, a cleared environment and closed descriptors, and
the kernel tells them for any process of the same user. So a data loader worker, a double-forked daemon or a forked
interpreter, which show nothing of their trial in /proc/<pid>/environ, are still found. Linux only. Standard library only.
"""

import contextlib
import hashlib
import os
import resource
import select
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from hpo.errors import BackendError

LONGEST_WAIT = 86_400.0
"""Seconds; the kernel takes milliseconds in 31 bits, and waking once a day is no polling."""
_FLAG = 1 << 61  # microseconds: 73,000 years, no limit to anyone
_ATTEMPT_BITS = 24


def experiment_mark(identity: str) -> int:
    """Return the mark of an experiment's trial host; its attempts have this plus 1, 2 and so on.

    Args:
        identity: A text that no other experiment on this machine has, the same in each session of this one.

    Raises:
        BackendError: the hard limit that this process lives under leaves no room for marks.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_RTTIME)
    if hard != resource.RLIM_INFINITY and hard < 2 * _FLAG:
        raise BackendError(
            f"the hard limit RLIMIT_RTTIME of {hard} µs leaves no room for the marks by which the processes of a trial are "
            f"found; lift it where it is set (docker run --ulimit rttime=-1, LimitRTTIME=infinity of a systemd unit)"
        )
    digest = hashlib.blake2b(identity.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return _FLAG | (int.from_bytes(digest, "little") >> 28 << _ATTEMPT_BITS)


def experiment_of(mark: int) -> int:
    """The experiment's part of an attempt's mark."""
    return mark >> _ATTEMPT_BITS << _ATTEMPT_BITS


def set_mark(mark: int, pid: int = 0) -> None:
    """Mark a process, by default this one, and all it will start.

    Raises:
        ProcessLookupError: it is gone.
    """
    _, hard = resource.prlimit(pid, resource.RLIMIT_RTTIME)
    resource.prlimit(pid, resource.RLIMIT_RTTIME, (mark, hard))


def get_mark(pid: int) -> int | None:
    """The mark of a process; None where it has none, is gone or belongs to another user."""
    try:
        soft, _ = resource.prlimit(pid, resource.RLIMIT_RTTIME)
    except OSError:
        return None
    return soft if soft & _FLAG and soft > 0 else None


def marked(mark: int, *, whole_experiment: bool = False) -> list[int]:
    """All living processes with this mark, or with any of its experiment; this process excepted."""
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208  called in the trial host, where a Path per process is waste
        if name.isdigit() and (pid := int(name)) != os.getpid():
            other = get_mark(pid)
            if other is None:
                continue
            if (experiment_of(other) == experiment_of(mark) if whole_experiment else other == mark) and not _is_zombie(
                pid
            ):
                found.append(pid)
    return found


def _is_zombie(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return True
    return stat[stat.rindex(b")") + 2 : stat.rindex(b")") + 3] in (b"Z", b"X")


def send(pids: Iterable[int], number: int) -> None:
    """Signal processes, whichever still exist."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def sweep(mark: int, grace: float) -> int:
    """End every process that an experiment left behind: SIGTERM, `grace` seconds, SIGKILL. Returns how many there were.

    The caller holds the experiment's lock, so that no living tuner owns them.
    """
    pids = marked(mark, whole_experiment=True)
    if not pids:
        return 0
    send(pids, signal.SIGTERM)
    wait_gone(pids, grace)
    while left := marked(mark, whole_experiment=True):  # again, for one may have started others meanwhile
        send(left, signal.SIGKILL)
        wait_gone(left, 1.0)
    return len(pids)


def wait_gone(pids: Iterable[int], timeout: float) -> None:
    """Return when all processes are gone, or after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            continue
        try:
            wait_ended(descriptor, deadline - time.monotonic())
        finally:
            os.close(descriptor)


def wait_ended(process: int, timeout: float) -> bool:
    """Wait for the process of a pidfd to end, for at most `timeout` seconds. Returns whether it has."""
    deadline = time.monotonic() + timeout
    poll = select.poll()  # select() takes no descriptor above 1023
    poll.register(process, select.POLLIN)
    while (left := deadline - time.monotonic()) > 0:
        if poll.poll(int(min(left, LONGEST_WAIT) * 1000) + 1):
            return True
    return bool(poll.poll(0))
