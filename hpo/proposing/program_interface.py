"""The arguments of a program: from its source, or from its help if the source does not show them."""

import ast
import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hpo.errors import ConfigError, documentation
from hpo.proposing.argparse_options import kind_of, read_absl, read_argparse
from hpo.proposing.argument_roles import resource_of
from hpo.proposing.arguments import Argument, Interface, style_of
from hpo.proposing.click_options import read_click
from hpo.proposing.compiled_programs import options_in_text
from hpo.proposing.domains import propose
from hpo.proposing.foreign_spaces import read_space, with_domains
from hpo.proposing.help_text import SECONDS, ask_for_help, has_usage, read_help, read_usage, words_behind
from hpo.proposing.hydra_configs import read_hydra
from hpo.proposing.lightning_programs import read_lightning
from hpo.proposing.ray_trainables import read_trainable
from hpo.proposing.signatures import fields_of, read_fire, read_typer
from hpo.proposing.source import ST_CONFIG_JSON, Source, read_sources

INTERPRETERS = {".r": "Rscript", ".sh": "bash", ".jl": "julia", ".rb": "ruby", ".pl": "perl", ".lua": "lua"}
"""Interpreters of files that are not executable, by the ending of their names."""
COMPILED = (
    ".c",
    ".cc",
    ".cpp",
    ".cs",
    ".cu",
    ".cxx",
    ".f",
    ".f90",
    ".go",
    ".hs",
    ".java",
    ".kt",
    ".rs",
    ".swift",
    ".zig",
)
"""Endings of source files that have to be compiled before they are programs."""
_PYTHON_PARSERS = (
    "argparse",
    "click",
    "typer",
    "fire",
    "jsonargparse",
    "simple_parsing",
    "tyro",
    "docopt",
    "getopt",
    "absl",
)
_OTHER_PARSERS = re.compile(rb"optparse|argparse|argparser|docopt|getopt|argp_parse|ArgParse|--help|[Uu]sage: ")
_OF_TRAINING_ARGUMENTS = {
    "learning_rate": ("float", 5e-5),
    "per_device_train_batch_size": ("int", 8),
    "weight_decay": ("float", 0.0),
    "num_train_epochs": ("int", 3),
}
"""Fields of transformers' TrainingArguments that are usually tuned, with kind and default."""


def read_interface(script: Path) -> Interface:
    """Return the arguments of a program. An argument that two parsers in one file declare counts once.

    Raises:
        ConfigError: Nothing shows the arguments, or the program cannot be read.
    """
    interface = _of_python(script) if script.suffix == ".py" else _of_any(script)
    if script.suffix == ".py":
        interface.arguments = list(with_domains(interface.arguments, read_space(read_sources(script))))
    once = {argument.key: argument for argument in reversed(interface.arguments)}
    return replace(interface, arguments=list(reversed(once.values())))


def _of_any(script: Path) -> Interface:
    command = command_of(script)
    if not _OTHER_PARSERS.search(script.read_bytes()):
        raise ConfigError(
            f"{script}: optparse, argparse, docopt, getopt, --help or Usage: stand nowhere in it, and nothing shows its "
            f"arguments; give it --name=value arguments, or write the benchmark by hand"
        )
    return _of_help(script, command, Interface("--help"))


def command_of(script: Path) -> list[str]:
    """Return the words that run a program.

    Raises:
        ConfigError: It is source code to compile, or neither executable nor of a known language.
    """
    if script.suffix == ".py":
        return [sys.executable, str(script.absolute())]
    if os.access(script, os.X_OK):
        return [str(script.absolute())]
    interpreter = INTERPRETERS.get(script.suffix.lower())
    if interpreter is None and script.suffix.lower() in COMPILED:
        raise ConfigError(
            f"{script}: is source code of a compiled language; compile it, and give the program that this makes, such as "
            f"hpo init {script.with_suffix('')}"
        )
    if interpreter is None:
        raise ConfigError(f"{script}: is neither a Python script nor executable; chmod +x it")
    if shutil.which(interpreter) is None:
        raise ConfigError(f"{script}: {interpreter} is not on PATH, and has to be asked for its arguments; install it")
    return [interpreter, str(script.absolute())]


