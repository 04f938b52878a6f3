"""Reference pages that are made from the code, and committed: keys, commands, methods, files, the Python API.

`python -m release.reference` writes them into docs/.
"""

import ast
import inspect
import itertools
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click
from omegaconf import OmegaConf

from hpo.cli.commands.all_commands import VERBS
from hpo.cli.completion import OPTIONS
from hpo.config.config_folders import CONF_DIR
from hpo.events.types import Kind
from hpo.results.rows import ALWAYS
from hpo.store.directory import ExperimentDirectory
from hpo.store.event_store import SCHEMA
from release import benchmark_reference, key_reference, method_reference, python_reference
from release.key_reference import header, row

DOCS = Path(__file__).parents[1] / "docs"
EXPLAINED_IN = {
    "check-script": "own-script.md",
    "compare": "comparing.md",
    "confirm": "confirming.md",
    "completion": "first-experiment.md",
    "export": "exporting.md",
    "import": "exporting.md",
    "init": "own-script.md",
    "plan": "planning.md",
    "plot": "reporting.md",
    "record": "simulating.md",
    "replay": "resuming.md",
    "report": "reporting.md",
    "reproduce": "exporting.md",
    "serve": "live-page.md",
    "status": "watching.md",
    "steer": "steering.md",
    "stop": "steering.md",
    "sync": "sagemaker.md",
    "watch": "watching.md",
}
"""The page that explains each command."""


# ---------------------------------------------------------------------- commands


def tasks() -> list[tuple[str, str]]:
    """Return what `hpo --help` lists, as (command, task)."""
    template = OmegaConf.load(CONF_DIR / "config.yaml").hydra.help.template
    lists = template.partition("== Before a run")[2].partition("== In your shell")[0]
    listed = re.findall(r"^([a-z][a-z-]*) +(\S.*)$", lists, re.MULTILINE)
    return [("init", "propose a search space for a program of your own"), *listed]


def _commands() -> Iterator[str]:
    yield "# Commands and options"
    yield ""
    yield "`hpo key=value …` runs experiments ([all keys](../configuration.md)); `hpo COMMAND …` does one of the following."
    yield "`hpo help COMMAND` prints the same text."
    yield from header("task", "command", "explained in")
    yield row(
        ["run experiments; after an interruption, resume them", "`hpo key=value …`", _link("first-experiment.md")]
    )
    for name, task in tasks():
        yield row([task, f"[`hpo {name}`](#hpo-{name})", _link(EXPLAINED_IN[name])])
    yield from ["", "## A run", *header("option", "meaning")]
    yield from (row([f"`{option.text}`", option.about]) for option in OPTIONS)
    for name in sorted(VERBS):
        verb = VERBS[name]
        context = click.Context(verb, info_name=f"hpo {name}")
        yield from ["", f"## hpo {name}", "", _paragraphs(verb.help or ""), ""]
        yield from ["```text", " ".join([f"hpo {name}", *verb.collect_usage_pieces(context)]), "```", ""]
        yield from header("word", "meaning")[1:]
        for parameter in verb.params:
            if isinstance(parameter, click.Argument):
                yield row([f"`{parameter.human_readable_name}`", getattr(parameter, "help", None) or ""])
            elif (record := parameter.get_help_record(context)) is not None:
                yield row([f"`{record[0]}`", record[1]])


def _paragraphs(text: str) -> str:
    return re.sub(r"(?<!\n)\n(?!\n)", " ", text)


def _link(page: str) -> str:
    return f"[{(DOCS / page).read_text().partition(chr(10))[0].removeprefix('# ')}](../{page})"


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
    yield from (row([f"`{getattr(place, name)}`", text]) for name, text in told_of(ExperimentDirectory).items())
    yield from ["", "## events.db", ""]
    yield "SQLite with one table, `events`, to which rows are only added. All other files can be made from it."
    yield from ["", "```sql", *(line.strip() for line in SCHEMA.strip().splitlines()), "```", ""]
    yield "`body` is a JSON object. Its names by the row's `kind`, which also says what happened:"
    yield from ["", "| `kind` | what happened |", "|---|---|"]
    yield from (row([f"`{Kind[name]}`", text]) for name, text in told_of(Kind).items())
    yield from ["", "## results.csv.zip", ""]
    yield "One row per report: the reported metrics, `config_NAME` of each hyperparameter and constant, Syne Tune's columns"
    yield f"({', '.join(f'`{name}`' for name in ALWAYS)}, `st_tuner_time`), and what callbacks add."
    yield from ["", "## metadata.json", ""]
    yield "What the experiment is and where it ran, with Syne Tune's keys; made again whenever a session ends."
    yield from ["", "## reports.jsonl", ""]
    yield "One JSON object a line, appended by the training program: metrics by their names, finite numbers or texts."


PAGES: dict[str, Callable[[], Iterable[str]]] = {
    "configuration.md": key_reference.page,
    "reference/benchmarks.md": benchmark_reference.page,
    "reference/commands.md": _commands,
    "reference/methods.md": method_reference.page,
    "reference/files.md": _files,
    "reference/python.md": python_reference.markdown,
}
"""What yields the lines of each page, by the page's path in docs/."""


def page(name: str) -> str:
    """Return the text of a page of `PAGES`."""
    return "\n".join(PAGES[name]()).rstrip() + "\n"


if __name__ == "__main__":
    for name in PAGES:
        (DOCS / name).parent.mkdir(exist_ok=True)
        (DOCS / name).write_text(page(name))
