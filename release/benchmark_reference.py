"""The page of all benchmarks, docs/reference/benchmarks.md, from the files in conf/benchmark."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hpo.config.config_folders import CONF_DIR
from hpo.config.reading import content_of
from release.key_reference import header, row

_OPENING = """# All benchmarks

Every benchmark that ships with hpo. [Benchmarks](../benchmarks.md) says which to take, and where data is looked for. A full
training ends at *ends at*; the budget is workers × time of one experiment. Override any key: `n_workers=2
max_wallclock_time=600`."""


def benchmark_names() -> list[str]:
    """Return the names of all benchmarks, in alphabetical order."""
    return sorted(path.stem for path in (CONF_DIR / "benchmark").glob("*.yaml"))


def page() -> Iterator[str]:
    """The lines of docs/reference/benchmarks.md."""
    yield _OPENING
    contents = {name: content_of("benchmark", name) for name in benchmark_names()}
    for title, trains in (("Real training", True), ("Simulated training", False)):
        yield from ["", f"## {title}"]
        yield from header("benchmark", "what it is", "metric", "ends at", "budget", "instance", "hyperparameters")
        for name, content in contents.items():
            if ("script" in content) == trains:
                cells = (_about(CONF_DIR / "benchmark" / f"{name}.yaml"), _metric(content), _end(content))
                instance = f"`{content['instance_type']}`" if "instance_type" in content else "–"
                yield row([f"`{name}`", *cells, _budget(content), instance, _space(content)])


def _about(path: Path) -> str:
    comment = []
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        comment.append(line.removeprefix("#").strip())
    return " ".join(comment)


def _metric(content: Any) -> str:
    objectives = content.get("objectives") or {content["metric"]: content["mode"]}
    return ", ".join(f"`{name}` {aim if isinstance(aim, str) else aim['mode']}" for name, aim in objectives.items())


def _end(content: Any) -> str:
    end = content.get("arguments", {}).get(content.get("max_resource_attr"), "")
    return f"{end} {content['resource_attr']}s" if end else "–"


def _budget(content: Any) -> str:
    seconds = content["max_wallclock_time"]
    time = f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds / 60:g} min"
    gpus = content.get("num_gpus_per_trial", 1) if "script" in content else 0
    return f"{content.get('n_workers', 1)} × {time}{f', {gpus} GPU each' if gpus else ''}"


def _space(content: Any) -> str:
    return ", ".join(_domain(name, entry) for name, entry in content["config_space"].items())


def _domain(name: str, entry: Any) -> str:
    if not isinstance(entry, dict):
        return f"{name} = {entry}"
    if "values" in entry:
        values = [str(value) for value in entry["values"]]
        text = ", ".join(values) if len(values) <= 6 else f"{len(values)} values"
        return f"{name} {{{text}}}"
    scale = next((f" {each}" for each in ("log", "reverse_log") if entry.get(each)), "")
    numbers = (re.sub(r"e-0?", "e-", f"{entry[end]:g}") for end in ("lower", "upper"))
    return f"{name} {'–'.join(numbers)}{scale}"
