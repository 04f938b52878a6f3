"""Imports that the host does once for all trials, and the check that no trial can tell. Standard library only.

Modules that the user names are imported as they are. Those that were read from the script (`AUTO`) are tried in a fork
of the host: a module that would leave a trace in the process is left out, and the next fork does without it. The fork
without traces becomes the host; the process it comes from waits for its end.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import sys
import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn

from hpo.host.parent_death import end_with

AUTO = "auto:"
"""First item of a list of modules that were found in the script; their names follow."""

COMMON = ("argparse", "dataclasses", "locale", "logging", "pathlib", "random", "shutil", "tempfile", "typing")
"""Modules that nearly every script imports, if only to parse its arguments."""

_PR_SET_CHILD_SUBREAPER = 36
_SAME_FOR_ALL = (
    "KMP_DUPLICATE_LIB_OK",
    "KMP_INIT_AT_FORK",
    "PYTORCH_NVML_BASED_CUDA_CHECK",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    "TORCHINDUCTOR_CACHE_DIR",
)
"""Variables that joblib, scikit-learn, torch, Lightning and Keras set for themselves, in a trial to the same values."""
_KNOWS_FORKS = "jemalloc_bg_thd"
"""Name of a thread that its library starts again in a fork."""


def adopt_orphans() -> None:
    """Become the parent of all processes that children of this process leave behind."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@contextlib.contextmanager
def preloaded(names: Sequence[str], connection: int) -> Iterator[dict[str, Any]]:
    """Import modules for all forks of this process, and yield the message about them for the tuner.

    Args:
        names: Names of the modules.
        connection: Descriptor of the connection to the tuner, which a process that is no longer the host must not keep open.
    """
    message: dict[str, Any]
    if names[:1] == [AUTO]:
        message = _import_unnoticed(names[1:], connection)
    else:
        error = _import_all(names)
        message = {} if error is None else {"fatal": error}
    # What the preloaded modules want cleaned up at the end is this process's to clean up, not a fork's.
    own = [finalizer for finalizer in list(weakref.finalize._registry) if finalizer.atexit]  # type: ignore[attr-defined]
    for finalizer in own:
        finalizer.atexit = False
    freeze()
    yield message
    for finalizer in own:
        finalizer.atexit = True


def freeze() -> None:
    """Exempt all current objects from garbage collection, so that collections in forks do not touch shared pages."""
    gc.collect()
    gc.freeze()


def _import_all(names: Sequence[str]) -> str | None:
    # Last comes the working directory, for modules of the user's: none may pass for one of Python's.
    last = [] if sys.flags.safe_path or os.getcwd() in sys.path else [os.getcwd()]  # noqa: PTH109
    sys.path += last
    try:
        for name in (*COMMON, *names) if names else ():
            importlib.import_module(name)
    except (Exception, SystemExit) as error:  # a training script takes the host's arguments for its own, and exits
        return f"benchmark.preload: {name} cannot be imported ({type(error).__name__}: {error})"
    finally:
        for folder in last:
            sys.path.remove(folder)
    return None


def _import_unnoticed(wanted: Sequence[str], connection: int) -> dict[str, Any]:
    """Fork until a fork has imported all modules that leave no trace; return there."""
    _import_all(COMMON)
    adopt_orphans()
    left_out: dict[str, str] = {}
    while True:
        me = os.getpid()
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            end_with(me)
            adopt_orphans()
            os.close(reading)
            imported = _try(wanted, left_out, writing)
            os.close(writing)
            return {"preloaded": imported, "left_out": left_out}
        os.close(writing)
        news = _hear(reading, pid)
        if news is True:
            _give_way(pid, connection)
        _end_children()
        if news is None:
            raise ChildProcessError("a fork was killed before it had begun to import")
        left_out |= news if isinstance(news, dict) else {str(news): "it ends the process"}


def _hear(pipe: int, fork: int) -> object:
    """Return the verdict of a fork: True, or what to leave out; if the fork died, the module it was importing."""
    news: object = None
    received = b""
    process = os.pidfd_open(fork)
    poll = select.poll()
    for descriptor in (pipe, process):  # what a module has started may keep the pipe open
        poll.register(descriptor, select.POLLIN)
    while (news is None or isinstance(news, str)) and pipe in dict(poll.poll()):
        if not (data := os.read(pipe, 1 << 16)):
            break
        *lines, received = (received + data).split(b"\n")
        news = json.loads(lines[-1]) if lines else news
    os.close(process)
    os.close(pipe)
    return news


