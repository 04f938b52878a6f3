"""The trial host: one process per experiment that starts, ends and reaps all trials. Standard library only.

It imports what the benchmark preloads once, and forks a child per trial, one ahead of time. It is the subreaper of all
descendants, so none escapes by a double fork. When its connection to the tuner closes, it ends them all.

Orders come as JSON lines on the connection, and outcomes leave on it:

    -> {"do": "start", "key": 7, "script": ..., "argv": [...], "env": {...}, "stdout": ..., "stderr": ...,
        "capped": ["stdout", "stderr"], "most_log_bytes": 100000000, "reading": {...}}
    -> {"do": "stop", "key": 7, "patience": 0.0, "grace": 30.0}
    <- {"key": 7, "code": 0, "signal": null, "usage": {...}}     when all processes of the attempt are gone
    <- {"fatal": "..."}                                          what is preloaded cannot be imported
    <- {"preloaded": ["numpy"], "left_out": {"x": "it prints"}}  modules named in the script: imported, or why not
"""

import contextlib
import importlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Iterable
from typing import Any

import hpo.reporting  # noqa: F401  trials will want it
from hpo.host import child
from hpo.host.attempt import READ_INTERVAL, Attempt
from hpo.host.log_limit import INTERVAL, LogCap
from hpo.host.parent_death import end_with
from hpo.host.preloading import COMMON, adopt_orphans, freeze, preloaded
from hpo.host.process_marks import LONGEST_WAIT, set_mark

