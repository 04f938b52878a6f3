"""Candidates for shell completion of a command line.

Commands, options, tags, directories and top-level keys are known without Hydra. Choices of groups and deeper keys are
found by composing the overrides typed so far, with the folders and search path of that command line.
"""

import itertools
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path
from typing import Any

from hpo.cli.arguments import FOLDER, expand
from hpo.cli.candidates import Candidate, path_candidates, place_candidates
from hpo.config.choices import accepted_names
from hpo.config.config_folders import CONF_DIR, names_in
from hpo.config.schema import ExperimentConfig
from hpo.errors import HPOError

OPTIONS = (
    Candidate("--config-dir", "your own benchmark/NAME.yaml and method/NAME.yaml"),
    Candidate("--cfg", "print the composed configuration, run nothing"),
    Candidate("--package", "of --cfg job: the part that is printed"),
    Candidate("--help", "all keys, groups and commands"),
    Candidate("--hydra-help", "Hydra's own options"),
    Candidate("--version", "which hpo this is"),
    Candidate("--docs", "the folder with the pages of the documentation"),
)
"""Options of a run that are offered; Hydra's other options are seldom typed and left out."""

HYDRAS = ("hydra.searchpath=", "hydra.sweep.dir=", "hydra.verbose=")


@dataclass(frozen=True)
class Typed:
    """A command line up to the cursor."""

    words: Sequence[str]
    """The finished words as the shell splits them, the program's name first."""
    current: str
    """The unfinished word at the cursor, without its opening quote; empty after a space."""
    quote: str = ""
    """The quote that is open at the cursor; empty if there is none."""

    @staticmethod
    def read(line: str) -> "Typed":
        """Split a command line into finished words and the one at the cursor."""
        for quote in ("", "'", '"'):
            try:
                words = shlex.split(line + quote)
            except ValueError:
                continue
            if not quote and (not line or line[-1].isspace()):
                words.append("")
            return Typed(words[:-1], words[-1], quote)
        return Typed(line.split(), "")


def candidates(typed: Typed, verbs: Mapping[str, Any]) -> list[Candidate]:
    """Return the completions of the word at the cursor.

    Args:
        typed: Command line up to the cursor.
        verbs: Click commands by name.
    """
    words, current = typed.words[1:], typed.current
    if not words:
        known = [*(Candidate(name, about_verb(verb)) for name, verb in verbs.items()), Candidate("help", "its help")]
        found: Iterable[Candidate] = [*known, *_of_run([], current)]
    elif words[0] == "help":
        found = [Candidate(name, about_verb(verb)) for name, verb in verbs.items()] if len(words) == 1 else []
    elif words[0] in verbs:
        found = _of_verb(verbs[words[0]], words[1:], current)
    else:
        found = _of_run(words, current)
    return [candidate for candidate in found if candidate.text.startswith(current)]


def about_verb(verb: Any) -> str:
    """Return a command's help text, shortened."""
    return str(verb.get_short_help_str(60))


# ---------------------------------------------------------------------- commands


def _of_verb(verb: Any, words: Sequence[str], current: str) -> Iterator[Candidate]:
    options = {name: param for param in verb.params for name in _names_of(param)}
    arguments = [param for param in verb.params if param.param_type_name == "argument"]
    folders, values = [], []
    open_option = None
    ahead = iter(words)
    for word in ahead:
        name, equals, value = word.partition("=")
        param = options.get(name)
        if param is not None and not param.is_flag:
            taken = value if equals else next(ahead, None)
            open_option = param if taken is None else None
            if param.name == "config_dir" and taken is not None:
                folders.append(f"--config-dir={taken}")
        elif param is None and not word.startswith("-"):
            values.append(word)
    name, equals, value = current.partition("=")
    argument = arguments[min(len(values), len(arguments) - 1)] if arguments else None
    if open_option is not None:
        yield from _values(open_option, current, folders)
    elif equals and name in options:
        yield from (Candidate(f"{name}={found.text}", found.about) for found in _values(options[name], value, folders))
    elif current.startswith("-"):
        shown = [param for param in options.values() if not param.hidden]
        for param in dict.fromkeys(shown):
            yield from (Candidate(name, param.help or "") for name in [param.opts[0], *param.secondary_opts[:1]])
        yield Candidate("--help")
    elif argument is not None and (len(values) < len(arguments) or argument.nargs == -1):
        yield from _values(argument, current, [*folders, *values[len(arguments) - 1 :]])


def _names_of(param: Any) -> list[str]:
    return [*param.opts, *param.secondary_opts] if param.param_type_name == "option" else []


def _values(param: Any, current: str, words: Sequence[str]) -> Iterator[Candidate]:
    """Yield the completions of the value of a command's parameter.

    Args:
        param: Click parameter.
        current: Part of the value that has been typed.
        words: Overrides and configuration folders earlier on the line.
    """
    name = param.name
    if name == "overrides":
        yield from _of_run(words, current)
    elif name in ("place", "places"):
        yield from place_candidates(current)
    elif name in ("config_dir", "outputs"):
        yield from path_candidates(current, folders_alone=True)
    elif name == "baseline":
        yield from (Candidate(path.stem) for path in sorted((CONF_DIR / "method").glob("*.yaml")))
    elif name == "trial":
        yield Candidate("best")
    elif "|" in (param.metavar or ""):
        yield from (Candidate(word) for word in param.metavar.split("|") if word.islower())
        if "FILE" in param.metavar:
            yield from path_candidates(current)
    elif name in ("output", "file", "script", "socket", "token_file"):
        yield from path_candidates(current)


# ---------------------------------------------------------------------- runs


