"""Finding experiments: a place is a directory, or a tag under outputs/."""

from pathlib import Path

from hpo.errors import StoreError
from hpo.store.directory import LAUNCH_RECORD, ExperimentDirectory
from hpo.store.tags import read_tag


def shown(path: Path) -> Path:
    """The path as a person would write it from here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def find_experiments(place: str | Path) -> list[Path]:
    """The experiments in a directory, or of a tag under outputs/.

    Raises:
        StoreError: there are none.
    """
    for base in (Path(place), Path("outputs") / place):
        if ExperimentDirectory(base).config.is_file():
            return [base]
        found = sorted(path.parent for path in base.glob("**/experiment.yaml")) if base.is_dir() else []
        if found:
            return found
    raise StoreError(f"{place}: there is no experiment in that directory, and no tag of that name under outputs/")


def discover(place: str) -> list[Path]:
    """The experiments of a directory or tag, found without walking through their trials.

    Raises:
        StoreError: there are none.
    """
    for base in (Path(place), Path("outputs") / place):
        for depth in range(4):
            found = sorted(path.parent for path in base.glob("*/" * depth + "experiment.yaml"))
            if found:
                return found
    return find_experiments(place)


def is_sweep_open(place: str) -> bool:
    """Does the command that made a tag say that it has not come to its end yet?"""
    known = [read_tag(base) for base in (Path(place), Path("outputs") / place)]
    return any(record.get("complete") is False for record in known)


def find_launched(place: str | Path) -> list[Path]:
    """Directories with a launch record, in a directory or of a tag under outputs/."""
    for base in (Path(place), Path("outputs") / place):
        if base.is_dir() and (found := sorted(path.parent for path in base.glob(f"**/{LAUNCH_RECORD}"))):
            return found
    return []


def folder_of(place: str | Path) -> Path:
    """The directory that a place means, with the rules of `find_experiments`."""
    for base in (Path(place), Path("outputs") / place):
        if base.is_dir() and (ExperimentDirectory(base).config.is_file() or any(base.glob("**/experiment.yaml"))):
            return base
    return Path(place)
