"""The reference of the Python API: as Markdown for the repository, and as directives that the site's builder fills in."""

import inspect
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from hydra.utils import get_object

import hpo
from hpo import analysis, checkpoint, figures, schedulers, searchers, trackers

ROOMS = {
    "hpo": (hpo, "`hpo`"),
    "hpo.checkpoint": (checkpoint, "Checkpoints of a training script: `hpo.checkpoint`"),
    "hpo.analysis": (analysis, "Comparing: `hpo.analysis`"),
    "hpo.analysis.figures": (figures, "Figures: `hpo.analysis.figures`"),
    "hpo.schedulers": (schedulers, "Schedulers: `hpo.schedulers`"),
    "hpo.searchers": (searchers, "Searchers: `hpo.searchers`"),
    "hpo.trackers": (trackers, "Trackers: `hpo.trackers`"),
}
"""Public modules by the name to import, each with its heading."""
_SECTION = re.compile(r"^(Args|Returns|Raises|Yields|Attributes):$")
_WIDEST = 100


def public(name: str, module: Any) -> dict[str, str]:
    """Return the names to import from a module, each with the place where it is defined."""
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


def _opening() -> Iterator[str]:
    yield "# Python API"
    yield ""
    yield "Names load when they are first used: `import hpo` in a training script costs next to nothing."


def directives() -> Iterator[str]:
    """The page for the site, whose builder reads signatures and docstrings."""
    yield from _opening()
    for name, (module, title) in ROOMS.items():
        yield from ["", f"## {title}"]
        for shown, target in public(name, module).items():
            yield from ["", f"::: {target}", "    options:", f"      heading: {shown}", f"      toc_label: {shown}"]


def markdown() -> Iterator[str]:
    """The page for the repository."""
    yield from _opening()
    for name, (module, title) in ROOMS.items():
        yield from ["", f"## {title}"]
        for shown, target in public(name, module).items():
            yield from ["", f"### {shown}", "", *_described(shown, get_object(target))]


def _described(shown: str, value: Any) -> Iterator[str]:
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        names = ", ".join(f"`{name}`" for name in value) if isinstance(value, Mapping) else f"`{value!r}`"
        yield f"Constant: {names}."
        return
    plain = inspect.isclass(value) and issubclass(value, Exception | Enum)
    yield from ["```python", shown if plain else shown + _signature(value), "```", ""]
    yield from _docstring(value)
    if inspect.isclass(value) and issubclass(value, Enum):
        yield f"One of {', '.join(f'`{member.name}`' for member in value)}."
    elif inspect.isclass(value):
        for name, member in vars(value).items():
            function = getattr(member, "fget", None) or getattr(member, "__func__", member)
            if name.startswith("_") or not inspect.isfunction(function) or not inspect.getdoc(function):
                continue
            call = (
                ""
                if isinstance(member, property)
                else _signature(function).replace("(self, ", "(", 1).replace("(self)", "()", 1)
            )
            first = " ".join((inspect.getdoc(function) or "").partition("\n\n")[0].split())
            yield f"- `{name}{call.partition(' ->')[0] if len(call) <= _WIDEST else '(…)'}`: {first}"


def _signature(value: Any) -> str:
    text = re.sub(r"\b(?:[a-z_]\w*\.)+(?=[A-Za-z])", "", str(inspect.signature(value)))
    text = re.sub(r"<(\w+)\.(\w+): [^>]*>", r"\1.\2", re.sub(r"<factory>", "…", text)).replace(" -> None", "")
    if len(text) <= _WIDEST:
        return text
    inside, _, returned = text[1:].rpartition(")")
    parts = re.split(r", (?![^\[({]*[\])}])", inside)
    return "(\n" + "".join(f"    {part},\n" for part in parts) + ")" + returned


def _docstring(value: Any) -> Iterator[str]:
    section = False
    for line in (inspect.getdoc(value) or "").splitlines():
        if match := _SECTION.match(line):
            section = True
            yield from [f"**{match[1].replace('Args', 'Arguments')}**", ""]
        elif section and re.match(r"^    \*{0,2}\w+: ", line):
            name, _, text = line.strip().partition(": ")
            yield f"- `{name}`: {text}"
        elif section and line.startswith("        "):
            yield "  " + line.strip()
        elif section and line.startswith("    "):
            yield line.strip()
        else:
            section = section and not line
            yield line
    yield ""
