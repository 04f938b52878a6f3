"""Pages of the reference, made from the code: verbs and options, keys, methods, files, the Python API."""

import ast
import dataclasses
import inspect
import itertools
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args

import click
from omegaconf import MISSING

import hpo
from hpo import analysis, checkpoint, figures, schedulers, searchers, trackers
from hpo.cli.commands.all_commands import VERBS
from hpo.cli.completion import OPTIONS
from hpo.config.schema import BUDGET_KEYS, CONF_DIR, BenchmarkConfig, ExperimentConfig, MethodConfig
from hpo.events.types import Kind
from hpo.results.rows import ALWAYS
from hpo.store.directory import ExperimentDirectory
from hpo.store.event_store import SCHEMA

DOCS = Path(__file__).parents[1] / "docs"
INTERNAL = {"warm_start_sha256"}
"""Keys that hpo writes, and nobody gives."""
GROUPS = ("benchmark", "method", "backend", "launcher")


def pages() -> dict[str, str]:
    """Each page's text by its file name."""
    made: dict[str, Callable[[], Iterable[str]]] = {
        "commands.md": _commands,
        "keys.md": _keys,
        "methods.md": _methods,
        "files.md": _files,
        "python.md": _python,
    }
    return {name: "\n".join(lines()) + "\n" for name, lines in made.items()}


# ---------------------------------------------------------------------- verbs


def _commands() -> Iterator[str]:
    yield "# Verbs and options"
    yield ""
    yield "`hpo key=value …` runs experiments, `hpo VERB …` does one of the things below. `hpo help VERB` says the same."
    yield from ["", "## A run", "", "| option | meaning |", "|---|---|"]
    yield from (_row([f"`{option.text}`", option.about]) for option in OPTIONS)
    for name in sorted(VERBS):
        verb = VERBS[name]
        context = click.Context(verb, info_name=f"hpo {name}")
        yield from ["", f"## hpo {name}", "", _paragraphs(verb.help or ""), ""]
        yield from ["```text", " ".join([f"hpo {name}", *verb.collect_usage_pieces(context)]), "```", ""]
        yield from ["| word | meaning |", "|---|---|"]
        for parameter in verb.params:
            if isinstance(parameter, click.Argument):
                yield _row([f"`{parameter.human_readable_name}`", getattr(parameter, "help", None) or ""])
            elif (record := parameter.get_help_record(context)) is not None:
                yield _row([f"`{record[0]}`", record[1]])


def _paragraphs(text: str) -> str:
    return re.sub(r"(?<!\n)\n(?!\n)", " ", text)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


# ---------------------------------------------------------------------- keys


def keys_of(config: type) -> list[dataclasses.Field[Any]]:
    """Those that a user may give."""
    return [field for field in dataclasses.fields(config) if field.name not in INTERNAL]


def told(heading: str) -> dict[str, str]:
    """What docs/configuration.md says of the keys in the table below a line that begins so, by their names."""
    text = (DOCS / "configuration.md").read_text()
    table = text[text.index(heading) :].split("\n\n")[1]
    found: dict[str, str] = {}
    for line in table.splitlines()[2:]:
        names, _, meaning = re.split(r"(?<!\\)\|", line.strip()[1:-1], maxsplit=2)
        found |= dict.fromkeys(re.findall(r"`([^`]+)`", names), meaning.strip().replace(chr(92) + "|", "|"))
    return found


def _keys() -> Iterator[str]:
    yield "# Types and defaults of all keys"
    yield ""
    yield "What they mean in a table that is easier to read: [All keys](../configuration.md). A list is written `[a,b]`, no"
    yield "value `null`. The last column says of an experiment that has begun whether the key may change when it goes on."
    for heading, config, start in (
        ("Of an experiment", ExperimentConfig, "Top level"),
        ("Of a benchmark", BenchmarkConfig, "A benchmark's keys"),
    ):
        meanings = told(start)
        yield from ["", f"## {heading}", "", "| key | type | default | meaning | may change |", "|---|---|---|---|---|"]
        for field in keys_of(config):
            meaning = re.sub(r"\]\((?=[\w-]+\.md)", "](../", meanings.get(field.name, ""))
            meaning = meaning.replace("](#", "](../configuration.md#")
            yield _row([f"`{field.name}`", f"`{_type(field.type)}`", _default(field), meaning, _may_change(field)])
    for group in ("launcher", "backend"):
        yield from ["", f"## Files of `{group}=`", ""]
        for path in sorted((CONF_DIR / group).glob("*.yaml")):
            yield from ["```yaml" + f' title="conf/{group}/{path.name}"', path.read_text().rstrip(), "```", ""]


def _type(kind: Any) -> str:
    if kind in (BenchmarkConfig, MethodConfig):
        return "name"
    if isinstance(kind, UnionType):
        return " or ".join(_type(each) for each in get_args(kind) if each is not NoneType)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " or ".join(member.name for member in kind)
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind).replace("typing.", "")


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is MISSING or field.name in GROUPS:
        return "see there" if field.name in GROUPS else "required"
    value = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    if isinstance(value, Enum):
        return f"`{value.name}`"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "`true`", False: "`false`"}[value]
    return f"`{value}`"


