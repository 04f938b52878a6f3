r"""The choice of a reader for programs that make no reports themselves, by the order of the attempt. Standard library only.

    "reading": {"channel": "stdout" or "stderr", "patterns": {"loss": "loss=(\\S+)"}, ...}
    "reading": {"channel": "csv" or "jsonl", "path": "/tmp/metrics.csv", ...}

with `reports`, `metric`, `resource` and `first` as in `Gathering`.
"""

from collections.abc import Mapping
from typing import Any

from hpo.host.appended_reports import Appended
from hpo.host.printed_reports import Printed
from hpo.host.report_assembly import Gathering

Reader = Appended | Printed


PRINTED = ("stdout", "stderr")
"""Channels that are streams of the program."""


def reader_of(order: Mapping[str, Any]) -> Reader:
    """Return the reader that the order of an attempt asks for.

    Raises:
        OSError: A file cannot be opened.
    """
    given = order["reading"]
    patterns = given.get("patterns", {})
    gathering = Gathering(
        reports=given["reports"],
        metric=given["metric"],
        resource=given["resource"],
        first=given["first"],
        names=list(patterns),
    )
    if given["channel"] in PRINTED:
        return Printed(log=order[given["channel"]], patterns=patterns, gathering=gathering)
    return Appended(path=given["path"], metric=given["metric"], table=given["channel"] == "csv", gathering=gathering)
