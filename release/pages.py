"""The site's pages: those of the repository, with their links turned, and a Python reference for the site's builder.

`python -m release.pages` writes them to build/docs, from where mkdocs.yml takes them.
"""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from release import python_reference

ROOT = Path(__file__).parents[1]
BUILT = ROOT / "build" / "docs"
HOMES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "sweeper/README.md": "sweeper.md",
}
"""Pages that do not lie in docs/, and what they are called on the site."""

_LINK = re.compile(r"(\]\()([^)#\s]+)((?:#[^)\s]*)?\))")
_FENCE = re.compile(r"^(```\w+) file=(\S+)$", re.MULTILINE)
_CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def homes() -> dict[Path, Path]:
    """Where each page, picture and notebook of the repository stands on the site, both relative."""
    found = {Path(path): Path(home) for path, home in HOMES.items()}
    docs = ROOT / "docs"
    for path in sorted(docs.rglob("*")):
        if path.is_file() and path.suffix != ".py":
            found[path.relative_to(ROOT)] = path.relative_to(docs)
    return found


def turned(text: str, source: Path, known: Mapping[Path, Path]) -> str:
    """A page's text with its relative links as they are on the site, and files' names as titles of their blocks.

    Raises:
        ValueError: a link leads to what the site does not have.
    """

    def turn(match: re.Match[str]) -> str:
        before, target, after = match.groups()
        if re.match(r"\w+:", target):
            return match[0]
        path = Path(os.path.normpath(source.parent / target))
        if path not in known:
            raise ValueError(
                f"{source}: the link to {target} leads out of the site; link a page of docs/ or of {[*HOMES]}"
            )
        return before + os.path.relpath(known[path], known[source].parent) + after

    parts, end = [], 0
    for code in _CODE.finditer(text):
        parts += [_LINK.sub(turn, text[end : code.start()]), _FENCE.sub(r'\1 title="\2"', code[0])]
        end = code.end()
    return "".join([*parts, _LINK.sub(turn, text[end:])])


def write_pages(target: Path) -> None:
    """Write all of them into a folder, which is made anew."""
    shutil.rmtree(target, ignore_errors=True)
    known = homes()
    for source, home in known.items():
        path = target / home
        path.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".md":
            path.write_text(turned((ROOT / source).read_text(), source, known))
        else:
            shutil.copyfile(ROOT / source, path)
    (target / "reference" / "python.md").write_text("\n".join(python_reference.directives()) + "\n")


if __name__ == "__main__":
    write_pages(BUILT)
