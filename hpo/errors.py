"""Errors a user can cause. Each message is one sentence that names the key, the value and the remedy.

HPOError
├── ConfigError      a key of the configuration, a search space or a command line
├── StoreError       an experiment directory: in use, damaged, of another configuration
│   └── DamageError  its event store has been altered or truncated
├── BackendError     the machine: devices, the trial host, a script that cannot be started
├── ReportError      (hpo.events.objective) a report that cannot be used
└── ExperimentError  an experiment that cannot continue: wrong metric name, nothing but failing trials
"""

import sys
from collections.abc import Iterable, Sequence


class HPOError(Exception):
    """Base class of all errors of this package; the command line prints its message without a traceback."""

    def _render_traceback_(self) -> list[str]:
        """Return what IPython and notebooks show below a cell: the message without a traceback."""
        return [f"{ERROR_PREFIX}{self}"]


class ConfigError(HPOError):
    """Error for a wrong value of the configuration."""


class StoreError(HPOError):
    """Error for an experiment directory that cannot be used."""


class DamageError(StoreError):
    """Error for an event store whose content is not what was written."""


class BackendError(HPOError):
    """Error for trials that this machine cannot run."""


class ExperimentError(HPOError):
    """Error for an experiment that cannot continue."""


ERROR_PREFIX = "hpo: error: "
"""Prefix of error messages on a terminal."""


def harmless(text: str) -> str:
    """Return a text without characters that control a terminal, are invisible, or change the writing direction."""
    return "\n".join(
        line if line.isprintable() else "".join(c if c.isprintable() or c == "\t" else " " for c in line)
        for line in text.split("\n")
    )


def print_error(text: object) -> None:
    """Write an error message to standard error."""
    sys.stderr.write(f"{ERROR_PREFIX}{harmless(str(text))}\n")
    sys.stderr.flush()


DISTRIBUTION = "hydra-hpo"
"""Name of this package on PyPI, where `hpo` is another project."""


def how_to_install(extra: str) -> str:
    """Tell how to install a missing extra: in a clone, after an installation, or from copied code."""
    import re  # needed for errors only
    import shlex
    from importlib import metadata
    from pathlib import Path

    if (Path(__file__).parents[1] / "pyproject.toml").is_file():
        return f"install it with: pip install -e '.[{extra}]' in the clone of this repository"
    try:
        required = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        required = []
    wanted = [line.partition(";")[0].strip() for line in required if re.search(rf"extra *== *['\"]{extra}['\"]", line)]
    return f"install it with: pip install {shlex.join(wanted) or extra}"


def documentation(page: str = "") -> str:
    """Return the path of a documentation page, or of the folder of all pages: in the package, or beside it in a clone."""
    from pathlib import Path

    inside = Path(__file__).parent / "docs"
    return str((inside if inside.is_dir() else inside.parents[1] / "docs") / page)


_MOST = 20
"""Largest number of names that a message lists in addition to the nearest one."""


def nearest(word: str, names: Iterable[str]) -> str | None:
    """Return the name most similar to `word`, ignoring case; None if none is similar."""
    import difflib  # needed for errors only

    by_folded = {name.casefold(): name for name in names}
    found = difflib.get_close_matches(word.casefold(), by_folded, n=1)
    return by_folded[found[0]] if found else None


def did_you_mean(word: str, names: Iterable[str], otherwise: str = "") -> str:
    """Return the end of a message about an unknown `word`: the nearest name, or `otherwise` if none is similar."""
    near = nearest(word, names)
    return f"; did you mean {near}?" if near is not None else otherwise


def choose(word: str, names: Sequence[str]) -> str:
    """Return the end of a message about an unknown choice: the nearest name, and the other names unless these are many."""
    near = nearest(word, names)
    there_are = ", ".join(names)
    if near is None:
        return f"; choose from {there_are}" if names else ""
    known_but_for_case = near.casefold() == word.casefold()
    others = f" There are {there_are}" if len(names) <= _MOST and not known_but_for_case else ""
    return f"; did you mean {near}?{others}"
