"""The start of a trial's process: it leaves the host behind, then becomes the program. Standard library only.

A Python script runs in a fork of the host, which has its heavy imports done. The script must not notice: `__main__`,
`sys.argv`, `sys.path[0]`, `__file__`, random numbers, signals, descriptors and its end are as under `python script.py`.
"""

import atexit
import builtins
import gc
import importlib.machinery
import json
import os
import signal
import sys
import threading
import time
import traceback
import types
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from hpo.host.parent_death import end_with

_code: dict[str, tuple[tuple[int, ...], types.CodeType]] = {}
_SETTLED = 100_000_000
"""Nanoseconds after which a change gets another time; clocks of file systems tick more often."""


def signature_of(status: os.stat_result) -> tuple[int, ...]:
    """Return values that differ after a file was changed or replaced."""
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def is_settled(status: os.stat_result, now: int) -> bool:
    """Whether any change of a file after `now` (unix nanoseconds) gives it another signature, its last being old enough."""
    return abs(now - status.st_ctime_ns) > _SETTLED


def compile_once(script: str) -> None:
    """Compile a script in the host for all trials that follow; an edited file is compiled again."""
    try:
        if script in _code and _code[script][0] == signature_of(os.stat(script)):  # noqa: PTH116  without pathlib
            return
        _code.pop(script, None)
        status, data = _read(script)
        code = compile(data, script, "exec", dont_inherit=True)
        if is_settled(status, time.time_ns()):
            _code[script] = signature_of(status), code
    except (OSError, SyntaxError, ValueError):
        _code.pop(script, None)  # the trial will meet the same error and show it


def _read(path: str) -> tuple[os.stat_result, bytes]:
    with open(path, "rb") as file:  # noqa: PTH123
        return os.fstat(file.fileno()), file.read()


def _load(script: str, expected: Mapping[str, Any] | None) -> types.CodeType:
    """Return the compiled script; if it is not the `expected` one, its digest is written to a file first.

    Args:
        script: Path of the script.
        expected: `signature` and `digest` of the script when the attempt was ordered, and `told`, the path to write to.
    """
    if script in _code and _code[script][0] == signature_of(os.stat(script)):  # noqa: PTH116
        signature, code = _code[script]
        if expected is None or list(signature) == expected["signature"]:
            return code
    status, data = _read(script)
    settled = is_settled(status, time.time_ns())
    if expected is not None and not (settled and list(signature_of(status)) == expected["signature"]):
        import hashlib  # which takes milliseconds

        digest = hashlib.blake2b(data, digest_size=8).hexdigest()
        if digest != expected["digest"]:
            _tell(expected, digest)
    return compile(data, script, "exec", dont_inherit=True)


def _tell(expected: Mapping[str, Any], digest: str) -> None:
    """Write the digest of the script that this attempt runs; empty if another interpreter reads it."""
    with open(expected["told"], "w") as file:  # noqa: PTH123
        file.write(digest)


def wait_for_order(pipe: int, parent: int) -> NoReturn:
    """Wait, in a fork of the host, for the order that says which trial this is, and run it.

    An order has `script` (or None), `argv`, `env`, `stdout`, `stderr` and perhaps `expected` (see `_load`). All that does not
    depend on it is done before.
    """
    end_with(parent)
    _leave_host(pipe)
    data = b""
    while part := os.read(_PIPE, 1 << 16):
        data += part
    if not data:
        os._exit(0)  # no trial came
    order = json.loads(data)
    try:
        _settle(order)
    except OSError as error:
        os._exit(_complain(f"hpo: the trial cannot be set up: {error}\n"))
    if order["script"] is None:
        _execute(order["argv"])
    if not sys.flags.safe_path and _is_shadowed(_folder(order["script"])):
        if order.get("expected") is not None:
            _tell(order["expected"], "")
        _execute([sys.executable, *order["argv"]])
    _run_script(order["script"], order["argv"], order.get("expected"))


_PIPE = 3
"""Descriptor of the pipe with the order, once the host's descriptors are closed."""


