"""Which program a benchmark names, and where it is."""

import os
import shutil
import sys
from fnmatch import fnmatch
from pathlib import Path

from hpo.config.schema import CONF_DIR, BenchmarkConfig
from hpo.errors import ConfigError
from hpo.functions import function_process

NOT_CODE = ("__pycache__", "*.pyc", ".*", "outputs", "node_modules", "*.egg-info")
"""Patterns of names beside a script that no job needs."""
MOST_FILES = 1000
MOST_BYTES = 16_000_000


def find_program(benchmark: BenchmarkConfig) -> list[str]:
    """The start of the argument list, with absolute paths.

    Raises:
        ConfigError: it is not there or not executable.
    """
    if benchmark.function is not None:
        return [sys.executable, function_process.__file__]
    if benchmark.command is not None:
        return _find_command(benchmark.command)
    assert benchmark.script is not None
    path = find_file(benchmark.script)
    if path is None:
        raise ConfigError(f"benchmark.script={benchmark.script}: {_no_such_script(benchmark.script)}")
    if path.suffix == ".py":
        return [sys.executable, str(path)]
    if not os.access(path, os.X_OK):
        raise ConfigError(
            f"benchmark.script={benchmark.script}: it is neither a .py file nor executable; chmod +x it, or name its "
            f"interpreter with benchmark.command=[bash,{benchmark.script}]"
        )
    return [str(path)]


def _no_such_script(script: str) -> str:
    """Why it is none, and what may be meant: a function, a module or a command line are often written in its place."""
    words = script.split()
    if len(words) > 1 and any(find_file(word) for word in words):
        return f"it is a command line; write benchmark.command=[{','.join(words)}]"
    if Path(script).is_dir():
        return "it is a folder; name the file in it that is to be run"
    modules = [script.rpartition(mark)[0] for mark in ":." if mark in script] + [script]
    files = (f"{module.replace('.', '/')}.py" for module in modules if "/" not in module)
    if file := next((file for file in files if find_file(file)), None):
        return f"it is the path of a file that is run for each trial, not of a module or a function in it; write {file}"
    return (
        f"there is no such file here ({Path.cwd()}) nor beside {CONF_DIR}; give an absolute path or one relative to the "
        f"working directory"
    )


def _find_command(command: list[str]) -> list[str]:
    if not command:
        raise ConfigError("benchmark.command=[]: name the program and its first arguments, such as [bash, train.sh]")
    program = shutil.which(command[0])
    if program is None:
        raise ConfigError(f"benchmark.command={command}: the program {command[0]!r} is not on PATH or not executable")
    # A later word that is a file here or beside conf/ becomes absolute; anything else stays as it is.
    rest = [str(find_file(word) or word) if i == 0 else word for i, word in enumerate(command[1:])]
    return [program, *rest]


def find_file(name: str) -> Path | None:
    """`name` if absolute, else in the working directory, else beside the configuration groups."""
    places = (base / Path(name).expanduser() for base in (Path.cwd(), CONF_DIR.parent))
    return next((path.absolute() for path in places if path.is_file()), None)


def is_this_python(program: str) -> bool:
    """Is a fork of this process what the program is? Another environment is another folder, though links lead to one file."""
    given, ours = Path(program), Path(sys.executable)
    return given.parent == ours.parent and given.resolve() == ours.resolve()


def files_beside(folder: Path) -> list[Path] | None:
    """Files from `folder` down that may be code, in order; None where there are too many, or they are too large."""
    found: list[Path] = []
    ahead, seen, size = [folder], 0, 0
    while ahead:
        with os.scandir(ahead.pop()) as entries:
            for entry in entries:
                seen += 1
                if any(fnmatch(entry.name, pattern) for pattern in NOT_CODE):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    ahead.append(Path(entry.path))
                elif entry.is_file():
                    found.append(Path(entry.path))
                    size += entry.stat().st_size
                if seen > MOST_FILES or size > MOST_BYTES:
                    return None
    return sorted(found)
