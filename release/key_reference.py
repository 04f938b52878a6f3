"""The page of all keys, docs/configuration.md: types and defaults from the schema, the classes and the YAML groups."""

import dataclasses
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args

from hydra.utils import get_class
from omegaconf import MISSING, OmegaConf

from hpo.config.budgets import BUDGET_KEYS
from hpo.config.choices import accepted_names
from hpo.config.config_folders import CONF_DIR
from hpo.config.schema import BenchmarkConfig, ExperimentConfig

INTERNAL = {"warm_start_sha256"}
"""Keys that hpo writes and no user gives."""
GROUPS = ("benchmark", "method", "backend", "launcher")
ASSEMBLED = {"space", "randomness", "searcher", "max_resource", "aims", "points_to_evaluate", "self", "options"}
"""Arguments of searchers and schedulers that hpo passes itself."""
_OPENING = """# All keys

Every key that hpo knows, with its type, its default, an example, and the page that explains it. After `hpo` a key is written
`key=value`, in YAML `key: value`, and in Python `hpo.load_config(…, key=value)`:

```bash
hpo benchmark=mlp_digits method=ASHA n_workers=2 max_num_trials=4 experiment_tag=keys \\
    benchmark.config_space.learning_rate.upper=0.01 method.scheduler.reduction_factor=4
```

A list is written `[a,b]`, no value `null`. Keys with ↻ may change when an experiment resumes; to change any other is an error
that names it. This page is generated: `python -m release.reference` writes it."""
_METHODS = """
## Keys of a method

A method pairs a searcher with a scheduler. `method.searcher.KEY=VALUE` and `method.scheduler.KEY=VALUE` change their
arguments. Put a `+` in front (`+method.searcher.KEY=VALUE`) if the method's file does not list the key. Defaults here are
those of the class; [All methods](reference/methods.md) shows each method's file."""
_SETTING = re.compile(r"^( *)([\w-]+):(?: ([^#]*?))?(?: *# (.*))?$")
_ARGUMENT = re.compile(r"^    (\w+): (.*(?:\n        .*)*)", re.MULTILINE)


