r"""The choice of a reader for programs that make no reports themselves, by the order of the attempt. Standard library only.

    "reading": {"channel": "stdout", "patterns": {"loss": "loss=(\\S+)"}, ...}
    "reading": {"channel": "csv" or "jsonl", "path": "/tmp/metrics.csv", ...}

with `reports`, `metric`, `resource` and `first` as in `Gathering`.
"""

from collections.abc import Mapping
from typing import Any

from hpo.host.appended_reports import Appended
from hpo.host.printed_reports import Printed
from hpo.host.report_assembly import Gathering

Reader = Appended | Printed


def reader_of(given: Mapping[str, Any], stdout: str) -> Reader:
    """Return the reader of an attempt whose standard output goes to the file `stdout`.

    Raises:
        OSError: A file cannot be opened.
    """
    patterns = given.get("patterns", {})
    gathering = Gathering(
        reports=given["reports"],
        metric=given["metric"],
        resource=given["resource"],
        first=given["first"],
        names=list(patterns),
    )
    if given["channel"] == "stdout":
        return Printed(log=stdout, patterns=patterns, gathering=gathering)
    return Appended(path=given["path"], metric=given["metric"], table=given["channel"] == "csv", gathering=gathering)
