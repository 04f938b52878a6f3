"""Versions of the code that trials run: what counts as code, what changed between two versions, and which trial ran which."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, NamedTuple

from hpo.events.types import Event, Kind

_ENDINGS = re.compile(
    r"\.(ba|fi|z)?sh|\.c(c|l|lj|pp|s|u|uh|xx)?|\.erl|\.exs?|\.f(03|08|90|95|or|s)?|\.go|\.h(h|pp|s|xx)?|\.java|\.jl|\.m?js|\.kts?"
    r"|\.lua|\.ml?|\.nim|\.p(as|hp|l|m|roto|s1|y|yi|yx|xd)|\.rb?|\.rs|\.scala|\.slurm|\.sql|\.swift|\.tcl|\.ts|\.v|\.vhd|\.zig"
)
"""Of names of files that are sources, in lower case."""
_OTHERS = re.compile(
    r"\.(bin|bmp|ckpt|csv|db|dat|err|feather|gif|gz|h5|ipynb|jpe?g|jsonl|log|md|np[yz]|onnx|out|parquet|pdf|pickle|pkl|png|pth?)"
    r"|\.(rst|safetensors|svg|tar|tex|tsv|txt|xz|zip)"
)
"""Of names of files that are text, data or output, even if they are under version control."""


def is_source(name: str, script: str, tracked: Collection[str] = ()) -> bool:
    """Whether a file beside a program is part of its code.

    Args:
        name: of the file, relative to the program's folder.
        script: name of the program.
        tracked: names of files under version control.
    """
    ending = PurePath(name).suffix.lower()
    own = PurePath(script).suffix.lower()
    if name == script or ending == own != "" or _ENDINGS.fullmatch(ending):
        return True
    return name in tracked and not _OTHERS.fullmatch(ending)


def changed_files(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """List the script and the sources beside it that differ between two versions. A new file alone is no change."""
    if not before or not now:
        return []
    script = PurePath(now["script"]).name
    names = [script] if before["digest"] != now["digest"] else []
    if before["sources"] is None or now["sources"] is None:
        return names
    old = PurePath(before["script"]).name
    # Earlier versions of hpo recorded every file beside a program whose name has no ending.
    known = before["sources"] if "tracked" in before else [name for name in before["sources"] if is_source(name, old)]
    compared = (name for name in known if name not in (script, old))
    return names + [name for name in compared if now["sources"].get(name) != before["sources"][name]]


class Edit(NamedTuple):
    """A change of the code that was found when an attempt was started."""

    session: int
    trial: int
    names: Sequence[str]


@dataclass(slots=True)
class CodeHistory:
    """The versions of the code in an experiment, in the order in which trials ran them, and the version of each trial."""

    last: Mapping[str, Any] = field(default_factory=dict)
    """What an attempt runs that starts now, as far as the log tells; empty if it does not."""
    versions: list[Mapping[str, Any]] = field(default_factory=list)
    changes: dict[int, Sequence[str]] = field(default_factory=dict)
    """Files that had changed since the session before, by session, from 1."""
    edits: list[Edit] = field(default_factory=list)
    """Changes while a session ran."""
    of: dict[int, list[int]] = field(default_factory=dict)
    """The version of each attempt of a trial, as an index of `versions`."""
    unsure: set[int] = field(default_factory=set)
    """Trials with an attempt during whose start the code changed, so that nobody can know which version it ran."""
    _current: int | None = None

    def apply(self, event: Event, session: int) -> None:
        """Take in an event that may tell of code.

        Args:
            event: the event.
            session: its session, from 1.
        """
        code = event.body.get("code")
        if not code:
            return
        if event.kind == Kind.NOTED:
            self._correct(event, code)
            return
        self._current = self._version(code, other=bool(code["changed"]))
        self.last = code
        if code["changed"]:
            if event.kind == Kind.OPENED:
                self.changes[session] = code["changed"]
            else:
                self.edits.append(Edit(session, event.trial_id, code["changed"]))

    def begin(self, trial_id: int) -> None:
        """An attempt of a trial starts with the current version."""
        if self._current is not None:
            self.of.setdefault(trial_id, []).append(self._current)

    def others(self, code: Mapping[str, Any]) -> list[int]:
        """List the trials that did not run this version, or not in all their attempts."""
        same = {number for number, known in enumerate(self.versions) if not changed_files(known, code)}
        return [trial for trial, ran in self.of.items() if trial in self.unsure or not same.issuperset(ran)]

    def trials(self) -> tuple[list[list[int]], list[int], list[int]]:
        """List the trials of each version, those that ran several versions, and those of which that is not known."""
        each: list[list[int]] = [[] for _ in self.versions]
        several: list[int] = []
        for trial, ran in self.of.items():
            if trial not in self.unsure:
                (each[ran[0]] if len(set(ran)) == 1 else several).append(trial)
        return each, several, sorted(self.unsure)

    def _version(self, code: Mapping[str, Any], *, other: bool) -> int:
        """The number of this version; `other`: it is not the current one."""
        order = sorted(range(len(self.versions)), key=lambda number: number != self._current)
        for number in order:
            if not (other and number == self._current) and not changed_files(self.versions[number], code):
                return number
        self.versions.append(code)
        return len(self.versions) - 1

    def _correct(self, event: Event, code: Mapping[str, Any]) -> None:
        """What became known of an attempt after its start."""
        if not event.body.get("sure"):
            self.unsure.add(event.trial_id)
        elif ran := self.of.get(event.trial_id):
            ran[-1] = self._version(code, other=False)