def _leave_host(pipe: int) -> None:
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    nothing = os.open("/dev/null", os.O_RDONLY)
    os.dup2(nothing, 0)
    if pipe != _PIPE:
        os.dup2(pipe, _PIPE)
    os.closerange(_PIPE + 1, 1 << 20)
    # Fresh random numbers, as a fresh interpreter has. Python's own generator is reseeded by the fork itself.
    if numpy_random := sys.modules.get("numpy.random"):
        numpy_random.seed()
    if torch_random := sys.modules.get("torch.random"):
        torch_random.default_generator.seed()


def _settle(order: Mapping[str, Any]) -> None:
    for number, path in ((1, order["stdout"]), (2, order["stderr"])):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.close(_PIPE)
    if order.get("reading", {}).get("channel") == "stdout":
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    for name, value in order["env"].items():
        os.environ[name] = value
    if order.get("cwd") is not None:
        os.chdir(order["cwd"])


def _execute(argv: Sequence[str]) -> NoReturn:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores them; other programs expect the default
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        os.execvp(argv[0], list(argv))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        os._exit(_complain(f"hpo: the program {argv[0]!r} cannot be started: {reason}\n"))


def _complain(text: str) -> int:
    os.write(2, text.encode("utf-8", "backslashreplace"))
    return 127


def _folder(script: str) -> str:
    return os.path.dirname(os.path.realpath(script))  # noqa: PTH120


def _same(one: str | None, other: str | None) -> bool:
    return os.path.realpath(one or "") == os.path.realpath(other or "")


def _is_shadowed(folder: str) -> bool:
    """Whether a module of the host would come from the script's folder in a fresh interpreter, such as a user's random.py."""
    try:
        names = {name.partition(".")[0] for name in os.listdir(folder)}  # noqa: PTH208
        for name in names & sys.modules.keys() - {"hpo"}:  # a trial's hpo is the one that it reports to
            here = importlib.machinery.PathFinder.find_spec(name, [folder])
            there = getattr(sys.modules[name], "__spec__", None)
            # One that is built in or frozen comes before all files.
            if here and here.has_location and there and there.has_location and not _same(here.origin, there.origin):
                return True
    except OSError:
        pass  # the trial will meet the same error and show it
    return False


def _run_script(script: str, argv: Sequence[str], expected: Mapping[str, Any] | None) -> NoReturn:
    sys.argv = list(argv)
    if not sys.flags.safe_path:
        sys.path[0] = _folder(script)
    main = types.ModuleType("__main__")
    main.__dict__.update(
        __loader__=importlib.machinery.SourceFileLoader("__main__", script),
        __annotations__={},
        __builtins__=builtins,
        __file__=script,
        __cached__=None,
    )
    sys.modules["__main__"] = main
    _end(_outcome(script, main, expected), main)


def _outcome(script: str, main: types.ModuleType, expected: Mapping[str, Any] | None) -> int:
    """Run the script, and return the exit code that an interpreter would give."""
    try:
        exec(_load(script, expected), main.__dict__)
    except SystemExit as end:
        return _system_exit(end.code)
    except KeyboardInterrupt:
        _show_traceback()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        return 130
    except BaseException:
        _show_traceback()
        return 1
    return 0


def _system_exit(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    sys.stderr.write(f"{code}\n")
    return 1


def _show_traceback() -> None:
    kind, value, frames = sys.exc_info()
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    assert kind is not None
    assert value is not None
    value.with_traceback(frames)
    try:
        sys.excepthook(kind, value, frames)
    except BaseException:  # a broken hook must not hide the error, as in the interpreter
        traceback.print_exception(kind, value, frames)


def _end(code: int, main: types.ModuleType) -> NoReturn:
    """End this process as an interpreter does on exit, but without freeing the host's modules one by one."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # waits for the script's threads
        atexit._run_exitfuncs()
        main.__dict__.clear()  # files left open by the script are written out when they go
        gc.collect()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError, AttributeError):
                code = code or 120
        os._exit(code)
