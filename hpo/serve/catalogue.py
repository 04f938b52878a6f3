"""Which experiments there are below the places that are served, under the names by which requests ask for them."""

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
    """An experiment that was found."""

    id: str
    """By which requests name it: no request names a path."""
    directory: Path
    group: str
    """The id of its tag."""


@dataclass(frozen=True, slots=True)
class TagFolder:
    """A tag: the folder above benchmark, method and seed."""

    id: str
    folder: Path
    members: Sequence[str]

    @property
    def name(self) -> str:
        """As people call it."""
        return self.folder.name or str(self.folder)


def id_of(path: Path) -> str:
    """A short name that tells nothing of the path, and stays when the server is started again."""
    return hashlib.sha256(str(path).encode(errors="surrogateescape")).hexdigest()[:12]


def roots_of(places: Sequence[str]) -> list[Path]:
    """The directories that places mean.

    Args:
        places: directories, or tags under outputs/; none: outputs/.

    Raises:
        StoreError: in one of them there is no experiment.
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
        roots: directories; links in their paths are followed once, here, and none below them ever is.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        self.roots = [root.resolve() for root in roots]
        self.experiments: dict[str, Listed] = {}
        self.groups: dict[str, TagFolder] = {}
        self.passed: list[Path] = []
        """Folders in which further experiments may appear."""

    def look(self) -> None:
        """Search again. What is gone stays listed, so that its page can say so."""
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
    """The folder of a tag, where the experiment lies as `outputs/<tag>/<benchmark>/<method>/seed_<n>`."""
    return directory.parents[min(2, len(directory.parents) - 1)]