def _may_change(field: dataclasses.Field[Any]) -> str:
    if field.metadata.get("concerns") in ("call", "machine") or field.name in BUDGET_KEYS:
        return "yes"
    return "no"


# ---------------------------------------------------------------------- methods


def about_method(path: Path) -> str:
    """The comment that a method's file begins with, as Markdown paragraphs: what it does, its source, its cost."""
    lines = []
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return "\n\n".join(re.split(r" (?=Source: |Cost: )", " ".join(lines)))


def _methods() -> Iterator[str]:
    yield "# Methods, their sources and what they cost"
    yield ""
    yield "[Which method?](../choosing-a-method.md) says which to take, [Other methods](../own-method.md) how to write one."
    for path in sorted((CONF_DIR / "method").glob("*.yaml")):
        content = [line for line in path.read_text().splitlines() if not line.startswith("#")]
        yield from ["", f"## {path.stem}", "", about_method(path), ""]
        yield from [f'```yaml title="conf/method/{path.name}"', *content, "```"]


# ---------------------------------------------------------------------- files


def told_of(owner: type) -> dict[str, str]:
    """What is said below each name that a class body assigns, by the names."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    assert isinstance(body, ast.ClassDef)
    found = {}
    for before, after in itertools.pairwise(body.body):
        said = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else None
        if isinstance(before, ast.Assign) and isinstance(said, str):
            found[ast.unparse(before.targets[0])] = " ".join(said.split())
    return found


def _files() -> Iterator[str]:
    yield "# Files and formats"
    yield ""
    yield "Of `outputs/TAG/BENCHMARK/METHOD/seed_N/`. What stays the same: [Versions](../stability.md)."
    yield from ["", "| name | what it is |", "|---|---|"]
    place = ExperimentDirectory(Path())
    yield from (_row([f"`{getattr(place, name)}`", text]) for name, text in told_of(ExperimentDirectory).items())
    yield from ["", "## events.db", ""]
    yield "SQLite with one table, `events`, to which rows are only added. All other files can be made from it."
    yield from ["", "```sql", *(line.strip() for line in SCHEMA.strip().splitlines()), "```", ""]
    yield "`body` is a JSON object. Its names by the row's `kind`, which also says what happened:"
    yield from ["", "| `kind` | what happened |", "|---|---|"]
    yield from (_row([f"`{Kind[name]}`", text]) for name, text in told_of(Kind).items())
    yield from ["", "## results.csv.zip", ""]
    yield "One row per report: the reported metrics, `config_NAME` of each hyperparameter and constant, Syne Tune's columns"
    yield f"({', '.join(f'`{name}`' for name in ALWAYS)}, `st_tuner_time`), and what callbacks add."
    yield from ["", "## metadata.json", ""]
    yield "What the experiment is and where it ran, with Syne Tune's keys; made again whenever a session ends."
    yield from ["", "## reports.jsonl", ""]
    yield "One JSON object a line, appended by the training program: metrics by their names, finite numbers or texts."


# ---------------------------------------------------------------------- Python

ROOMS = {
    "hpo.checkpoint": (checkpoint, "Checkpoints of a training script"),
    "hpo.analysis": (analysis, "Comparing"),
    "hpo.analysis.figures": (figures, "Figures"),
    "hpo.schedulers": (schedulers, "Schedulers"),
    "hpo.searchers": (searchers, "Searchers"),
    "hpo.trackers": (trackers, "Trackers"),
}
"""Modules that are public besides `hpo` itself, by the name to import."""


def public(name: str, module: Any) -> dict[str, str]:
    """Names to import from a module, each with where it is defined."""
    listed = getattr(module, "__all__", None) or [
        found for found, value in vars(module).items() if inspect.isfunction(value) and not found.startswith("_")
    ]
    found = {}
    for each in listed:
        value = getattr(module, each)
        if each.startswith("__") or inspect.ismodule(value):
            continue
        defined = inspect.isclass(value) or inspect.isfunction(value)
        target = f"{value.__module__}.{value.__qualname__}" if defined else f"{module.__name__}.{each}"
        if module is not checkpoint or target.startswith(name):  # it has no __all__
            found[f"{name}.{each}"] = target
    return found


def _python() -> Iterator[str]:
    yield "# Python API"
    yield ""
    yield "Names load when they are first used: `import hpo` in a training script costs next to nothing."
    for name, module, title in (("hpo", hpo, "`hpo`"), *((name, *about) for name, about in ROOMS.items())):
        yield from ["", f"## {title}" if name == "hpo" else f"## {title}: `{name}`"]
        for shown, target in public(name, module).items():
            yield from ["", f"::: {target}", "    options:", f"      heading: {shown}", f"      toc_label: {shown}"]
