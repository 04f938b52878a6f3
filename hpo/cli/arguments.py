"""Command-line arguments before Hydra parses them: `@file.yaml`, options without their argument, overrides without a key."""

import re
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from hpo.config.config_folders import check_folder
from hpo.config.schema import ExperimentConfig
from hpo.config.yaml_files import points_override, read_plain
from hpo.errors import ConfigError, nearest

FOLDER = ("--config-dir", "-cd")


_KEYS = [key.name for key in fields(ExperimentConfig)]
_OTHER_CONFIG = ("--config-path", "-cp", "--config-name", "-cn")


_OPTIONS = frozenset(
    [
        "--help",
        "-h",
        "--hydra-help",
        "--version",
        "--cfg",
        "-c",
        "--resolve",
        "--package",
        "-p",
        "--run",
        "-r",
        "--multirun",
        "-m",
        "--info",
        "-i",
    ]
).union(FOLDER)
"""Options of Hydra that a command line of hpo can have, besides those that are answered with what to use instead."""
_AT_A_TIME, _IN_ALL = "n_workers={0} (trials at a time)", "max_num_trials={0} (trials in all)"
_MEANT = {
    "-n": f"{_AT_A_TIME} or {_IN_ALL}",
    **dict.fromkeys(("-j", "--jobs", "--n-jobs", "--workers"), _AT_A_TIME),
    **dict.fromkeys(("--trials", "--n-trials", "--num-trials"), _IN_ALL),
}
"""The override to write instead of an option that other programs have, by option."""

_NEEDS_CFG = ("--package", "-p", "--resolve")


def check_words(arguments: Sequence[str]) -> None:
    """Raise ConfigError for an option that is used in an impossible way, and for an override without a key."""
    names = [word.partition("=")[0] for word in arguments]
    shows = any(name in ("--cfg", "-c", "--help", "-h", "--hydra-help", "--info", "-i") for name in names)
    for number, (word, name) in enumerate(zip(arguments, names, strict=True)):
        after = arguments[number + 1] if number + 1 < len(arguments) else ""
        if name in FOLDER:
            folder = word.partition("=")[2] if "=" in word else after
            if not folder or folder.startswith("-") or ("=" in folder and not Path(folder).expanduser().is_dir()):
                raise ConfigError(
                    f"{name}: it needs a folder after it, the one that has your benchmark/ and method/ in it"
                )
            check_folder(f"{name} {folder}", folder)
        elif name in _NEEDS_CFG and not shows:
            raise ConfigError(f"{name}: it says what `--cfg job` prints, and does nothing without that; add --cfg job")
        elif name in _OTHER_CONFIG:
            raise ConfigError(
                f"{name}: hpo's own configuration always comes first, so that no other can stand in its place; put your YAML "
                f"into FOLDER/benchmark/ or FOLDER/method/, and pass --config-dir FOLDER benchmark=NAME"
            )
        elif name in ("--shell-completion", "-sc"):
            raise ConfigError(
                f'{name}: hpo completes keys, groups, commands and options: eval "$(hpo completion bash)", or with '
                "zsh, or hpo completion fish | source"
            )
        elif name.startswith("--") and name[2:] in _KEYS:
            value = word.partition("=")[2] or after or "..."
            raise ConfigError(f"{word}: keys are written without dashes, as {name[2:]}={value}")
        elif name == "--experimental-rerun":
            raise ConfigError(
                f"{name}: hpo does not support it; the same command again resumes what it left unfinished, and `hpo "
                f"reproduce` runs one trial again"
            )
        elif name.startswith("-") and not _is_option(name):
            raise ConfigError(f"{word}: hpo has no such option; {_meant(name, word, after)}")
        elif re.match(r"[+~]*(=|$)", word):
            raise ConfigError(f"{word!r}: there is no key before '='; write key=value, such as n_workers=2")


def _is_option(name: str) -> bool:
    """Whether Hydra knows an option, which may be the beginning of a long one."""
    return name in _OPTIONS or (len(name) > 3 and any(option.startswith(name) for option in _OPTIONS))


def _meant(name: str, word: str, after: str) -> str:
    """Suggest what to write in place of an unknown option, whose value is in the same word or the one after it."""
    option, glued = (name[:2], name[2:]) if name[2:].isdecimal() else (name.replace("_", "-"), "")
    value = glued or word.partition("=")[2] or ("" if after.startswith("-") or "=" in after else after) or "..."
    if option in _MEANT:
        return f"write {_MEANT[option].format(value)}"
    key = nearest(name.lstrip("-").replace("-", "_"), _KEYS) or "key"
    return f"keys are written without dashes, as {key}={value}; hpo --help lists them"


def has_folder(arguments: Sequence[str]) -> bool:
    """Whether the command line gives folders of the user's own YAML files (`--config-dir`)."""
    return any(word.partition("=")[0] in FOLDER for word in arguments)


def expand(arguments: Sequence[str]) -> list[str]:
    """Return the command line with each `@file` replaced by the `overrides` that the file lists.

    Raises:
        ConfigError: A file does not exist or lists no overrides.
    """
    return [word for argument in arguments for word in (_read(argument) if argument.startswith("@") else [argument])]


def _read(argument: str) -> list[str]:
    content = read_plain(Path(argument[1:]))
    if (
        isinstance(content, list) and content and all(_is_result(entry) for entry in content)
    ):  # the content of a front.yaml
        return [points_override([entry["configuration"] for entry in content])]
    overrides = content.get("overrides") if isinstance(content, dict) else None
    if not isinstance(overrides, list) or not overrides:
        raise ConfigError(f"{argument}: has no list `overrides`, as an experiment's best.yaml has")
    return [str(override) for override in overrides]


def _is_result(entry: object) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("configuration"), dict)
