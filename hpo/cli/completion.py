"""What may stand at the end of a command line, for the completion of shells.

Verbs, options, tags, directories and keys of the first level are known without Hydra. Names in groups, and keys further down,
are those of what the words before compose, wherever the line's folders and search path find it.
"""

import itertools
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from hpo.cli.arguments import FOLDER, expand
from hpo.config.schema import CONF_DIR, ExperimentConfig
from hpo.errors import HPOError
from hpo.store.tags import OUTPUTS


class Candidate(NamedTuple):
    """A word that may stand there, as far as it is known, and what it means."""

    text: str
    about: str = ""

    @property
    def is_whole(self) -> bool:
        """Does another word follow? After a key, a group or a folder more of the same does."""
        return not self.text.endswith(("=", ".", "/"))


OPTIONS = (
    Candidate("--config-dir", "your own benchmark/NAME.yaml and method/NAME.yaml"),
    Candidate("--cfg", "print the composed configuration, run nothing"),
    Candidate("--package", "of --cfg job: the part that is printed"),
    Candidate("--help", "all keys, groups and verbs"),
    Candidate("--hydra-help", "Hydra's own options"),
    Candidate("--version", "which hpo this is"),
    Candidate("--docs", "the folder with the pages of the documentation"),
)
"""Of a run. Others are Hydra's, which nobody needs to type."""

HYDRAS = ("hydra.searchpath=", "hydra.sweep.dir=", "hydra.verbose=")


@dataclass(frozen=True)
class Typed:
    """A command line up to the cursor."""

    words: Sequence[str]
    """As a shell has them, the program's name first."""
    current: str
    """What is being typed, without its quote; empty after a blank."""
    quote: str = ""
    """The one that is open."""

    @staticmethod
    def read(line: str) -> "Typed":
        """What a line is."""
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
    """What may stand in the place of the word that is being typed.

    Args:
        typed: the line.
        verbs: the commands of the verbs, by their names.
    """
    words, current = typed.words[1:], typed.current
    if not words:
        known = [*(Candidate(name, about_verb(verb)) for name, verb in verbs.items()), Candidate("help", "of a verb")]
        found: Iterable[Candidate] = [*known, *_of_run([], current)]
    elif words[0] == "help":
        found = [Candidate(name, about_verb(verb)) for name, verb in verbs.items()] if len(words) == 1 else []
    elif words[0] in verbs:
        found = _of_verb(verbs[words[0]], words[1:], current)
    else:
        found = _of_run(words, current)
    return [candidate for candidate in found if candidate.text.startswith(current)]


def about_verb(verb: Any) -> str:
    """A verb's help, shortened."""
    return str(verb.get_short_help_str(60))


# ---------------------------------------------------------------------- verbs


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
    """Those of a verb's parameter.

    Args:
        param: the parameter.
        current: what is typed of it.
        words: what stands before it of overrides, and the line's folders.
    """
    name = param.name
    if name == "overrides":
        yield from _of_run(words, current)
    elif name in ("place", "places"):
        yield from _places(current)
    elif name in ("config_dir", "outputs"):
        yield from _paths(current, folders_alone=True)
    elif name == "baseline":
        yield from (Candidate(path.stem) for path in sorted((CONF_DIR / "method").glob("*.yaml")))
    elif name == "trial":
        yield Candidate("best")
    elif "|" in (param.metavar or ""):
        yield from (Candidate(word) for word in param.metavar.split("|") if word.islower())
        if "FILE" in param.metavar:
            yield from _paths(current)
    elif name in ("output", "file", "script", "socket", "token_file"):
        yield from _paths(current)


# ---------------------------------------------------------------------- runs


