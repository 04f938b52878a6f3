"""Support for programs that do not use hpo: how the trial host reads their results, and the messages about what it found."""

import glob
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpo.backends.arguments import fill
from hpo.backends.failure_cause import last_lines
from hpo.config.choices import ReportChannel, WorkingDirectory
from hpo.config.schema import BenchmarkConfig
from hpo.errors import did_you_mean
from hpo.events.text import printable
from hpo.events.types import Exit

log = logging.getLogger(__name__)

_STREAMS = {ReportChannel.stdout: "standard output", ReportChannel.stderr: "standard error"}


def reading_of(benchmark: BenchmarkConfig, places: Mapping[str, str], reports: Path) -> dict[str, Any]:
    """Return the settings with which the host reads an attempt's results; see `hpo.host.report_source`.

    Args:
        benchmark: Benchmark of a program that does not use hpo.
        places: Values of the placeholders.
        reports: File that the results are written to for the tuner.
    """
    reading = {
        "channel": benchmark.report_channel.value,
        "reports": str(reports.absolute()),
        "metric": benchmark.metric,
        "resource": benchmark.named_resource,
        "first": benchmark.first_resource,
    }
    if benchmark.report_path is None:
        return {**reading, "patterns": dict(benchmark.patterns)}
    # A `*` in the user's pattern matches any name; one in a folder's name is literal.
    path = Path(fill(benchmark.report_path, {name: glob.escape(place) for name, place in places.items()}))
    here = benchmark.working_directory == WorkingDirectory.here
    return {**reading, "path": str(Path(glob.escape(str(Path.cwd()) if here else places["checkpoint_dir"])) / path)}


@dataclass
class FoundResults:
    """The messages about the results of one session's trials.

    Args:
        benchmark: Benchmark of the trials.
    """

    benchmark: BenchmarkConfig
    _said: bool = False

    def judge(self, end: Exit, found: Mapping[str, Any], folder: Path) -> Exit:
        """Return the end of an attempt, with the reason if it reported nothing; logs what was found in the first.

        Args:
            end: End of its process.
            found: Findings of the host.
            folder: Folder of the attempt, with its logs.
        """
        end = end._replace(found=found)
        if found["reports"] == 0 and end.exit_code == 0:
            searched = self.benchmark.report_channel.value if self.benchmark.searched else "stdout"
            printed = folder / f"{searched}.log"
            return end._replace(error=self._nothing(found, printed), log=printed)
        if found["reports"] and not self._said:
            self._said = True
            self._say(end.trial_id, found)
        return end

    def _say(self, trial_id: int, found: Mapping[str, Any]) -> None:
        counts = {name: count for name, count in found["counts"].items() if count}
        line = f"trial {trial_id}: {self._where(found)} has {', '.join(f'{name} ({n})' for name, n in counts.items())}"
        missing = [f"{name} ({pattern})" for name, pattern in self.benchmark.patterns.items() if name not in counts]
        line += f"; it never has {', '.join(missing)}" if missing else ""
        if found["early"]:
            metric, resource = self.benchmark.metric, self.benchmark.resource_attr
            line += f"; {metric} came before any {resource} {found['early']} times, and was left out"
        level = logging.WARNING if missing or found["early"] else logging.INFO
        log.log(level, "%s", printable(line), extra={"terminal": True})

    def _where(self, found: Mapping[str, Any]) -> str:
        return f"its {self._stream}" if self.benchmark.patterns else str(found["path"])

    @property
    def _stream(self) -> str:
        return _STREAMS[self.benchmark.report_channel]

    def _nothing(self, found: Mapping[str, Any], printed: Path) -> str:
        """Return why there is no report, and what to do."""
        benchmark, counts = self.benchmark, found["counts"]
        metric, resource = benchmark.metric, benchmark.named_resource
        missing, key = (metric, "metric") if not counts.get(metric) else (str(resource), "resource_attr")
        if pattern := benchmark.patterns.get(missing):
            others = [other for other in counts if counts[other] and other != benchmark.resource_attr]
            return self._unmatched(missing, pattern, printed) + (f"; it has {', '.join(others)}" if others else "")
        if found["path"] is None:
            return f"there was no file benchmark.report_path={benchmark.report_path}"
        names = list(found["columns"] or counts)
        if missing in names:
            return f"{found['path']} has no value of {missing}"
        if not names:
            return f"{found['path']} has nothing new in it"
        return f"{found['path']} has {', '.join(names)}, and no benchmark.{key}={missing}{did_you_mean(missing, names)}"

    def _unmatched(self, name: str, pattern: str, printed: Path) -> str:
        line = f"no line of its {self._stream} matches benchmark.patterns.{name}={pattern}"
        if name == self.benchmark.resource_attr:
            line += f" before the first {self.benchmark.metric}"
        (channel, other), *_ = (pair for pair in _STREAMS.items() if pair[0] != self.benchmark.report_channel)
        if re.search(pattern, last_lines(printed.with_name(f"{channel.value}.log"))):
            return f"{line}, but one of its {other} does: set benchmark.report_channel={channel.value}"
        last = last_lines(printed, lines=1, most=1000).strip()
        return f"{line}; the last is {last[-200:]!r}" if last else f"{line}: it printed nothing"


def in_blocks(found: Mapping[str, Any] | None, benchmark: BenchmarkConfig) -> bool:
    """Whether all reports of a program arrived at the same moment, because its output was buffered."""
    if found is None or not benchmark.searched:
        return False
    return bool(found["together"] == found["reports"] > 1)
