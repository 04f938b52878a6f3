"""The HTML of a report: one self-contained file in which users' texts cannot act as markup or code.

Three guards follow each other: text in the markup is escaped; data are embedded as JSON whose `<` is escaped, and are
inserted into the page as text; and a content security policy permits only the page's own scripts and no requests.
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
    """A column of a report's table."""

    name: str
    number: bool = False
    links: bool = False
    """Whether the cells of the column are lists of links, as (label, target)."""
    dots: Mapping[str, str] = field(default_factory=dict)
    """Colour of the dot beside each value."""


@dataclass(frozen=True)
class PageTable:
    """A table that the reader can sort, search and page through."""

    name: str
    title: str
    columns: Sequence[PageColumn]
    rows: Sequence[Sequence[Any]]
    sort: int | None = None
    """Column that the table is sorted by at first."""
    down: bool = False


Part = Chart | PageTable | str
"""Part of a section; text is markup made by `escaped` or the functions below."""


@dataclass(frozen=True)
class Section:
    """A heading and its content; consecutive charts share a grid."""

    anchor: str
    title: str
    parts: Sequence[Part]


def escaped(value: object) -> str:
    """Return a value as text that is safe in HTML."""
    return html.escape(str(value))


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph of plain text as HTML."""
    return f'<p class="{kind}">{escaped(text)}</p>' if kind else f"<p>{escaped(text)}</p>"


def tiles(facts: Iterable[tuple[str, str, str]]) -> str:
    """Return headline numbers as HTML, from triples of name, value and a short note."""
    cells = (
        f'<div class="tile"><dt>{escaped(name)}</dt><dd>{escaped(value)}<small>{escaped(remark)}</small></dd></div>'
        for name, value, remark in facts
    )
    return f'<dl class="tiles">{"".join(cells)}</dl>'


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """Return names and values as HTML, one pair per line."""
    rows = "".join(f'<tr><th scope="row">{escaped(k)}</th><td>{escaped(word(v))}</td></tr>' for k, v in pairs)
    return f'<table class="facts"><tbody>{rows}</tbody></table>'


def folded(summary: str, text: str, *, opened: bool = False) -> str:
    """Return text of any length as HTML that is hidden behind its summary."""
    state = " open" if opened else ""
    return f"<details{state}><summary>{escaped(summary)}</summary><pre tabindex=0>{escaped(text)}</pre></details>"


def render(title: str, subtitle: str, head: Sequence[str], sections: Sequence[Section]) -> str:
    """Return the complete HTML page.

    Args:
        title: Title as plain text.
        subtitle: Subtitle as plain text.
        head: Markup above the first section.
        sections: Sections of the page; empty ones are left out.
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
    """Return a table as plain values for the page's script."""
    rows = [[_plain(value) for value in row] for row in table.rows]
    return {**vars(table), "columns": [vars(column) for column in table.columns], "rows": rows, "page": ROWS_PER_PAGE}


def _plain(value: Any) -> Any:
    """Return a value that JSON can represent; numbers that are not finite become their names."""
    if isinstance(value, bool):
        return word(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    lossy = isinstance(value, int) and abs(value) > 2**53  # as a JavaScript number it would lose digits
    return value if value is None or (isinstance(value, int | float | str | list) and not lossy) else str(value)


def _json(content: Any) -> str:
    """Return JSON with `<` escaped, so that no text can end the script element or start a comment in it."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def link_to(path: Path, output: Path) -> str:
    """Return the relative URL of a file or folder for a page that is written to `output`."""
    return quote(os.path.relpath(path.resolve(), output.resolve().parent))


def dark_colours() -> str:
    """Return the figures' colours on a dark page, for the page's style sheet."""
    dark = "".join(f"--c-{light[1:]}:{colour};" for light, colour in DARK.items())
    system = f'@media (prefers-color-scheme: dark) {{ :root:not([data-theme="light"]) {{ {dark} }} }}'
    return f'{system}\n:root[data-theme="dark"] {{ {dark} }}\n'


def asset(name: str) -> str:
    """Return the text of a style sheet or script that pages share."""
    return resources.files("hpo.reports").joinpath("assets", name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
