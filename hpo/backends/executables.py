"""The search for the program that a benchmark names."""

import os
import shutil
import sys
from fnmatch import fnmatch
from pathlib import Path

from hpo.config.config_folders import CONF_DIR
from hpo.config.schema import BenchmarkConfig
from hpo.errors import ConfigError
from hpo.functions import function_process

NOT_CODE = ("__pycache__", "*.pyc", ".*", "outputs", "node_modules", "*.egg-info")
"""Patterns of names beside a script that no job needs."""
MOST_FILES = 1000
MOST_BYTES = 16_000_000


def find_program(benchmark: BenchmarkConfig) -> list[str]:
    """Return the start of the argument list, with absolute paths.

    Raises:
        ConfigError: The program does not exist or is not executable.
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
    """Return why a name is not a script, and what may be meant: often a function, a module or a command line."""
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
    """Return the path of a file: `name` if absolute, else in the working directory, else beside the configuration groups."""
    places = (base / Path(name).expanduser() for base in (Path.cwd(), CONF_DIR.parent))
    return next((path.absolute() for path in places if path.is_file()), None)


def is_this_python(program: str) -> bool:
    """Whether a program is the Python of this process, so that a fork can replace it.

    Environments are compared by their folders, since links in several of them may lead to one file.
    """
    given, ours = Path(program), Path(sys.executable)
    return given.parent == ours.parent and given.resolve() == ours.resolve()


def files_beside(folder: Path) -> list[Path] | None:
    """Return the files below `folder` that may be code, in order; None if they are too many or too large."""
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