def _of_run(words: Sequence[str], current: str) -> Iterator[Candidate]:
    before, (name, equals, value) = words[-1] if words else "", current.partition("=")
    if before in FOLDER:
        yield from path_candidates(current, folders_alone=True)
    elif before in ("--cfg", "-c"):
        yield from map(Candidate, ("job", "hydra", "all"))
    elif name in FOLDER and equals:
        yield from (Candidate(f"{name}={found.text}") for found in path_candidates(value, folders_alone=True))
    elif current.startswith("-"):
        yield from OPTIONS
    elif current.startswith("@"):
        yield from (Candidate(f"@{found.text}") for found in path_candidates(current[1:]))
    else:
        sign = re.match("[+~]*", current)
        prefix = "" if sign is None else sign[0]
        typed = current[len(prefix) :]
        deep = (equals or "." in typed) and not typed.startswith("hydra.")
        for text in _keys(words, typed) if deep else _first_keys(words, prefix):
            if deep and prefix == "~":
                yield Candidate(prefix + text.rstrip(".="))  # `~key` takes no value
            elif equals or not deep or prefix != "+" or text.endswith("."):  # `+key` is only for keys that do not exist
                yield Candidate(prefix + text)


def _first_keys(words: Sequence[str], prefix: str) -> Iterator[str]:
    """Yield top-level keys and groups, with a plus for those that are not in hpo's defaults, such as `+experiment`."""
    groups = {path.name for path in CONF_DIR.iterdir() if path.is_dir()}
    for folder in map(Path, _folders(words)):
        groups |= {path.name for path in folder.expanduser().glob("*/")}
    known = [(field.name, field.name in groups or "dict" in str(field.type)) for field in fields(ExperimentConfig)]
    added = sorted(groups - {name for name, _ in known})
    yield from (f"{'+' if prefix == '' else ''}{name}=" for name in added if not prefix.startswith("~"))
    yield from (f"{name}." for name, has_parts in known if has_parts)
    if prefix == "":
        yield from (f"{name}=" for name, has_parts in known if name in groups or not has_parts)
        yield from HYDRAS


def _folders(words: Sequence[str]) -> Iterator[str]:
    for word, after in itertools.zip_longest(words, words[1:], fillvalue=""):
        name, equals, value = word.partition("=")
        if name in FOLDER:
            yield value if equals else after


def _keys(words: Sequence[str], typed: str) -> Iterator[str]:
    """Yield choices of a group, composed configuration keys and values of a key; none if the line does not compose."""
    key, equals, value = typed.partition("=")
    first, comma, _ = value.rpartition(",")  # complete the last value of a sweep
    if equals and (names := _choices(key, words)):
        first, comma, _ = value.rpartition(",")  # complete the last value of a sweep
        yield from (f"{key}={first}{comma}{name}" for name in names if name not in first.split(","))
        return
    from hpo.cli.composition import jobs  # Hydra
    from hpo.config.composing import hydra_errors_as_sentence
    from hpo.config.reading import to_plain

    try:
        known = [*_to_compose(expand(words))]
        with hydra_errors_as_sentence(own_folder=True):
            seed = [] if any(word.startswith("seed=") for word in known) else ["seed=0"]
            made = [job.config for job in itertools.islice(jobs([*known, "experiment_tag=t", *seed]), _MOST_JOBS)]
    except HPOError:
        return
    found: dict[str, None] = {}
    for config in made:
        found |= dict.fromkeys(_values_of(config, key) if equals else _keys_below(to_plain(config), key))
    yield from found


def _choices(key: str, words: Sequence[str]) -> list[str]:
    """Return the choices of a group; empty if the key is no group, or a folder on the line does not exist."""
    folders = [CONF_DIR, *(Path(folder).expanduser() for folder in _folders(words))]
    if any(word.startswith(("@", "hydra.searchpath=")) for word in words) or "/" in key:
        from hpo.cli.composition import places_of  # Hydra alone knows all places of groups
        from hpo.config.composing import composing, hydra_errors_as_sentence

        try:
            with (
                hydra_errors_as_sentence(own_folder=True),
                composing(places_of([*_to_compose(expand(words))])) as known,
            ):
                return list(known.loader.get_group_options(key)) if "." not in key else []
        except HPOError:
            return []
    return names_in(key, folders) if all(folder.is_dir() for folder in folders) else []


_MOST_JOBS = 2
"""Number of jobs of a sweep whose keys are offered; each one with another method takes a tenth of a second."""


def _to_compose(words: Sequence[str]) -> Iterator[str]:
    """Yield the overrides and configuration folders among words, without options that select an action."""
    ahead = iter(words)
    for word in ahead:
        if word in FOLDER:
            yield f"{word}={next(ahead, '')}"
        elif word in ("--cfg", "-c", "--package", "-p"):
            next(ahead, None)
        elif not word.startswith("-") or word.partition("=")[0] in FOLDER:
            yield word


def _keys_below(content: Mapping[str, Any], key: str) -> Iterator[str]:
    """Yield the full names of the keys at the level that is being typed."""
    parent = key.rpartition(".")[0]
    node: Any = content
    for part in parent.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    if isinstance(node, Mapping):
        yield from (f"{parent}.{name}{'.' if isinstance(value, dict) else '='}" for name, value in node.items())


def _values_of(config: ExperimentConfig, key: str) -> Iterator[str]:
    """Yield the values that a key accepts if these are declared, else its current value if that can be typed unquoted."""
    node: Any = config
    for part in key.split("."):
        node = node.get(part) if isinstance(node, Mapping) else getattr(node, part, None)
    if isinstance(node, bool):
        yield from (f"{key}=true", f"{key}=false")
    elif isinstance(node, Enum):
        yield from (f"{key}={name}" for name in accepted_names(type(node)))
    elif isinstance(node, int | float) or (isinstance(node, str) and re.fullmatch(r"[\w./-]+", node)):
        yield f"{key}={node}"
