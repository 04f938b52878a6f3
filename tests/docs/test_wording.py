"""Docs, docstrings and messages use the field's words: phrases that always have a plainer form do not occur."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")]

PHRASES = {
    r"it is (said|told)\b": "name who does it: hpo lists, logs, warns",
    r"\b(is|are) said\b": "is logged, is printed; or name who does it",
    r"\b(is|are|was|were|be|been) refused\b": "is rejected, by whom",
    r"\b(what|all) (becomes|became|comes|came|has become) of\b": "the outcome of",
    r"\b(experiment|trial|session|attempt|training|budget)s? (is|are) over\b": "has finished, is used up",
    r"\b(goes|went|going|gone|go) on (with|from|where|until|there|at once|without|elsewhere)\b": "resumes, continues",
    r"\bunless given\b": "if not given; default: ...",
    r"\bon the mean\b": "on average",
    r"\bfrom nothing\b": "from scratch",
    r"\banew\b": "again",
    r"(?-i:(?<!are )\b[Vv]erbs?\b(?!:))": "command (of the command line)",
    r"\bpretend(s|ed)?\b": "simulated, mocked",
    r"\bremarks?\b": "warning",
    r"(?<![.\w])mend(s|ed|ing)?\b": "repair, fix, correct",
    r"\bnot always used\b": "conditional",
    r"\bin the place of\b": "instead of",
    r"\b(stands?|stood) there\b": "is listed, occurs",
    r"\b(cannot|can|could|may|not) be had\b": "is not available",
    r"\bgoes? with \w+ alone\b": "is only for",
    r"\bas \w+ has (it|them)\b": "as in",
    r"\botherwise than\b|\bcome out otherwise\b": "differently from; differ",
    r"(?<!there )\b(it|that|this|which) is no (?!longer|more|less|way)": "is not a",
    r"\bours\b": "hpo's",
    r"\b(thrifty|sought|honou?rs)\b": "cost-aware; objective; supports",
    r"\bin the spaces of people\b": "in hand-designed search spaces",
    r"\bhyperparameters that are not always\b": "conditional hyperparameters",
    r"\bwall time over ideal\b": "overhead, in percent",
    r"\bbehind none of\b": "at least as good as, on average, in which comparison",
    r"\b(nobody|somebody) heard of\b": "that was not reported",
}

OPENING = re.compile(
    r"(What|Of|Those|So|Where|Who|Does|Do|Did|Is|Are|Was|Were|May|Might|Has|Have|Can|Could|Would|Should|Must|Shall)\b"
)

NOT_YET_REWRITTEN = (
    "hpo/sagemaker/settings.py",  # a message that a test asserts
    "hpo/ray/node_storage.py",  # likewise
    "hpo/ray/node_care.py",  # likewise
    "hpo/tuner/script_warnings.py",  # the reason of an end, as the log stores it
    "docs/configuration.md",
)
"""Pages and rooms whose sentences are still as they were; the list only gets shorter."""


def _string(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def _strings(path: Path) -> Iterator[tuple[int, str, bool]]:
    """Line, text and whether it is a docstring, of each string of a module; an f-string is one."""
    tree = ast.parse(path.read_text())
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) not in parts and (text := _string(node)) is not None:
            yield getattr(node, "lineno", 0), " ".join(text.split()), id(node) in docs


def _texts() -> Iterator[tuple[str, int, str, bool]]:
    pages = [*PAGES, *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "conf").rglob("*.yaml"))]
    for path in pages:
        for line, text in enumerate(path.read_text().splitlines(), 1):
            yield str(path.relative_to(ROOT)), line, text, False
    for path in sorted((ROOT / "hpo").rglob("*.py")):
        for line, text, doc in _strings(path):
            yield str(path.relative_to(ROOT)), line, text, doc


TEXTS = list(_texts())


@pytest.mark.parametrize("phrase", PHRASES)
def test_a_phrase_that_has_a_plainer_form_does_not_occur(phrase):
    pattern = re.compile(phrase, re.IGNORECASE)
    found = [
        f"{path}:{line}: ...{text[max(0, match.start() - 40) : match.end() + 40]}..."
        for path, line, text, _ in TEXTS
        for match in pattern.finditer(text)
        if not path.startswith(NOT_YET_REWRITTEN)
    ]
    assert not found, f"write {PHRASES[phrase]}:\n" + "\n".join(found)


def test_no_docstring_opens_as_a_question_or_a_fragment():
    found = [
        f"{path}:{line}: {text[:80]}"
        for path, line, text, doc in TEXTS
        if doc and OPENING.match(text) and not path.startswith(NOT_YET_REWRITTEN)
    ]
    assert not found, "write a sentence that stands alone:\n" + "\n".join(found)


@pytest.mark.parametrize("place", NOT_YET_REWRITTEN)
def test_every_exception_is_still_needed(place):
    patterns = [re.compile(phrase, re.IGNORECASE) for phrase in PHRASES]
    assert any(
        (doc and OPENING.match(text)) or any(pattern.search(text) for pattern in patterns)
        for path, _, text, doc in TEXTS
        if path.startswith(place)
    ), f"{place} is rewritten: remove it from the list"