def row(cells: Iterable[str]) -> str:
    """One row of a Markdown table."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def header(*names: str) -> list[str]:
    """The first two lines of a Markdown table."""
    return ["", row(names), "|" + "---|" * len(names)]


def keys_of(config: type) -> list[dataclasses.Field[Any]]:
    """The keys of a part of the configuration that a user may give."""
    return [field for field in dataclasses.fields(config) if field.name not in INTERNAL]


def explanations() -> dict[str, dict[str, dict[str, str]]]:
    """What release/keys.yaml says of each key, by part of the configuration and by name."""
    return OmegaConf.to_container(OmegaConf.load(Path(__file__).with_name("keys.yaml")), resolve=False)  # type: ignore[return-value]


def page() -> Iterator[str]:
    """The lines of docs/configuration.md."""
    yield _OPENING
    parts = explanations()
    yield from _schema_table("Keys of an experiment", "", ExperimentConfig, parts["experiment"])
    about = "In `conf/benchmark/NAME.yaml`; on the command line `benchmark.KEY=VALUE`."
    yield from _schema_table("Keys of a benchmark", about, BenchmarkConfig, parts["benchmark"])
    yield from _domain_table(parts["domain"])
    yield from _method_tables()
    yield from _group_tables("launcher", {"slurm": "slurm.md", "sagemaker": "sagemaker.md"})
    yield from _group_tables(
        "backend", {"ray": "many-machines.md", "sagemaker": "sagemaker.md", "simulated": "simulating.md"}
    )


def _schema_table(title: str, about: str, config: type, told: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    yield from ["", f"## {title}"]
    if about:
        yield from ["", about]
    yield from header("key", "type", "default", "example", "what it does", "explained in")
    for field in keys_of(config):
        key = told[field.name]
        name = f"`{field.name}`{' ↻' if may_change(field) else ''}"
        kind = "name" if field.name in GROUPS else type_name(field.type)
        example, page = f"`{key['example']}`", _link(key["page"])
        yield row([name, f"`{kind}`", default_of(field), example, key["about"], page])


def _domain_table(told: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    yield from ["", "## Keys of a hyperparameter", ""]
    yield f"Below `config_space.NAME` of a benchmark: see {_link('search-space.md')}, for the last two {_link('priors.md')}."
    yield from header("key", "type", "default", "example", "what it does")
    for name, key in told.items():
        yield row([f"`{name}`", f"`{key['kind']}`", key["default"], f"`{key['example']}`", key["about"]])


def type_name(kind: Any) -> str:
    """A type as a reader of YAML knows it."""
    if isinstance(kind, UnionType):
        return " or ".join(type_name(each) for each in get_args(kind) if each is not NoneType)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " or ".join(accepted_names(kind))
    name = kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind)
    return re.sub(r"(typing|collections\.abc)\.", "", name)


def default_of(field: dataclasses.Field[Any]) -> str:
    """The default of a key, as it is written in YAML."""
    if field.name in GROUPS:
        return {"benchmark": "`resnet_cifar10`", "method": "four methods", "backend": "`auto`"}.get(
            field.name, "`local`"
        )
    if field.default is MISSING:
        return "date and time" if field.name == "experiment_tag" else "required"
    return written(field.default if field.default_factory is dataclasses.MISSING else field.default_factory())


def written(value: Any) -> str:
    """A value as it is written in YAML."""
    if isinstance(value, Enum):
        return f"`{value.name}`"
    if value is inspect.Parameter.empty:
        return "required"
    if value is None or isinstance(value, bool):
        return "`" + {None: "null", True: "true", False: "false"}[value] + "`"
    if isinstance(value, float):
        return f"`{value:.4g}`"
    return f"`{list(value) if isinstance(value, tuple) else value}`"


def may_change(field: dataclasses.Field[Any]) -> bool:
    """Whether the key may change when an experiment resumes."""
    return field.metadata.get("concerns") in ("call", "machine") or field.name in BUDGET_KEYS


def _link(target: str) -> str:
    page = (Path(__file__).parents[1] / "docs" / target.partition("#")[0]).read_text()
    return f"[{page.partition(chr(10))[0].removeprefix('# ')}]({target})"


# ---------------------------------------------------------------------- methods


def _method_tables() -> Iterator[str]:
    yield _METHODS
    users: dict[tuple[str, str], list[str]] = {}
    for path in sorted((CONF_DIR / "method").glob("*.yaml")):
        content = OmegaConf.load(path)
        for part in ("searcher", "scheduler"):
            users.setdefault((part, content[part]["_target_"]), []).append(path.stem)
    for part in ("searcher", "scheduler"):
        yield from ["", f"### `method.{part}`", *header("methods", "key", "type", "default", "what it does")]
        for target in sorted(target for which, target in users if which == part):
            names = ", ".join(f"`{name}`" for name in users[part, target])
            arguments = list(arguments_of(get_class(target)))
            if not arguments:
                yield row([names, "–", "", "", "no keys"])
            for name, kind, default, about in arguments:
                yield row([names, f"`{name}`", f"`{type_name(kind)}`", written(default), about])


def arguments_of(kind: type) -> Iterator[tuple[str, Any, Any, str]]:
    """Name, type, default and description of each argument of a searcher or scheduler that a user may give."""
    signatures: dict[str, inspect.Parameter] = {}
    about: dict[str, str] = {}
    reached = False
    for base in kind.__mro__:
        for name, text in _ARGUMENT.findall(inspect.cleandoc(base.__doc__ or "").partition("Args:\n")[2]):
            about.setdefault(name, " ".join(text.split()))
        if "__init__" in vars(base) and not reached:
            parameters = inspect.signature(vars(base)["__init__"]).parameters
            for name, parameter in parameters.items():
                signatures.setdefault(name, parameter)
            reached = not any(each.kind == each.VAR_KEYWORD for each in parameters.values())
    for name, parameter in signatures.items():
        if name not in ASSEMBLED:
            yield name, parameter.annotation, parameter.default, about[name]


# ---------------------------------------------------------------------- launchers and backends


def settings_of(path: Path) -> Iterator[tuple[str, str, str]]:
    """Key, default and comment of each line of a launcher's or a backend's file."""
    above = ""
    for line in path.read_text().splitlines():
        match = _SETTING.match(line)
        if match is None or match[2] in ("_target_", "name"):
            continue
        indent, name, value, about = match.groups()
        if not value:
            above = name
        whole = f"{above}.{name}" if indent else name
        missing = f"`sbatch --{name}`" if above == "sbatch" and indent else f"as `launcher.{name}`"
        yield whole, value or "", about or missing


def _group_tables(group: str, explained: Mapping[str, str]) -> Iterator[str]:
    yield from ["", f"## Keys of a {group}"]
    for path in sorted((CONF_DIR / group).glob("*.yaml")):
        settings = list(settings_of(path))
        see = f" {_link(explained[path.stem])} explains it." if path.stem in explained else ""
        yield from ["", f"### `{group}={path.stem}`", "", _about(path) + see]
        if settings:
            yield from header("key", "default", "what it does")
        yield from (row([f"`{group}.{name}`", f"`{value}`" if value else "", about]) for name, value, about in settings)


def _about(path: Path) -> str:
    first = path.read_text().partition("\n")[0].removeprefix("# ")
    return re.sub(r" See docs/\S+", "", first)
