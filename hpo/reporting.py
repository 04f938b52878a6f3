"""What a training script calls: `hpo.report(epoch=3, accuracy=0.91)`. Standard library only.

The channel is a file: one JSON object per line, appended to the file that `HPO_REPORT_FILE` names. Any language can
write it; this module also syncs each line to the disk, so that a report which has returned survives a crash of the
machine. Save the checkpoint first, then report; after loading a checkpoint report its metrics again (see hpo.checkpoint).
"""

import json
import os
import sys
from typing import Any

REPORT_FILE = "HPO_REPORT_FILE"


def report(*mappings: Any, **metrics: Any) -> None:
    """Hand one set of values to the tuner, or print it where no tuner listens.

    Args:
        *mappings: dictionaries of such values: `report({"epoch": 3, "accuracy": 0.91})`.
        **metrics: the metric, the resource spent so far (`epoch`) and whatever else should be kept. Numbers, strings,
            booleans, None, lists and dictionaries; NumPy and torch scalars are converted.

    Raises:
        TypeError: a value cannot be written as JSON; the message names its key. Or it has no name.
    """
    for mapping in reversed(mappings):
        metrics = {**_named(mapping), **metrics}
    line = _encode(metrics)
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


def _named(mapping: Any) -> dict[str, Any]:
    try:
        return dict(mapping)
    except (TypeError, ValueError):
        text = f"report({mapping!r:.200}): give each value a name, as in report(epoch=3, loss=0.5) or report({{'loss': 0.5}})"
        raise TypeError(text) from None


def _encode(metrics: dict[str, Any]) -> str:
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
    """NumPy and torch scalars, known by their `item` method, without importing either."""
    item = getattr(value, "item", None)
    if item is None:
        raise TypeError
    try:
        return item()
    except (ValueError, RuntimeError):  # more than one element
        raise TypeError from None
