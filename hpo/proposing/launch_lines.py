"""Lines that start a script, in its own docstrings and comments and in the shell scripts and the README beside it."""

import contextlib
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hpo.proposing.argument_roles import resource_of
from hpo.proposing.arguments import Argument
from hpo.proposing.domains import propose

_BESIDE = ("*.sh", "*.slurm", "*.sbatch", "scripts/*.sh", "Makefile", "README*")
_MOST_FILES = 50
_MOST_BYTES = 1_000_000
_LAUNCHER = (
    r"torchrun|accelerate\s+launch|deepspeed|horovodrun|mpirun|mpiexec|"
    r"(?:\S*/)?python[\d.]*\s+-m\s+(?:torch\.distributed\.(?:run|launch)|accelerate\.commands\.launch|deepspeed)"
)
_PYTHON = r"(?:\S*/)?python[\d.]*(?:\s+-[uBO]+)*"
_OF_TORCH = ("torchrun", "torch.distributed.run", "torch.distributed.launch")
_OF_A_CLUSTER = re.compile(
    r"--?(nnodes|node_rank|master_(addr|port)|rdzv_\w+|num_machines|machine_rank|main_process_(ip|port)|hostfile|hosts?|H)"
)
"""Launcher options about other machines, which are left out because a trial runs on one."""
_FLAGS = re.compile(
    r"--(standalone|use_env|no_python|module|m|multi_gpu|cpu|mixed_precision_off|oversubscribe|allow_run_as_root|use_\w+|same_network)"
)
"""Options of launchers that take no value."""
_COUNT = re.compile(r"--?(nproc_per_node|num_processes|num_gpus|np|n)")
_PLACEHOLDER = re.compile(r"[$<>{}\[\]`]|^[A-Z_]{2,}$|\.\.\.|path/to|^/path")
_DEFAULTED = re.compile(r"\$\{(\w+):?[-=]([^}$]*)\}|\$\{?(\w+)\}?")


@dataclass(frozen=True)
class LaunchLine:
    """A line that starts the script.

    Attributes:
        launcher: The words before the script, such as torchrun with its options; empty for `python script.py`.
        processes: Number of processes that the launcher starts.
        arguments: Values of the script's options on the line, by name without dashes.
        where: File and line.
    """

    launcher: Sequence[str]
    processes: int
    arguments: dict[str, str]
    where: str


def read_launch_lines(script: Path) -> list[LaunchLine]:
    """Return the lines that start a Python script, those of its own text first."""
    found = []
    for file in _texts(script):
        text = file.read_bytes()[:_MOST_BYTES].decode("utf-8", "replace")
        name = "" if file == script else f"{file.name} "
        program = rf"(?:(?P<launcher>{_LAUNCHER})(?P<options>(?:[ \t]+[^\s|;&]+)*?)|{_PYTHON})"
        line = rf"{program}[ \t]+(?:\S*/)?{re.escape(script.name)}"
        joined = re.sub(r"[ \t]*\\\n[ \t#]*", lambda match: " " * len(match[0]), text)  # of the same length
        for match in re.finditer(rf"(?<![\w./-]){line}(?![\w.])(?P<rest>[^\n|;&>#`]*)", joined):
            place = f"{name}line {text.count(chr(10), 0, match.start()) + 1}"
            words = [_filled(word, text) for word in _split(match["options"] or "")]
            launcher, processes = _launcher(match["launcher"] or "", words)
            found.append(LaunchLine(launcher, processes, dict(_pairs(_split(match["rest"]))), place))
    return found


def with_shown_values(
    arguments: Sequence[Argument], lines: Sequence[LaunchLine], started: LaunchLine | None = None
) -> Iterator[Argument]:
    """Yield a script's arguments with the values that lines give: all values of one line, else those without a default.

    Args:
        arguments: Arguments as the script's source declares them.
        lines: Lines that start the script.
        started: The line that trials are started as, whose values replace the script's defaults.
    """
    for argument in arguments:
        shown = next((line for line in lines if argument.name in line.arguments), None)
        if started is not None and argument.name in started.arguments:
            shown = started
        elif not argument.required or propose(argument) is not None:
            shown = None
        if shown is None:
            yield argument
            continue
        value, where = _typed(shown.arguments[argument.name]), f"as in {shown.where}"
        proposal = propose(argument)
        if (proposal is not None and proposal.sure) or resource_of([argument]) is not None:
            yield replace(argument, default=value, where=where)
        else:
            yield replace(argument, given=value, where=where)


def _typed(text: str) -> int | float | str:
    for convert in (int, float):
        with contextlib.suppress(ValueError):
            return convert(text)
    return text


def _texts(script: Path) -> Iterator[Path]:
    yield script
    for pattern in _BESIDE:
        for file in sorted(script.parent.glob(pattern))[:_MOST_FILES]:
            if file.is_file() and file != script:
                yield file


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote that is not closed
        return text.split()


def _filled(word: str, text: str) -> str:
    """Return a word of a shell script with its variables filled in, as far as the script has them: `${GPUS:-2}`, `GPUS=2`."""

    def value(match: re.Match[str]) -> str:
        if match[1]:
            return match[2]
        given = re.search(rf"^[ \t]*(?:export[ \t]+)?{match[3]}=[\"']?([\w.-]+)", text, re.MULTILINE)
        return given[1] if given is not None else match[0]

    return _DEFAULTED.sub(value, word)


def _launcher(program: str, words: Sequence[str]) -> tuple[list[str], int]:
    """Return the words of a launcher for one machine, and its number of processes."""
    if not program:
        return [], 1
    kept, processes = [], 1
    for name, value in _options(words):
        if _OF_A_CLUSTER.fullmatch(_underscored(name)) or "$" in f"{name}{value}":
            continue
        if _COUNT.fullmatch(_underscored(name)) and (value or "").isdecimal():
            processes = int(value or 1)
        if not (name == "--standalone" and value is None):
            kept += (
                [f"{name}={value}"]
                if value is not None and name.startswith("--")
                else [name, *([value] if value else [])]
            )
    head = program.split()
    if any(name in program for name in _OF_TORCH):
        kept = ["--standalone", *kept]
        if head == ["torchrun"] and shutil.which("torchrun") is None:
            head = [sys.executable, "-m", "torch.distributed.run"]
    if processes == 1 and not any(_COUNT.fullmatch(_underscored(word.partition("=")[0])) for word in kept):
        kept += ["--nproc-per-node=1"] if "--standalone" in kept else []
    return [*head, *kept], processes


def _underscored(option: str) -> str:
    dashes = len(option) - len(option.lstrip("-"))
    return "-" * dashes + option[dashes:].replace("-", "_")


def _options(words: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Yield the options of a launcher, each with its value or None."""
    ahead = list(words)
    while ahead:
        name, equals, value = ahead.pop(0).partition("=")
        if not equals and ahead and not ahead[0].startswith("-") and not _FLAGS.fullmatch(_underscored(name)):
            value = ahead.pop(0)
        yield name, value if equals or value else None


def _pairs(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the values of a script's options, from `--data=a` and `--data a`, without placeholders such as PATH."""
    for number, word in enumerate(words):
        name, equals, value = word.partition("=")
        following = words[number + 1] if number + 1 < len(words) else "-"
        value = value if equals else following
        if name.startswith("-") and (equals or not value.startswith("-")) and not _PLACEHOLDER.search(value):
            yield name.lstrip("-"), value
