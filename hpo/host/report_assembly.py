"""Reports made from the output lines of a program that makes no reports itself, and written for the tuner.

A value of the metric completes a report; values on other lines since the resource last changed belong to it. Standard
library only.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

_MOST_NAMES = 100
"""Largest number of names that are counted, because a program may print ever new ones."""


class Gathering:
    """Collector of the values on lines, in their order.

    Args:
        reports: Path of the report file, which exists.
        metric: Name of the metric.
        resource: Name of the resource; None if reports are counted.
        first: Number from which the program counts its resource, 0 or 1.
        names: Names that are looked for, if they are known before.
    """

    def __init__(self, *, reports: str, metric: str, resource: str | None, first: int, names: list[str]) -> None:
        self._file = os.open(reports, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._metric = metric
        self._resource = resource
        self._add = 1 - first
        self._values: dict[str, Any] = {}
        """Values at the current resource."""
        self._reached = float("-inf")
        self._again = 0
        self.counts = dict.fromkeys(names, 0)
        """Number of values of each name."""
        self.reports = 0
        self.early = 0
        """Number of values of the metric that were left out because no value of the resource came before them."""

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
        """Write a line to the report file unchanged."""
        data = line + b"\n"
        while data:
            data = data[os.write(self._file, data) :]

    def begin_again(self) -> None:
        """Prepare for all lines to come once more, from the first."""
        self._values.clear()
        self._again = self.reports

    @property
    def found(self) -> dict[str, Any]:
        """Return the counts of what was found, for messages."""
        return {"counts": self.counts, "reports": self.reports, "early": self.early}

    def close(self) -> None:
        """Close the report file."""
        os.close(self._file)
