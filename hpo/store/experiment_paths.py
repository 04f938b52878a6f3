"""Finding experiments: a place is a directory, or a tag under outputs/."""

from pathlib import Path

from hpo.errors import StoreError
from hpo.store.directory import CONFIG, LAUNCH_RECORD, folders_with
from hpo.store.tags import OUTPUTS, read_tag


def from_here(path: Path) -> Path:
    """The path as a person would write it from the working directory."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def find_experiments(place: str | Path) -> list[Path]:
    """The experiments in a directory, or of a tag under outputs/, in order.

    Raises:
        StoreError: there are none.
    """
    if found := _search(place, CONFIG)[1]:
        return found
    raise StoreError(f"{place}: there is no experiment in that directory, and no tag of that name under outputs/")


def find_launched(place: str | Path) -> list[Path]:
    """Directories with a launch record, in a directory or of a tag under outputs/."""
    return _search(place, LAUNCH_RECORD)[1]


def folder_of(place: str | Path) -> Path:
    """The directory that a place means, with the rules of `find_experiments`."""
    return _search(place, CONFIG)[0]


def is_sweep_open(place: str | Path) -> bool:
    """Does the command that made a tag say that it has not come to its end yet?"""
    return any(read_tag(base).get("complete") is False for base in _meanings(place))


def _meanings(place: str | Path) -> tuple[Path, Path]:
    """What a place can mean; the first where something is found counts."""
    return Path(place), OUTPUTS / place


def _search(place: str | Path, name: str) -> tuple[Path, list[Path]]:
    """The directory that a place means, and those in it that hold a file of that name."""
    for base in _meanings(place):
        if found := folders_with(base, name):
            return base, found
    return Path(place), []
