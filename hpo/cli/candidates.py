"""Candidates for shell completion, and those that are tags, folders and files."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hpo.store.tags import OUTPUTS


class Candidate(NamedTuple):
    """A possible completion, whole or partial, and its description."""

    text: str
    about: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether the word is finished; after a key, a group or a folder it continues."""
        return not self.text.endswith(("=", ".", "/"))


def place_candidates(current: str) -> Iterator[Candidate]:
    """Yield tags and directories."""
    if "/" not in current and OUTPUTS.is_dir():
        yield from (Candidate(path.name, "tag") for path in sorted(OUTPUTS.iterdir()) if path.is_dir())
    yield from path_candidates(current, folders_alone=True)


def path_candidates(current: str, *, folders_alone: bool = False) -> Iterator[Candidate]:
    """Yield paths that begin with the typed text; hidden files only if a dot is typed."""
    parent, slash, name = current.rpartition("/")
    folder = Path(parent + slash).expanduser()
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith(name) and (name or not path.name.startswith(".")):
            if path.is_dir():
                yield Candidate(f"{parent}{slash}{path.name}/")
            elif not folders_alone:
                yield Candidate(f"{parent}{slash}{path.name}")