def _of_python(script: Path) -> Interface:
    sources = read_sources(script)
    readers = (
        read_trainable,
        _read_json_config,
        read_hydra,
        read_lightning,
        read_fire,
        read_typer,
        read_click,
        _read_dataclasses,
        read_argparse,
        read_absl,
        _read_own,
        _read_words,
    )
    interface = next((found for reader in readers if (found := reader(sources)) is not None), None)
    if interface is not None and interface.parser == "hydra" and interface.unread:
        raise ConfigError(
            f"{script}: the configuration that its @hydra.main names is neither a YAML file beside it nor a dataclass in it; "
            f"write the benchmark by hand, with argument_style: overrides"
        )
    if interface is not None and not interface.unread:
        return interface
    imported = [name for name in _PYTHON_PARSERS if any(source.imports(name) for source in sources)]
    if interface is not None or imported:
        return _of_help(script, command_of(script), interface or Interface(imported[0]))
    tuner = next((name for name in ("ray", "optuna") if sources[0].imports(name)), None)
    if tuner is not None:
        raise ConfigError(
            f"{script}: it tunes by itself, with {tuner}, and takes no arguments; give its objective to hpo.tune as "
            f"objective(config, report), or make a program of what it trains; both in {documentation('coming-from.md')}"
        )
    raise ConfigError(
        f"{script}: it has no parser (argparse, click, typer, Hydra, fire, HfArgumentParser, absl, sys.argv); give it "
        f"--name=value arguments, such as args = hpo.arguments({', '.join(_constants(sources[0])) or 'lr=0.1'})"
    )


def _of_help(script: Path, command: Sequence[str], seen: Interface) -> Interface:
    """Return the arguments that the source shows, completed from the help, the usage line or the text of the program."""
    known = {argument.name for argument in seen.arguments}
    inside = options_in_text(script)
    try:
        text, asked = ask_for_help(command), "--help"
    except ConfigError:  # it has begun to train
        if not inside:
            raise
        text, asked = "", "text"
    taken = [argument for argument in read_help(text) if argument.name not in known]
    if not taken and script.suffix != ".py" and has_usage(text):
        taken, asked = read_usage(text), "usage line"
    if not taken and inside:
        taken, asked = inside, "text"
    elif not taken and script.suffix != ".py" and not has_usage(text):
        text, asked = ask_for_help(command, None), "usage line"
        taken = read_usage(text)
    if not taken and not known:
        said = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "nothing")[:200]
        raise ConfigError(
            f"{script}: neither its source nor its --help shows its arguments (that says: {said}); write it by hand"
        )
    note = f"Not seen: arguments with computed names ({seen.unread} times); its --help does not show them, either."
    if taken:
        names = ", ".join(argument.name for argument in taken)
        called = {
            "--help": "its --help, which was run",
            "text": "the help in its text, for it did not show any when it was run",
        }
        called_as = called.get(asked, f"its {asked}, for which it was run")
        note = f"Read from {called_as} in an empty folder (at most {SECONDS} s): {names}."
    parser = seen.parser if asked == "--help" or known else asked
    both = [*seen.arguments, *taken]
    behind = words_behind(text) if script.suffix != ".py" else []
    return Interface(parser, both, style_of(both), seen.command, [*seen.notes, note], behind=behind)


def _read_dataclasses(sources: Sequence[Source]) -> Interface | None:
    """Return the fields of the dataclasses given to HfArgumentParser, or to tyro; None if neither is called."""
    source = sources[0]
    names = ("HfArgumentParser", "tyro.cli")
    call = next((c for c in source.calls if source.full_name(c.func).endswith(names) and c.args), None)
    if call is None:
        return None
    interface = Interface(source.full_name(call.func))
    for node in call.args[0].elts if isinstance(call.args[0], ast.Tuple | ast.List) else [call.args[0]]:
        name = ast.unparse(node)
        holder = next((one for one in sources if name in one.classes), None)
        if holder is not None:
            found = fields_of(holder, name)
            pairs = interface.parser == "tyro.cli"
            interface.arguments += [_with_both_options(argument) for argument in found] if pairs else found
        bases = [ast.unparse(base) for base in holder.classes[name].bases] if holder is not None else [name]
        if any(base.endswith("TrainingArguments") for base in bases):
            where = "the default of transformers"
            known = {argument.name for argument in interface.arguments}
            for option, (kind, default) in _OF_TRAINING_ARGUMENTS.items():
                if option not in known:
                    interface.arguments.append(Argument(option, kind, default, where=where))
            interface.arguments += [
                Argument("output_dir", given="{checkpoint_dir}", where="of the trial"),
                Argument("seed", "int", 42, where=where),
            ]
            text = ast.unparse(source.tree)
            flags = [flag for flag in ("do_train", "do_eval") if f".{flag}" in text]
            interface.arguments += [
                Argument(flag, "word", given=True, where="the script asks for it") for flag in flags
            ]
            interface.notes.append(f"Others of transformers' {name} are not seen; they may be added to arguments.")
        elif holder is None:
            interface.notes.append(f"Not seen: the fields of {name}.")
    return interface


