"""Folders of YAML files: hpo's own, and the user's, given by `--config-dir DIR` or, in Python, `config_dir=`."""

from collections.abc import Iterable
from pathlib import Path

from hpo.errors import ConfigError

CONF_DIR = next(folder / "conf" for folder in Path(__file__).parents[1:3] if (folder / "conf").is_dir())
"""The folder of hpo's YAML groups: inside the package if installed from a wheel, beside it in a source tree."""

GROUPS = ("benchmark", "method", "backend", "launcher", "experiment", "hydra")
_WANTED = "the folder that has your benchmark/ and method/ in it"


def check_folder(said: str, folder: str) -> Path:
    """Return the absolute path of a folder that contains configuration groups.

    Args:
        said: Option as the user wrote it, with which an error message begins.
        folder: Path of the folder.

    Raises:
        ConfigError: The path is not such a folder, or has a file that Hydra 1.3 overlooks and 1.4 rejects.
    """
    path = Path(folder).expanduser().absolute()
    if not path.is_dir():
        raise ConfigError(f"{said}: there is no such directory; give {_WANTED}")
    if not any((path / group).is_dir() for group in GROUPS) and not any(path.glob("*/*.yaml")):
        meant = f", here {path.parent}" if path.name in GROUPS else ""
        raise ConfigError(f"{said}: it has neither benchmark/ nor method/ in it; give the folder that has them{meant}")
    for name in (file for group in GROUPS for file in sorted((path / group).glob("*.yml"))):
        raise ConfigError(
            f"{name}: Hydra reads files that end in .yaml alone; rename it to {name.with_suffix('.yaml').name}"
        )
    return path


def groups_in(folders: Iterable[Path]) -> list[str]:
    """Return the groups of some folders in alphabetical order, without Hydra's own."""
    return sorted({path.parent.name for folder in folders for path in folder.glob("*/*.yaml")} - {"hydra"})


def names_in(group: str, folders: Iterable[Path]) -> list[str]:
    """Return the choices that some folders have for a group, in alphabetical order."""
    return sorted({path.stem for folder in folders for path in (folder / group).glob("*.yaml")})
