"""The HTML of a report: one self-contained file, in which text of users is text and nothing else.

Three guards, one behind the other: what is written into the markup is escaped; data travel as JSON whose `<` is escaped
and is put into the page as text; and a content security policy lets the browser run the page's own scripts only, and
fetch nothing at all.
"""

import base64
import hashlib
import html
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hpo.events.text import word
from hpo.figures.chart import Chart
from hpo.figures.style import DARK

ROWS_PER_PAGE = 100
SCRIPTS = ("labels.js", "chart.js", "pointing.js", "tables.js", "figures.js", "report.js")


@dataclass(frozen=True)
class PageColumn:
    """A column of a table."""

    name: str
    number: bool = False
    links: bool = False
    """Cells are lists of (label, target)."""
    dots: Mapping[str, str] = field(default_factory=dict)
    """Colours that mark values."""


@dataclass(frozen=True)
class PageTable:
    """Rows that the page sorts, searches and pages."""

    name: str
    title: str
    columns: Sequence[PageColumn]
    rows: Sequence[Sequence[Any]]
    sort: int | None = None
    """The column that it is sorted by at first."""
    down: bool = False


Part = Chart | PageTable | str
"""What a section consists of; text is markup, made with `escaped` or the functions below."""


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it; charts that follow each other share a grid."""

    anchor: str
    title: str
    parts: Sequence[Part]


def escaped(value: object) -> str:
    """Text for the markup."""
    return html.escape(str(value))


def paragraph(text: str, kind: str = "") -> str:
    """One paragraph of plain text."""
    return f'<p class="{kind}">{escaped(text)}</p>' if kind else f"<p>{escaped(text)}</p>"


def tiles(facts: Iterable[tuple[str, str, str]]) -> str:
    """Headline numbers: (name, value, remark)."""
    cells = (
        f'<div class="tile"><dt>{escaped(name)}</dt><dd>{escaped(value)}<small>{escaped(remark)}</small></dd></div>'
        for name, value, remark in facts
    )
    return f'<dl class="tiles">{"".join(cells)}</dl>'


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """Names and values, one a line."""
    rows = "".join(f'<tr><th scope="row">{escaped(k)}</th><td>{escaped(word(v))}</td></tr>' for k, v in pairs)
    return f'<table class="facts"><tbody>{rows}</tbody></table>'


def folded(summary: str, text: str, *, opened: bool = False) -> str:
    """Text of any length behind its summary."""
    state = " open" if opened else ""
    return f"<details{state}><summary>{escaped(summary)}</summary><pre tabindex=0>{escaped(text)}</pre></details>"


def render(title: str, subtitle: str, head: Sequence[str], sections: Sequence[Section]) -> str:
    """The whole page.

    Args:
        title: plain text.
        subtitle: plain text.
        head: markup above the first section.
        sections: empty ones are left out.
    """
    sections = [replace(s, parts=[p for p in s.parts if not (isinstance(p, Chart) and p.needless)]) for s in sections]
    sections = [section for section in sections if section.parts]
    parts = [part for section in sections for part in section.parts]
    charts = [part for part in parts if isinstance(part, Chart)]
    tables = [part for part in parts if isinstance(part, PageTable)]
    scripts = [asset(name) for name in SCRIPTS]
    allowed = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    policy = f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:"
    links = "".join(f'<a href="#{section.anchor}">{escaped(section.title)}</a>' for section in sections)
    body = "\n".join(
        f'<section id="{section.anchor}"><h2>{escaped(section.title)}</h2>{_markup(section.parts)}</section>'
        for section in sections
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="hpo">
<title>{escaped(title)}</title>
<link rel="icon" href="data:,">
<style>{dark_colours()}{asset("report.css")}</style>
</head>
<body>
<a class="skip" href="#{sections[0].anchor if sections else ""}">Skip to the content</a>
<div class="page">
<header><div><h1>{escaped(title)}</h1><div class="soft">{escaped(subtitle)}</div></div>
<button type="button" id="theme">Light / dark</button></header>
<nav aria-label="Sections">{links}</nav>
<noscript><p class="warn">Figures and tables need JavaScript.</p></noscript>
<main>
{"".join(head)}
{body}
</main>
</div>
<script type="application/json" id="charts">{_json([chart.content() for chart in charts])}</script>
<script type="application/json" id="tables">{_json([table_content(table) for table in tables])}</script>
{"".join(f"<script>{script}</script>" for script in scripts)}
</body>
</html>
"""


def _markup(parts: Sequence[Part]) -> str:
    pieces, grid = [], False
    for part in parts:
        if isinstance(part, Chart) != grid:
            pieces.append("</div>" if grid else '<div class="figures">')
            grid = not grid
        if isinstance(part, Chart):
            pieces.append(_figure(part))
        elif isinstance(part, PageTable):
            pieces.append(f'<h3>{escaped(part.title)}</h3><div id="table-{part.name}"></div>')
        else:
            pieces.append(part)
    return "".join([*pieces, "</div>" if grid else ""])


def _figure(chart: Chart) -> str:
    caption = f'<p class="caption">{escaped(chart.caption)}</p>' if chart.caption else ""
    if chart.panels:
        plot = f'<div class="plot" id="figure-{chart.name}" style="min-height:{chart.height}px"></div>'
    else:
        caption, plot = "", f'<p class="instead">{escaped(chart.instead)}</p>'
    wide = ' class="wide"' if chart.wide else ""
    return f'<figure{wide}><div class="head"><h3>{escaped(chart.title)}</h3></div>{caption}{plot}</figure>'


def table_content(table: PageTable) -> dict[str, Any]:
    """For the page's script."""
    rows = [[_plain(value) for value in row] for row in table.rows]
    return {**vars(table), "columns": [vars(column) for column in table.columns], "rows": rows, "page": ROWS_PER_PAGE}


def _plain(value: Any) -> Any:
    """A value that JSON has: numbers that are not finite become their names."""
    if isinstance(value, bool):
        return word(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    lossy = isinstance(value, int) and abs(value) > 2**53  # a number of JavaScript would lose digits
    return value if value is None or (isinstance(value, int | float | str | list) and not lossy) else str(value)


def _json(content: Any) -> str:
    """With `<` escaped, so that no text can close the script element, or open a comment in it."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def link_to(path: Path, output: Path) -> str:
    """The address of a file or folder in the page that is written to `output`."""
    return quote(os.path.relpath(path.resolve(), output.resolve().parent))


def dark_colours() -> str:
    """What the figures' colours are on a dark page."""
    dark = "".join(f"--c-{light[1:]}:{colour};" for light, colour in DARK.items())
    system = f'@media (prefers-color-scheme: dark) {{ :root:not([data-theme="light"]) {{ {dark} }} }}'
    return f'{system}\n:root[data-theme="dark"] {{ {dark} }}\n'


def asset(name: str) -> str:
    """A style sheet or script that pages share."""
    return resources.files("hpo.reports").joinpath("assets", name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