def _of_run(words: Sequence[str], current: str) -> Iterator[Candidate]:
    before, (name, equals, value) = words[-1] if words else "", current.partition("=")
    if before in FOLDER:
        yield from _paths(current, folders_alone=True)
    elif before in ("--cfg", "-c"):
        yield from map(Candidate, ("job", "hydra", "all"))
    elif name in FOLDER and equals:
        yield from (Candidate(f"{name}={found.text}") for found in _paths(value, folders_alone=True))
    elif current.startswith("-"):
        yield from OPTIONS
    elif current.startswith("@"):
        yield from (Candidate(f"@{found.text}") for found in _paths(current[1:]))
    else:
        sign = re.match("[+~]*", current)
        prefix = "" if sign is None else sign[0]
        typed = current[len(prefix) :]
        deep = (equals or "." in typed) and not typed.startswith("hydra.")
        for text in _keys(words, typed) if deep else _first_keys(words, prefix):
            if deep and prefix == "~":
                yield Candidate(prefix + text.rstrip(".="))  # what is taken away has no value
            elif equals or not deep or prefix != "+" or text.endswith("."):  # nor is what is there added
                yield Candidate(prefix + text)


def _first_keys(words: Sequence[str], prefix: str) -> Iterator[str]:
    """Keys and groups of the first level. What hpo's defaults do not have, an experiment say, is added by a plus."""
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
    """Names in a group, keys of the composed configuration, and values of a key; none where the words compose nothing."""
    from hpo.cli.composition import jobs, places_of  # Hydra
    from hpo.config.composing import composing, hydra_errors_as_sentence
    from hpo.config.reading import to_plain

    key, equals, value = typed.partition("=")
    try:
        known = [*_to_compose(expand(words))]
        with hydra_errors_as_sentence(own_folder=True):
            if equals and "." not in key:  # else it is no group
                with composing(places_of(known)) as composer:
                    names = composer.loader.get_group_options(key)
                if names:
                    first, comma, _ = value.rpartition(",")  # of a sweep the last is being typed
                    yield from (f"{key}={first}{comma}{name}" for name in names if name not in first.split(","))
                    return
            seed = [] if any(word.startswith("seed=") for word in known) else ["seed=0"]
            made = [job.config for job in itertools.islice(jobs([*known, "experiment_tag=t", *seed]), _MOST_JOBS)]
    except HPOError:
        return
    found: dict[str, None] = {}
    for config in made:
        found |= dict.fromkeys(_values_of(config, key) if equals else _keys_below(to_plain(config), key))
    yield from found


_MOST_JOBS = 2
"""Of a sweep, whose keys are looked at: each takes a tenth of a second where it has another method."""


def _to_compose(words: Sequence[str]) -> Iterator[str]:
    """The overrides and folders among words, without the options that say what is done with them."""
    ahead = iter(words)
    for word in ahead:
        if word in FOLDER:
            yield f"{word}={next(ahead, '')}"
        elif word in ("--cfg", "-c", "--package", "-p"):
            next(ahead, None)
        elif not word.startswith("-") or word.partition("=")[0] in FOLDER:
            yield word


def _keys_below(content: Mapping[str, Any], key: str) -> Iterator[str]:
    """Keys beside the one that is being typed, in full."""
    parent = key.rpartition(".")[0]
    node: Any = content
    for part in parent.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    if isinstance(node, Mapping):
        yield from (f"{parent}.{name}{'.' if isinstance(value, dict) else '='}" for name, value in node.items())


def _values_of(config: ExperimentConfig, key: str) -> Iterator[str]:
    """What a key may be where that is told, else what it is, where that can be typed as it is."""
    node: Any = config
    for part in key.split("."):
        node = node.get(part) if isinstance(node, Mapping) else getattr(node, part, None)
    if isinstance(node, bool):
        yield from (f"{key}=true", f"{key}=false")
    elif isinstance(node, Enum):
        yield from (f"{key}={member.name}" for member in type(node))
    elif isinstance(node, int | float) or (isinstance(node, str) and re.fullmatch(r"[\w./-]+", node)):
        yield f"{key}={node}"


# ---------------------------------------------------------------------- places


def _places(current: str) -> Iterator[Candidate]:
    """Tags, and directories."""
    if "/" not in current and OUTPUTS.is_dir():
        yield from (Candidate(path.name, "tag") for path in sorted(OUTPUTS.iterdir()) if path.is_dir())
    yield from _paths(current, folders_alone=True)


def _paths(current: str, *, folders_alone: bool = False) -> Iterator[Candidate]:
    """Paths that begin with what is typed; those that begin with a dot where it is typed, too."""
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
