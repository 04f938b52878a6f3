"""The text of `hpo --help`, read from `conf/` without Hydra."""

from collections.abc import Sequence
from pathlib import Path
from string import Template

from hpo.config.config_folders import CONF_DIR, check_folder, groups_in, names_in
from hpo.config.help_template import read_help_template

_HELP = ("--help", "-h")
_FOLDER = ("--config-dir", "-cd")


def help_of(arguments: Sequence[str]) -> str | None:
    """Return the help for a command line without overrides; None if Hydra has to compose what the help shows.

    Args:
        arguments: Command line: nothing, or `--help` with any number of `--config-dir DIR`.

    Raises:
        ConfigError: A folder does not exist or contains no configuration groups.
    """
    folders = [CONF_DIR]
    ahead = iter(arguments)
    for word in ahead:
        option, equals, value = word.partition("=")
        if option in _FOLDER:
            value = value if equals else next(ahead, "")
            if not value:
                return None  # Hydra's parser names the mistake
            folders.append(check_folder(f"{option} {value}", value))
        elif word not in _HELP:
            return None
    if arguments and not set(arguments) & set(_HELP):
        return None
    return _help_text(folders)


def _help_text(folders: Sequence[Path]) -> str:
    groups = (f"{group}: {', '.join(names_in(group, folders))}" for group in groups_in(folders))
    text, keys = read_help_template(CONF_DIR / "config.yaml")
    return Template(text).substitute(APP_CONFIG_GROUPS="\n".join(groups), CONFIG=keys)
