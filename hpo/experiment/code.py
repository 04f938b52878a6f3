"""Which code the trials of a session run: digests of the script and of what lies beside it, git's commit, the folder.

What is recorded tells later whether two sessions ran the same. It has to be had in milliseconds: folders that hold much are
left out, and so is what git does not say at once.
"""

import hashlib
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpo.backends.executables import files_beside, find_program
from hpo.config.schema import BenchmarkConfig
from hpo.functions.finding import find_function

GIT_SECONDS = 0.05


def code_of(benchmark: BenchmarkConfig, directory: Path = Path()) -> dict[str, Any] | None:
    """What a benchmark's program is just now; None where it is no file of the user's.

    Args:
        benchmark: what names it.
        directory: of the experiment.

    Returns:
        `script`, its `digest`, the digests of the `sources` beside it by name and of `all` files there (both None where there
        are too many), the working `directory`, and `commit` and `dirty` (None where git does not say).
    """
    script = _script(benchmark, directory) if benchmark.has_program else None
    if script is None:
        return None
    head = _git(script.parent, ["rev-parse", "HEAD"])
    difference = _git(script.parent, ["diff", "--quiet", "HEAD", "--", "."])  # works while files are read
    files = files_beside(script.parent)
    digests = None if files is None else {str(path.relative_to(script.parent)): _digest(path) for path in files}
    (failed, commit), (dirty, _) = _answer(head), _answer(difference)
    return {
        "script": str(script),
        "digest": _digest(script),
        "sources": digests and {name: digest for name, digest in digests.items() if name.endswith(script.suffix)},
        "all": digests and hashlib.blake2b(repr(sorted(digests.items())).encode(), digest_size=8).hexdigest(),
        "directory": str(Path.cwd()),
        "commit": commit if failed == 0 else None,
        "dirty": bool(dirty) if failed == 0 and dirty is not None else None,
    }


def changed_files(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Names of the script and of sources beside it that are no longer what they were. New ones change nothing alone."""
    if not before or not now:
        return []
    script = Path(now["script"]).name
    names = [script] if before["digest"] != now["digest"] else []
    if before["sources"] is None or now["sources"] is None:
        return names
    return names + [
        name
        for name, digest in before["sources"].items()
        if name != script and name != Path(before["script"]).name and now["sources"].get(name) != digest
    ]


def _script(benchmark: BenchmarkConfig, directory: Path) -> Path | None:
    """The file that is the user's: the script, the first argument of a command, or a command that is given by its path."""
    if benchmark.function is not None:
        return Path(find_function(benchmark.function, directory).file).resolve()
    words = find_program(benchmark)
    if benchmark.command is None:
        return Path(words[-1]).resolve()
    candidates = words[1:2] + ([words[0]] if "/" in benchmark.command[0] else [])
    return next((Path(word).resolve() for word in candidates if Path(word).is_file()), None)


def _digest(path: Path) -> str | None:
    """Of a file's content; None where it cannot be read."""
    try:
        return hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()
    except OSError:
        return None


def _git(folder: Path, arguments: Sequence[str]) -> "subprocess.Popen[str] | None":
    command = ["git", "-C", str(folder), *arguments]
    try:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except OSError:  # no git here
        return None


def _answer(process: "subprocess.Popen[str] | None") -> tuple[int | None, str]:
    """Exit code, None where there was no answer in time, and output."""
    if process is None:
        return None, ""
    with process:
        try:
            out, _ = process.communicate(timeout=GIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return None, ""
        return process.returncode, out.strip()