def _tell(pipe: int, news: object) -> None:
    os.write(pipe, json.dumps(news).encode() + b"\n")


def _try(wanted: Sequence[str], left_out: dict[str, str], pipe: int) -> list[str]:
    """Import the modules that are not left out and return the packages; if one leaves a trace, this process ends."""
    found: dict[str, str] = {}
    imported: dict[str, None] = {}
    for item in wanted:
        module, _, names = item.partition(":")
        if module not in left_out:
            _tell(pipe, module)
            if reason := _trace_of(module, names.split(",") if names else []):
                found[module] = reason
            else:
                imported[module.partition(".")[0]] = None
    # The first step of an optimizer would import it, which takes longer than torch itself.
    if "torch" in sys.modules and _DYNAMO not in left_out:
        _tell(pipe, _DYNAMO)
        before = dict(os.environ)
        if reason := _trace_of(_DYNAMO, []):
            found[_DYNAMO] = reason
        imported[_DYNAMO] = None
        os.environ.clear()  # the script has not imported it yet
        os.environ.update(before)
    _tell(pipe, found or True)
    if found:
        os._exit(0)
    return list(imported)


_DYNAMO = "torch._dynamo"


def _trace_of(module: str, names: Sequence[str]) -> str | None:
    """Import a module as a statement would, and return the trace that it leaves, in words; None if it leaves none."""
    before = _traces()
    stdout = os.dup(1)
    printed = os.memfd_create("stdout")
    os.dup2(printed, 1)
    try:
        package = importlib.import_module(module)
        for name in names:
            if not hasattr(package, name):
                with contextlib.suppress(ImportError):
                    importlib.import_module(f"{module}.{name}")
        sys.stdout.flush()
        size = os.fstat(printed).st_size
    except BaseException as error:
        said = str(error).strip().partition("\n")[0]  # the trial shows all of it
        return f"it cannot be imported: {type(error).__name__}: {said}"
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)
        os.close(printed)
    after = _traces()
    changed = (what + _difference(before[what], after[what]) for what in before if before[what] != after[what])
    return next(changed, "it prints" if size else None)


def _traces() -> dict[str, Any]:
    """Return the state of the process that an import must leave unchanged, by the message about a module that changes it."""
    return {
        "it changes the environment": {k: v for k, v in os.environ.items() if k not in _SAME_FOR_ALL},
        "it changes sys.path": list(sys.path),
        "it changes the working directory": os.getcwd(),  # noqa: PTH109
        "it sets handlers of signals": [signal.getsignal(number) for number in sorted(signal.valid_signals())],
        "it starts a thread": _threads(),
        "it starts a process": _has_children(),
        "it opens": _descriptors(),
    }


def _difference(before: Any, after: Any) -> str:
    if not isinstance(before, dict):
        return ""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return f" {', '.join(sorted(names)[:3])}"


def _threads() -> int:
    """Return the number of threads that would not survive a fork. Those of OpenBLAS do not count: it restarts them."""
    if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    names = []
    for task in os.listdir("/proc/self/task"):  # noqa: PTH208
        with contextlib.suppress(FileNotFoundError), open(f"/proc/self/task/{task}/comm") as file:  # noqa: PTH123
            names.append(file.read().strip())
    return len([name for name in names if name != _KNOWS_FORKS])


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _descriptors() -> dict[str, str]:
    """Return the open files, which a trial would find closed, by name."""
    found = {}
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208
        with contextlib.suppress(FileNotFoundError):  # that of the listing itself
            found[os.readlink(f"/proc/self/fd/{number}")] = number  # noqa: PTH115
    return found


def _give_way(host: int, connection: int) -> NoReturn:
    """Wait for the process that became the host, and end with the same exit code."""
    os.close(connection)
    _, status = os.waitpid(host, 0)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def _children() -> Iterable[int]:
    for task in os.listdir("/proc/self/task"):  # noqa: PTH208
        with contextlib.suppress(OSError), open(f"/proc/self/task/{task}/children", "rb") as file:  # noqa: PTH123
            yield from map(int, file.read().split())  # a kernel may lack this file


def _end_children() -> None:
    """End all processes that a module has started."""
    while children := list(_children()):
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
