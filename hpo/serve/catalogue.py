"""The experiments below the served directories, and the ids by which requests name them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hpo.errors import StoreError
from hpo.store.directory import CONFIG, folders_with
from hpo.store.experiment_paths import find_experiments, folder_of
from hpo.store.tags import OUTPUTS


@dataclass(frozen=True, slots=True)
class Listed:
    """An experiment that was found below a served directory."""

    id: str
    """Id that requests use in place of a path."""
    directory: Path
    group: str
    """Id of the experiment's tag."""


@dataclass(frozen=True, slots=True)
class TagFolder:
    """A tag and its experiments: the folder above benchmark, method and seed."""

    id: str
    folder: Path
    members: Sequence[str]

    @property
    def name(self) -> str:
        """Name of the tag for people."""
        return self.folder.name or str(self.folder)


def id_of(path: Path) -> str:
    """Return a short id for a path, which does not reveal the path and stays the same when the server restarts."""
    return hashlib.sha256(str(path).encode(errors="surrogateescape")).hexdigest()[:12]


def roots_of(places: Sequence[str]) -> list[Path]:
    """Return the directories to serve.

    Args:
        places: Directories, or tags under outputs/; empty: outputs/.

    Raises:
        StoreError: One of them contains no experiment.
    """
    if places:
        for place in places:
            find_experiments(place)
        return [folder_of(place).absolute() for place in places]
    if not folders_with(OUTPUTS, CONFIG):
        raise StoreError(f"{OUTPUTS}/: there is no experiment here ({Path.cwd()}); name a directory, or run one first")
    return [OUTPUTS.absolute()]


class Catalogue:
    """The experiments below some directories.

    Args:
        roots: Directories; links in their own paths are resolved once, and links below them are never followed.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        self.roots = [root.resolve() for root in roots]
        self.experiments: dict[str, Listed] = {}
        self.groups: dict[str, TagFolder] = {}
        self.passed: list[Path] = []
        """Folders in which new experiments may appear."""

    def look(self) -> None:
        """Search for experiments again. Deleted ones stay listed, so that their pages can say so."""
        passed: list[Path] = []
        for root in self.roots:
            for directory in folders_with(root, CONFIG, passed):
                one = Listed(id_of(directory), directory, id_of(_above(directory)))
                self.experiments.setdefault(one.id, one)
        members: dict[Path, list[str]] = {}
        for one in self.experiments.values():
            members.setdefault(_above(one.directory), []).append(one.id)
        self.groups = {id_of(folder): TagFolder(id_of(folder), folder, ids) for folder, ids in members.items()}
        self.passed = passed


def _above(directory: Path) -> Path:
    """Return the folder of an experiment's tag, given a directory `outputs/<tag>/<benchmark>/<method>/seed_<n>`."""
    return directory.parents[min(2, len(directory.parents) - 1)]