def _read_json_config(sources: Sequence[Source]) -> Interface | None:
    """Return the search space of a Syne Tune script that takes its arguments in a JSON file; None for other scripts."""
    calls = (ast.unparse(call.func) for source in sources for call in source.calls)
    space = read_space(sources) if "add_config_json_to_argparse" in calls else []
    return Interface("syne_tune", space, json_option=ST_CONFIG_JSON) if space else None


def _with_both_options(argument: Argument) -> Argument:
    """Return a boolean as tyro takes it, by `--amp/--no-amp`; other arguments as they are."""
    spelling = f"--{argument.name}/--no-{argument.name}" if argument.kind == "word" else None
    return replace(argument, kind="bool", spelling=spelling) if spelling is not None else argument


def _constants(source: Source) -> list[str]:
    """Return the constants of a script without a parser that look like hyperparameters, as `lr=0.1`."""
    values = {name: source.value(node) for name, node in source.assigned.items() if name.isidentifier()}
    found = [Argument(name.lower(), type(v).__name__, v) for name, v in values.items() if type(v) in (int, float)]
    chosen = [one for one in found if resource_of([one]) or ((p := propose(one)) is not None and p.sure)]
    return [f"{one.name}={one.default}" for one in chosen]


def _read_own(sources: Sequence[Source]) -> Interface | None:
    """Return the arguments of a script's call of `hpo.arguments`; None if there is no such call."""
    source = sources[0]
    call = next((call for call in source.calls if source.full_name(call.func) == "hpo.arguments"), None)
    if call is None:
        return None
    kinds = {bool: "word", int: "int", float: "float", str: "text", type(None): "text"}
    values = {name: source.value(node) for name, node in source.keywords(call).items()}
    where = source.where(call)
    return Interface(
        "hpo.arguments",
        [Argument(name, kinds.get(type(value), "other"), value, where=where) for name, value in values.items()],
    )


def _read_words(sources: Sequence[Source]) -> Interface | None:
    """Return the words of sys.argv that a script assigns to variables; None if there are none."""
    source, found = sources[0], []
    for node in source.nodes:
        if not isinstance(node, ast.Assign):
            continue
        both = isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple)
        targets, values = (node.targets[0].elts, node.value.elts) if both else (node.targets[:1], [node.value])  # type: ignore[attr-defined]
        for target, value in zip(targets, values, strict=False):
            # float(sys.argv[1]) if len(sys.argv) > 1 else 0.5
            default = source.value(value.orelse) if isinstance(value, ast.IfExp) else None
            value = value.body if isinstance(value, ast.IfExp) else value
            for part in ast.walk(value):
                if isinstance(part, ast.Subscript) and source.full_name(part.value) == "sys.argv":
                    place = source.value(part.slice)
                    if type(place) is int and place > 0:
                        kind = kind_of(ast.unparse(value.func)) if isinstance(value, ast.Call) else "text"
                        name, where, least = ast.unparse(target), source.where(node), default is None
                        found.append(Argument(name, kind, default, (), (None, None), least, str(place), where=where))
    first = next((node for node in source.nodes if source.full_name(node) == "sys.argv[1]"), None)
    if not found and first is not None and any(map(source.imports, ("yaml", "json", "tomllib", "omegaconf"))):
        found.append(Argument("config_file", required=True, spelling="1", where=source.where(first)))
    return Interface("sys.argv", found) if found else None
