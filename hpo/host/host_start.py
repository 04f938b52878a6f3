"""Start of trial hosts, from the tuner's side: a process of its own for one experiment, a fork of a nursery in a sweep."""

import contextlib
import json
import logging
import math
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hpo.host.process_marks import wait_ended

log = logging.getLogger(__name__)

START = (sys.executable, str(Path(__file__).absolute().with_name("start.py")))
"""Command that runs a module of this package from any working directory."""
COMMAND = (*START, "hpo.host.host")
"""Command that starts a host or a nursery."""
_PATIENCE = 5.0
"""Seconds that a nursery has to end in order."""
_LONGEST_IMPORT = 300.0
"""Seconds for a nursery's imports, after which each experiment starts a host of its own under its own time limits."""
_MOST = 3
"""Largest number of nurseries at a time; each holds some hundred megabytes of modules."""


class ForkedHost:
    """A trial host that was forked by a nursery; its exit code is not known, because it is not a child of this process."""

    returncode: int | None = None

    def __init__(self, pid: int, process: int) -> None:
        self.pid = pid
        self._process: int | None = process  # a pidfd

    def wait(self, timeout: float | None = None) -> None:
        """Return when the host has ended.

        Raises:
            subprocess.TimeoutExpired: It has not, after `timeout` seconds.
        """
        if self._process is None:
            return
        if not wait_ended(self._process, math.inf if timeout is None else timeout):
            raise subprocess.TimeoutExpired("trial host", timeout or 0.0)
        os.close(self._process)
        self._process = None

    def send_signal(self, number: int) -> None:
        """Send a signal to the host if it has not ended."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, number)


class _Nursery:
    """A process that forks hosts with the same modules and environment; see `hpo.host.nursery`."""

    def __init__(self, preload: Sequence[str], environment: Mapping[str, str], log_file: int) -> None:
        self.made_for = list(preload), dict(environment), Path.cwd()
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            arguments = ["nursery", str(theirs.fileno()), str(os.getpid()), *preload]
            self._process = _start(arguments, theirs, log_file, environment)
        self._orders.settimeout(_LONGEST_IMPORT)
        self._ready = False

    def wait_ready(self) -> None:
        """Return when all is imported, before any experiment's clock runs, so that the first does not pay for all.

        Raises:
            OSError: The nursery is gone, or takes too long.
        """
        if not self._orders.recv(1):
            raise ConnectionError("it ended while it imported")
        self._ready = True

    def fork(self, mark: int, grace: float, connection: int, log_file: int) -> ForkedHost:
        """Ask the nursery to fork a trial host, and return the host.

        Raises:
            OSError: The nursery is gone.
        """
        order = json.dumps({"mark": mark, "grace": grace}).encode()
        socket.send_fds(self._orders, [order], [connection, log_file])
        pid, descriptors, _, _ = socket.recv_fds(self._orders, 64, 1)
        if not descriptors:
            raise ConnectionError("it ended while it forked")
        return ForkedHost(int(pid), descriptors[0])

    def close(self) -> None:
        """End the nursery; its modules have some seconds to clean up, an unfinished import has none."""
        self._orders.close()
        try:
            self._process.wait(_PATIENCE if self._ready else 0.0)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()


class _Nurseries:
    """The nurseries of a sweep: one for each set of modules and each environment, started when first needed."""

    def __init__(self) -> None:
        self.wanted = True
        self._made: list[_Nursery] = []

    def fitting(self, preload: Sequence[str], environment: Mapping[str, str], log_file: int) -> _Nursery:
        """Return a nursery with these modules and this environment that is ready.

        Raises:
            OSError: The nursery ended before it was ready.
        """
        wanted = list(preload), dict(environment), Path.cwd()
        for nursery in self._made:
            if nursery.made_for == wanted:
                return nursery
        if len(self._made) == _MOST:
            self._made.pop(0).close()
        self._made.append(_Nursery(preload, environment, log_file))
        self._made[-1].wait_ready()
        return self._made[-1]

    def close(self) -> None:
        """End all nurseries."""
        while self._made:
            self._made.pop().close()


_sharing: list[_Nurseries] = []


@contextlib.contextmanager
def shared_imports() -> Iterator[None]:
    """Share what experiments preload between the experiments that are run within this context."""
    _sharing.append(_Nurseries())
    try:
        yield
    finally:
        _sharing.pop().close()


def start_host(
    mark: int,
    grace: float,
    preload: Sequence[str],
    *,
    connection: socket.socket,
    log_file: int,
    environment: Mapping[str, str],
) -> "subprocess.Popen[bytes] | ForkedHost":
    """Start the trial host of an experiment.

    Args:
        mark: Mark of the experiment.
        grace: Seconds between SIGTERM and SIGKILL when this process is gone.
        preload: Modules to import.
        connection: The host's end of the connection; the caller closes its own copy.
        log_file: Descriptor of the file for the host's output.
        environment: Environment variables of the host.
    """
    if preload and _sharing and _sharing[-1].wanted:
        try:
            return _sharing[-1].fitting(preload, environment, log_file).fork(mark, grace, connection.fileno(), log_file)
        except OSError as error:
            log.info("the nursery of this sweep is gone (%s); trial hosts start without it from now on", error)
            _sharing[-1].wanted = False
            _sharing[-1].close()
    arguments = [str(connection.fileno()), str(mark), str(grace), *preload]
    return _start(arguments, connection, log_file, environment)


def _start(
    arguments: Sequence[str], inherited: socket.socket, log_file: int, environment: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=log_file,
        stderr=log_file,
        pass_fds=[inherited.fileno()],
        env=environment,
        start_new_session=True,
    )
