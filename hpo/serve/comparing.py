"""The page of a tag: its methods over seeds, as in the tag's report, with a verdict only where `hpo compare` gives one."""

import time
from pathlib import Path
from typing import Any

from hpo.errors import ConfigError, HPOError
from hpo.figures.chart import Chart
from hpo.serve.answers import chart_content
from hpo.serve.wire import encoded

LEAST = 10.0
"""Seconds for which a comparison is not made anew."""
SHARE = 0.04
"""Of the time that comparing may take."""


class Comparisons:
    """The comparisons of a server's tags, each kept until it may be made anew."""

    def __init__(self) -> None:
        self._made: dict[Path, tuple[tuple[str, ...], float, bytes]] = {}

    def body(self, folder: Path, state: tuple[str, ...]) -> bytes:
        """What there is to say of the tag in a folder.

        Args:
            folder: of the tag.
            state: another one where there is something new in it.
        """
        known = self._made.get(folder)
        if known is not None and (known[0] == state or time.monotonic() < known[1]):
            return known[2]
        began = time.thread_time()
        try:
            content = _compared(folder)
        except HPOError as error:
            content = {"sentence": str(error), "parts": [], "verdict": [], "warnings": []}
        wait = max(LEAST, (time.thread_time() - began) / SHARE)
        body = encoded({**content, "wait": wait})
        self._made[folder] = state, time.monotonic() + wait, body
        return body


def _compared(folder: Path) -> dict[str, Any]:
    from hpo.analysis.loading import load_runs
    from hpo.analysis.method_comparison import compare
    from hpo.reports.page import PageTable, table_content
    from hpo.reports.tag_page import curves_of_runs, methods_of, pairs_of

    runs, warnings = load_runs([folder])
    sentence, verdict = "", []
    parts: list[Any] = []
    try:
        comparison = compare([folder], loaded=(runs, warnings))
        verdict, warnings = list(comparison.sentences), list(comparison.warnings)
        parts = [*methods_of(comparison), *pairs_of(comparison)]
    except ConfigError as error:
        sentence = f"Methods are not compared: {error}."
    parts += curves_of_runs(runs)
    return {
        "sentence": sentence,
        "verdict": verdict,
        "warnings": warnings,
        "parts": [
            {"chart": chart_content(part)} if isinstance(part, Chart) else {"table": table_content(part)}
            for part in parts
            if isinstance(part, Chart | PageTable) and not (isinstance(part, Chart) and part.needless)
        ],
    }