_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Host:
    """The connection, the attempts and the orphaned processes of a trial host.

    Args:
        connection: Descriptor of the socket to the tuner.
        mark: Mark of the experiment.
        grace: Seconds between SIGTERM and SIGKILL when the tuner is gone.
        ahead: Modules to import as soon as the host is idle.
    """

    def __init__(self, connection: int, mark: int, grace: float, ahead: list[str]) -> None:
        self.connection = connection
        self.mark = mark
        self.grace = grace
        self.ahead = ahead
        self.attempts: dict[int, Attempt] = {}
        self.by_pid: dict[int, Attempt] = {}
        self.received = b""
        self.connected = True
        self.look_at = 0.0  # when to look at the sizes of logs again
        self.read_at = 0.0  # when to look again at files that programs append to
        self.poll = select.poll()
        self.printing: dict[int, Attempt] = {}  # by the descriptor that its output comes from
        self.spare: tuple[int, int] | None = None  # (pid, pipe) of the child forked ahead of time, waiting for an order

    def serve(self) -> None:
        """Work until the connection is closed and no process is left."""
        wakeup, alarm = os.pipe()
        os.set_blocking(alarm, False)
        os.set_blocking(wakeup, False)
        signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.poll.register(self.connection, select.POLLIN)
        self.poll.register(wakeup, select.POLLIN)
        while self.connected or self.attempts or self.spare is not None:
            if self.connected and self.spare is None:
                self._fork_spare()
            ready = self.poll.poll(0 if self.ahead else self._timeout())
            if not ready and self.ahead:
                self._import_ahead()
            for descriptor, _ in ready:
                if descriptor == wakeup:
                    os.read(wakeup, 4096)
                elif descriptor in self.printing:
                    if not self.printing[descriptor].read():
                        self.poll.unregister(descriptor)
                elif not self._receive():
                    self.poll.unregister(self.connection)
            self._reap()
            self._enforce()

    def _import_ahead(self) -> None:
        importlib.import_module(self.ahead.pop(0))
        if not self.ahead:
            freeze()

    def _timeout(self) -> int | None:
        """Return the milliseconds to the next deadline; None without one."""
        times = [t for a in self.attempts.values() for t in (a.term_at, a.kill_at) if t is not None]
        if any(attempt.logs for attempt in self.attempts.values()):
            times.append(self.look_at)
        if any(attempt.appending for attempt in self.attempts.values()):
            times.append(self.read_at)
        if not times:
            return None
        return max(int(min(min(times) - time.monotonic(), LONGEST_WAIT) * 1000) + 1, 0)

    def _receive(self) -> bool:
        """Carry out the orders that have come; return False when the tuner is gone."""
        try:
            data = os.read(self.connection, 1 << 20)
        except ConnectionError:
            data = b""
        if not data:
            self._disconnect()
            return False
        *lines, self.received = (self.received + data).split(b"\n")
        for line in lines:
            order = json.loads(line)
            if order["do"] == "start":
                self._start(order)
            elif order["key"] in self.attempts:
                self.attempts[order["key"]].stop(order["patience"], order["grace"])
        return True

    def _disconnect(self) -> None:
        self.connected = False
        if self.spare is not None:
            os.kill(self.spare[0], signal.SIGKILL)  # it has nothing yet; `serve` ends when it is gone
        for attempt in self.attempts.values():
            attempt.stop(0.0, self.grace)

    def _start(self, order: dict[str, Any]) -> None:
        key = order["key"]
        if self.spare is None:
            self._fork_spare()
        if self.spare is None:
            self.send({"key": key, "code": 127, "signal": None, "usage": {}, "error": "no process could be forked"})
            return
        logs = (
            LogCap([order[name] for name in order["capped"]], order["most_log_bytes"]) if order.get("capped") else None
        )
        reader = None
        if "reading" in order:
            from hpo.host.report_source import reader_of  # few hosts have need of it

            try:
                reader = reader_of(order)
            except OSError as error:
                self.send(
                    {"key": key, "code": 127, "signal": None, "usage": {}, "error": f"nothing can be read: {error}"}
                )
                return
            if reader.stream is not None:
                order[order["reading"]["channel"]] = reader.stream
        (pid, pipe), self.spare = self.spare, None
        attempt = Attempt(key, pid, self.mark + key, logs, reader, self.grace)
        self.attempts[key] = self.by_pid[pid] = attempt
        if reader is not None and reader.descriptor is not None:
            self.printing[reader.descriptor] = attempt
            self.poll.register(reader.descriptor, select.POLLIN)
        with contextlib.suppress(ProcessLookupError, BrokenPipeError):  # killed while it waited: reaped as this attempt
            set_mark(attempt.mark, pid)  # here and not there, so that it can be found and stopped from now on
            _write(pipe, json.dumps(order).encode())
        os.close(pipe)
        if order["script"] is not None:
            child.compile_once(order["script"])  # for the trials that follow

    def _fork_spare(self) -> None:
        parent = os.getpid()
        reading, writing = os.pipe()
        # Held back until the child has default handlers: it may be told to stop before it got that far.
        signal.pthread_sigmask(signal.SIG_BLOCK, _IGNORED)
        try:
            pid = os.fork()
        except OSError as error:
            os.close(reading)
            os.close(writing)
            sys.stderr.write(f"fork failed: {error}\n")
            return
        finally:
            if os.getpid() == parent:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, _IGNORED)
        if pid == 0:
            os.close(writing)
            child.wait_for_order(reading, parent)
        os.close(reading)
        self.spare = pid, writing

    def _reap(self) -> None:
        """Collect all processes that have ended, orphans included."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            attempt = self.by_pid.pop(pid, None)
            if attempt is None:
                if self.spare is not None and self.spare[0] == pid:
                    os.close(self.spare[1])
                    self.spare = None
                continue
            code = os.waitstatus_to_exitcode(status)
            attempt.outcome = {
                "key": attempt.key,
                "code": code if code >= 0 else None,
                "signal": -code if code < 0 else None,
                "usage": {
                    "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
                    "peak_memory_mb": round(usage.ru_maxrss / 1024, 1),
                },
            }

    def _enforce(self) -> None:
        """Send the signals that are due, and report attempts of which no process is left."""
        now = time.monotonic()
        if now >= self.look_at:
            self.look_at = now + INTERVAL
            for attempt in self.attempts.values():
                if attempt.logs:
                    attempt.logs.cut_excess()
        if now >= self.read_at:
            self.read_at = now + READ_INTERVAL
            for attempt in self.attempts.values():
                if attempt.appending:
                    attempt.read()
        for attempt in list(self.attempts.values()):
            if attempt.outcome is not None and not attempt.left_behind():
                del self.attempts[attempt.key]
                self._close(attempt)
                self.send(attempt.outcome)
            else:
                attempt.enforce(now, self.grace)

    def _close(self, attempt: Attempt) -> None:
        if attempt.reader is not None and attempt.reader.descriptor is not None:
            del self.printing[attempt.reader.descriptor]
            with contextlib.suppress(KeyError):  # it could no longer be read
                self.poll.unregister(attempt.reader.descriptor)
        attempt.finish()

    def send(self, message: dict[str, Any]) -> None:
        """Send a message to the tuner."""
        with contextlib.suppress(ConnectionError):  # the tuner is gone; the next read tells
            _write(self.connection, json.dumps(message).encode() + b"\n")


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def main() -> None:
    """Run a host (arguments `CONNECTION MARK GRACE PRELOAD…`) or a nursery (`nursery SOCKET TUNER PRELOAD…`)."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)  # the tuner decides; it is gone when the connection is closed
    signal.pthread_sigmask(signal.SIG_SETMASK, [])  # the tuner may have been started with SIGCHLD blocked
    first, second, third, *preload = sys.argv[1:]
    if first == "nursery":
        from hpo.host import nursery  # brings modules that other hosts have no need of

        end_with(int(third))
        with preloaded(preload, int(second)) as message:
            nursery.serve(int(second), lambda connection, mark, grace: run(connection, mark, grace, message))
    else:
        _adopt(int(second))  # now, so that it can be found if an import hangs
        with preloaded(preload, int(first)) as message:
            run(int(first), int(second), float(third), message, [] if preload else COMMON)


def _adopt(mark: int) -> None:
    """Become the parent of all processes that an experiment's trials leave behind."""
    set_mark(mark)
    adopt_orphans()


def run(connection: int, mark: int, grace: float, message: dict[str, Any], ahead: Iterable[str] = ()) -> None:
    """Tell the tuner the result of the imports, and serve it until it is gone, unless the result is a fatal error."""
    _adopt(mark)
    host = Host(connection, mark, grace, list(ahead))
    if message:
        host.send(message)
    if "fatal" not in message:
        host.serve()
