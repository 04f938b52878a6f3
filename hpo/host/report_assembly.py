"""Reports put together from lines of a program that knows nothing of reports, and written for the tuner to read.

The metric makes the report; what stood on other lines since the resource last changed belongs to it. Standard library only.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

_MOST_NAMES = 100
"""So many names are counted: a program may make up new ones for ever."""


class Gathering:
    """Takes in what lines say, in their order.

    Args:
        reports: path of the report file, which exists.
        metric: name of the metric.
        resource: name of the resource; None where reports are counted.
        first: where the program begins to count its resource, 0 or 1.
        names: those that are looked for, where they are known before.
    """

    def __init__(self, *, reports: str, metric: str, resource: str | None, first: int, names: list[str]) -> None:
        self._file = os.open(reports, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._metric = metric
        self._resource = resource
        self._add = 1 - first
        self._values: dict[str, Any] = {}
        """Of the resource that the program is at."""
        self._reached = float("-inf")
        self._again = 0
        self.counts = dict.fromkeys(names, 0)
        """How often each name had a value."""
        self.reports = 0
        self.early = 0
        """Metrics that came before any resource."""

    def take(self, values: Mapping[str, Any]) -> None:
        """Take in the values of one line."""
        for name in values:
            if name in self.counts or len(self.counts) < _MOST_NAMES:
                self.counts[name] = self.counts.get(name, 0) + 1
        resource = self._resource
        if resource is not None and resource in values:
            at = values[resource]
            if isinstance(at, int | float):
                at += self._add
            if at != self._values.get(resource):
                self._values.clear()
            values = {**values, resource: at}
        self._values.update(values)
        if self._metric in values:
            self._report()

    def _report(self) -> None:
        if self._resource is None:
            if self._again:
                self._again -= 1
            else:
                self._write(self._values)
            self._values.clear()
        elif self._resource not in self._values:
            self.early += 1
        else:
            at = self._values[self._resource]
            if isinstance(at, int | float):
                if at <= self._reached:
                    return
                self._reached = at
            self._write(self._values)

    def _write(self, values: Mapping[str, Any]) -> None:
        self.reports += 1
        self.pass_on(json.dumps(values).encode())

    def pass_on(self, line: bytes) -> None:
        """Let the tuner see a line as it is."""
        data = line + b"\n"
        while data:
            data = data[os.write(self._file, data) :]

    def begin_again(self) -> None:
        """All lines from the first on come once more."""
        self._values.clear()
        self._again = self.reports

    @property
    def found(self) -> dict[str, Any]:
        """For people."""
        return {"counts": self.counts, "reports": self.reports, "early": self.early}

    def close(self) -> None:
        """Close the report file."""
        os.close(self._file)
