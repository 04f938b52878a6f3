"""Functions for training scripts: `hpo.arguments(lr=0.1)`, `hpo.report(epoch=3, accuracy=0.91)`. Standard library only.

Reports are JSON objects, one per line, appended to the file that `HPO_REPORT_FILE` names. Any language can write it;
this module also syncs each line to disk, so that a report survives a crash of the machine once the call has returned.
Save the checkpoint first, then report; after loading a checkpoint report its metrics again (see hpo.checkpoint).
"""

import json
import os
import sys
from types import SimpleNamespace
from typing import Any

REPORT_FILE = "HPO_REPORT_FILE"
PROCESSES = "HPO_PROCESSES"
"""Variable with the number of a trial's processes; set only where hpo starts several (`benchmark.processes_per_trial`)."""
_RANKS = ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "SLURM_PROCID")
"""Variables by which launchers tell a process its number, the most specific first."""


def report(*mappings: Any, **metrics: Any) -> None:
    """Report one set of values to the tuner, or print it if the script runs without a tuner.

    Of the processes of a trial (`benchmark.processes_per_trial`) only that of rank 0 reports; calls in others do nothing.

    Args:
        *mappings: Dictionaries of values: `report({"epoch": 3, "accuracy": 0.91})`.
        **metrics: The metric, the resource spent so far (`epoch`) and whatever else should be kept. Numbers, strings,
            booleans, None, lists and dictionaries; NumPy and torch scalars are converted.

    Raises:
        TypeError: A value cannot be written as JSON, and the message names its key; or a value has no name.
    """
    for mapping in reversed(mappings):
        metrics = {**_named(mapping), **metrics}
    line = encode(metrics)
    if not is_first_process():
        return
    path = os.environ.get(REPORT_FILE)
    if not path:
        sys.stdout.write(line)
        sys.stdout.flush()
        return
    # Opened for each line: nothing to inherit by forked workers, and O_APPEND keeps lines of several writers whole.
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        data = line.encode()
        while data:
            data = data[os.write(descriptor, data) :]
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def is_first_process() -> bool:
    """Return whether this process has rank 0 among those of its trial; True where hpo starts only one."""
    if not os.environ.get(PROCESSES):  # a RANK of somebody else's, such as of a job that the tuner runs in
        return True
    return next((os.environ[name] for name in _RANKS if os.environ.get(name)), "0") == "0"


def arguments(**defaults: Any) -> SimpleNamespace:
    """Parse the script's command-line arguments, `--name=value` or `--name value`, without a hand-written parser.

    Args:
        **defaults: Default value of each argument. A given value is converted to the type of its default; if that is
            None, it becomes a number, a boolean, None, a list or a dictionary if it reads as one, else a string.

    Returns:
        Object with one attribute per argument; `vars` makes a dictionary of it.

    Raises:
        SystemExit: A word does not begin with `--`, or a value does not have the type of its default.
    """
    found, words = dict(defaults), iter(sys.argv[1:])
    for word in words:
        name, equals, text = word.partition("=")
        if not name.startswith("--"):
            raise SystemExit(f"{word!r}: write --name=value")
        name = name[2:].replace("-", "_")
        found[name] = _typed(name, text if equals else next(words, ""), defaults.get(name))
    return SimpleNamespace(**found)


def _typed(name: str, text: str, default: Any) -> Any:
    if isinstance(default, str):
        return text
    if isinstance(default, float) and not isinstance(default, bool):
        try:
            return float(text)
        except ValueError:
            raise SystemExit(f"--{name}={text}: a number is needed") from None
    value = _read(text)
    if default is not None and type(value) is not type(default):
        raise SystemExit(f"--{name}={text}: a value such as {default!r} is needed")
    return value


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return _WORDS.get(text, text)


_WORDS = {"True": True, "False": False, "None": None}
"""Python constants as hpo writes them on a command line."""


def _named(mapping: Any) -> dict[str, Any]:
    try:
        return dict(mapping)
    except (TypeError, ValueError):
        text = f"report({mapping!r:.200}): give each value a name, as in report(epoch=3, loss=0.5) or report({{'loss': 0.5}})"
        raise TypeError(text) from None


def encode(metrics: dict[str, Any]) -> str:
    """Encode metrics as the line of a report.

    Raises:
        TypeError: A value cannot be written as JSON; the message names its key.
    """
    try:
        return json.dumps(metrics, default=_scalar) + "\n"
    except (TypeError, ValueError, RecursionError):
        for key, value in metrics.items():
            try:
                json.dumps(value, default=_scalar)
            except (TypeError, ValueError, RecursionError):
                kind = type(value).__name__
                raise TypeError(f"report({key}=...): a {kind} cannot be reported; pass a number or a string") from None
        raise


def _scalar(value: Any) -> Any:
    """Convert a NumPy or torch scalar, recognised by its `item` method, without importing either."""
    item = getattr(value, "item", None)
    if item is None:
        raise TypeError
    try:
        return item()
    except (ValueError, RuntimeError):  # more than one element
        raise TypeError from None
