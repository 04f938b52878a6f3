"""The page of all methods, docs/reference/methods.md: what each supports, its file, its source and its cost."""

import re
from collections.abc import Iterator
from pathlib import Path

from hpo.config.config_folders import CONF_DIR
from hpo.config.reading import content_of
from hpo.schedulers.capabilities import capabilities_of, method_names
from release.key_reference import header, row

_OPENING = """# All methods

What each method pairs and supports, then its file, source and cost. [Which method?](../choosing-a-method.md) says which to
take, [Methods](../own-method.md) how to write one, [All keys](../configuration.md#keys-of-a-method) what can be changed."""
_LEGEND = """
**Trials** that violate a constraint are *ranked* behind the others at each rung, *compared* as worse by the stopping rule, or
*never stopped*. **Proposals** are *modelled* by a Gaussian process for each constraint; or violations get the *worst losses*
of one model, are *ranked* behind the others, *split* off from the good half first, or are *no incumbents* or *no parents*;
the other searchers ignore results. *Rejected*: hpo says so before any trial starts."""


def supported(name: str) -> tuple[str, str, str, str]:
    """Return what a method does with conditional hyperparameters, constraints (trials, proposals) and several objectives."""
    searcher, scheduler = capabilities_of(name)
    conditions, objectives = searcher.conditions and scheduler.conditions, searcher.objectives and scheduler.objectives
    trials, proposals = scheduler.violations, scheduler.proposals or searcher.violations
    if not (searcher.constraints and scheduler.constraints):
        trials = proposals = "rejected"
    return _answer(conditions), trials, proposals, _answer(objectives)


def _answer(supports: bool) -> str:
    return "yes" if supports else "rejected"


def about_method(path: Path) -> str:
    """Return the comment that a method's file begins with as Markdown paragraphs: what it does, its source, its cost."""
    lines = []
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return "\n\n".join(re.split(r" (?=Source: |Cost: )", " ".join(lines)))


def page() -> Iterator[str]:
    """The lines of docs/reference/methods.md."""
    yield _OPENING
    columns = (
        "method",
        "searcher",
        "scheduler",
        "[conditional](../search-space.md#conditional-hyperparameters)",
        "[constraints](../constraints.md): trials",
        "constraints: proposals",
        "[multi-objective](../several-objectives.md)",
    )
    yield from header(*columns)
    for name in method_names():
        content = content_of("method", name)
        classes = [
            content[part]["_target_"].rpartition(".")[2].removesuffix("Searcher") for part in ("searcher", "scheduler")
        ]
        yield row([f"[`{name}`](#{name.lower()})", *(f"`{each}`" for each in classes), *supported(name)])
    yield _LEGEND
    for name in method_names():
        path = CONF_DIR / "method" / f"{name}.yaml"
        content = [line for line in path.read_text().splitlines() if not line.startswith("#")]
        yield from ["", f"## {name}", "", about_method(path), ""]
        yield from [f'```yaml title="conf/method/{path.name}"', *content, "```"]
