"""The code that a session's trials run: digests of the script and of files beside it, the git commit, the folder.

The record tells later whether two trials ran the same code. It must be available within milliseconds: large folders are
left out, and so is anything that git does not answer at once.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpo.backends.code_watch import CodeWatch
from hpo.backends.executables import find_program
from hpo.config.schema import BenchmarkConfig
from hpo.events.code import is_source
from hpo.functions.finding import find_function

GIT_SECONDS = 0.05


def watch_code(
    benchmark: BenchmarkConfig, directory: Path = Path(), before: Mapping[str, Any] | None = None
) -> CodeWatch | None:
    """Begin to watch the code of a benchmark's program; None if the program is not a file of the user's.

    Args:
        benchmark: Benchmark that names the program.
        directory: Directory of the experiment.
        before: Version of the code that it will be compared with.

    Returns:
        A watch whose `code` has `script`, its `digest`, the digests of the `sources` beside it by name and of `all`
        files there (both None if there are too many), which sources are only `tracked`, the working `directory`, and
        `commit` and `dirty` (None if git does not answer).
    """
    script = _script(benchmark, directory) if benchmark.has_program else None
    if script is None:
        return None
    head = _git(script.parent, ["rev-parse", "HEAD"])
    difference = _git(script.parent, ["diff", "--quiet", "HEAD", "--", "."])
    names = _git(script.parent, ["ls-files", "-z", "--", "."])
    (failed, commit), (dirty, _), (unlisted, listed) = _answer(head), _answer(difference), _answer(names)
    tracked = {*listed.split("\0")} if unlisted == 0 else set()
    return CodeWatch(
        script,
        tracked | {*(before or {}).get("tracked", ())},
        {
            "directory": str(Path.cwd()),
            "commit": commit if failed == 0 else None,
            "dirty": bool(dirty) if failed == 0 and dirty is not None else None,
        },
    )


def code_of(
    benchmark: BenchmarkConfig, directory: Path = Path(), before: Mapping[str, Any] | None = None
) -> Mapping[str, Any] | None:
    """Describe the current code of a benchmark's program, as in `watch_code`; None if it is not a file of the user's."""
    watch = watch_code(benchmark, directory, before)
    return None if watch is None else watch.code


def _script(benchmark: BenchmarkConfig, directory: Path) -> Path | None:
    """Return the user's program: the script, a command's first argument, what a launcher starts, or the command itself."""
    if benchmark.function is not None:
        return Path(find_function(benchmark.function, directory).file).resolve()
    words = find_program(benchmark)
    if benchmark.command is None:
        return Path(words[-1]).resolve()
    launched = [word for word in words[2:] if is_source(word, "") or os.access(word, os.X_OK)]
    candidates = words[1:2] + launched + ([words[0]] if "/" in benchmark.command[0] else [])
    return next((Path(word).resolve() for word in candidates if Path(word).is_file()), None)


def _git(folder: Path, arguments: Sequence[str]) -> "subprocess.Popen[str] | None":
    command = ["git", "-C", str(folder), *arguments]
    try:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except OSError:  # git is not installed
        return None


def _answer(process: "subprocess.Popen[str] | None") -> tuple[int | None, str]:
    """Return exit code and output of a process; the code is None if it did not answer in time."""
    if process is None:
        return None, ""
    with process:
        try:
            out, _ = process.communicate(timeout=GIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return None, ""
        return process.returncode, out.strip()
