"""`python -m hpo` without the half second of imports: a server that has made them forks a process for every call.

Each call is a process of its own with its own arguments, environment, folder, streams, signals and exit code, as fresh as
an interpreter that has just imported `hpo` and composed a configuration. Only what an interpreter reads when it starts
cannot be given to it: calls with another PYTHONPATH or locale get an interpreter of their own, and NumPy has one thread in
all others. A test about starting up, about signals meanwhile or about what is imported starts an interpreter by itself.

    <- pid          on the pipe that comes with an order, as the fourth of its descriptors
    <- wait status  when it has ended
"""

import atexit
import contextlib
import functools
import gc
import importlib.util
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from select import select

ROOT = Path(__file__).parents[2]
IMPORTED = (
    *(
        "hpo.cli.run",
        "hpo.cli.commands.main",
        "hpo.cli.commands.all_commands",
        "hpo.launchers.local",
        "hpo.experiment.run",
    ),
    *("hpo.watching.progress", "hpo.planning.plan", "hpo.results", "hpo.reports", "antlr4"),
)
"""What calls import as they begin, or soon after."""
_MOST_BYTES = 1 << 17


def _read_at_start(env):
    return {name: value for name, value in env.items() if name.startswith(("PYTHON", "LC_", "LANG", "LD_", "MALLOC_"))}


_OURS = _read_at_start(os.environ)


def start(*arguments, cwd, env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=False):
    """Start `python -m hpo …` and do not wait for it. Returns what can be used as a Popen with text streams."""
    if _read_at_start(env) != _OURS:
        command = [sys.executable, "-m", "hpo", *arguments]
        return subprocess.Popen(
            command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, text=True,
            start_new_session=start_new_session,
        )  # fmt: skip
    return Forked(arguments, str(cwd), env, stdout, stderr, start_new_session)


def run(*arguments, cwd, env, timeout=120):
    """Run `python -m hpo …` to its end."""
    with start(*arguments, cwd=cwd, env=env) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        finally:
            process.kill()
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


class Forked:
    """What Popen is to a process that was started, for one that was forked elsewhere."""

    def __init__(self, arguments, cwd, env, stdout, stderr, start_new_session):
        sys.audit("subprocess.Popen", sys.executable, arguments, cwd, env)
        self.args, self.returncode, self.stdin = arguments, None, None
        self.stdout, theirs_out = _stream(stdout)
        self.stderr, theirs_err = _stream(stderr)
        nowhere = os.open(os.devnull, os.O_RDONLY)
        self._status, theirs = os.pipe()
        order = {"argv": arguments, "cwd": cwd, "env": env, "new_session": start_new_session}
        given = [nowhere, theirs_out, theirs_err, theirs]
        socket.send_fds(_server().orders, [json.dumps(order).encode()], given)
        for descriptor in given:
            os.close(descriptor)
        self.pid = self._told()

    def _told(self):
        number = os.read(self._status, 8)
        assert number, "the server that forks is gone"
        return int.from_bytes(number, "little")

    def poll(self):
        return self._wait(0)

    def wait(self, timeout=None):
        if self._wait(timeout) is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode

    def _wait(self, timeout):
        if self.returncode is None and select([self._status], [], [], timeout)[0]:
            self.returncode = os.waitstatus_to_exitcode(self._told())
            os.close(self._status)
        return self.returncode

    def communicate(self, timeout=None):
        deadline = None if timeout is None else time.monotonic() + timeout
        texts = {}
        streams = [stream for stream in (self.stdout, self.stderr) if stream is not None and not stream.closed]
        readers = [
            threading.Thread(target=lambda stream=stream: texts.update({stream: stream.read()}), daemon=True)
            for stream in streams
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(None if deadline is None else max(0, deadline - time.monotonic()))
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout)
        self.wait(None if deadline is None else max(0, deadline - time.monotonic()))
        for stream in streams:
            stream.close()
        return texts.get(self.stdout), texts.get(self.stderr)

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self.wait()


def _stream(wanted):
    """Our end of a pipe and theirs, or None and theirs, where a file is given."""
    if wanted != subprocess.PIPE:
        return None, os.dup(wanted.fileno())
    ours, theirs = os.pipe()
    return open(ours, encoding="utf-8"), theirs  # noqa: PTH123  closed by whoever has started it


# ---------------------------------------------------------------------- the server


class Server:
    """The end of the server that the tests have."""

    def __init__(self):
        self.orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "tests.support.forking", str(theirs.fileno())]
        with theirs:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **_OURS, "OMP_NUM_THREADS": "1"}, pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        atexit.register(self.close)

    def close(self):
        self.orders.close()
        self.process.wait(timeout=60)


@functools.cache
def _server():
    return Server()


def serve(descriptor):
    """Fork until there are no more orders. Returns the order, in each process that was forked."""
    ended = {}

    def reap(*_):
        while ended:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            told = ended.pop(pid)
            _tell(told, status)
            os.close(told)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which then hang up
    signal.signal(signal.SIGCHLD, reap)
    orders = socket.socket(fileno=descriptor)
    while True:
        message, descriptors, _, _ = socket.recv_fds(orders, _MOST_BYTES, 4)
        if not message:
            sys.exit()
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])  # until it is known who has ended
        pid = os.fork()
        if pid == 0:
            order = json.loads(message)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
            if order["new_session"]:
                os.setsid()
            _tell(descriptors[3], os.getpid())  # from now on it may be sent signals
            for standard in (0, 1, 2):
                os.dup2(descriptors[standard], standard)
            orders.detach()
            os.closerange(3, os.sysconf("SC_OPEN_MAX"))
            return order
        ended[pid] = descriptors.pop()
        for used in descriptors:
            os.close(used)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])


def _tell(pipe, number):
    with contextlib.suppress(BrokenPipeError):  # nobody asks any more
        os.write(pipe, number.to_bytes(8, "little"))


def become(order):
    """Have nothing left of the server."""
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    for number, name in enumerate(("stdin", "stdout", "stderr")):  # made anew: these tell a pipe from a file
        old = getattr(sys, name)
        line = name == "stderr" or os.isatty(number)
        file = os.fdopen(number, old.mode, encoding=old.encoding, errors=old.errors, closefd=False)
        file.reconfigure(line_buffering=line)
        setattr(sys, name, file)
        setattr(sys, f"__{name}__", file)
    os.chdir(order["cwd"])
    sys.path[0] = order["cwd"]
    sys.argv = ["hpo", *order["argv"]]
    sys.orig_argv = [sys.executable, "-m", *sys.argv]
    for name in ("tests.support", "tests"):
        del sys.modules[name]


def leave(code):
    """End as an interpreter does, without taking apart all that is shared with the server, half of a call's time."""
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


if __name__ == "__main__":
    for name in IMPORTED:
        importlib.import_module(name)
    if importlib.util.find_spec("boto3"):  # not every environment of the tests has it
        importlib.import_module("boto3")
    with importlib.import_module("hpo.config.composing").composing() as composer:
        composer.compose(["benchmark=mlp_digits", "method=ASHA"])  # Hydra's plugins and its grammar's tables
    gc.collect()
    gc.freeze()
    become(serve(int(sys.argv[1])))
    try:
        runpy.run_module("hpo", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if isinstance(ended.code, int):
            leave(ended.code)
        raise
