"""The live view of experiments in a notebook: one output below the cell that is updated.

IPython is never imported here, because a notebook has already imported it.
"""

import io
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDTH, HEIGHT = 100, 30
"""Size of the view in characters."""
DRAW_EVERY = 0.5

_BLOCK = '<pre style="line-height:1.2">{code}</pre>'


def in_notebook() -> bool:
    """Whether the program runs in a notebook that shows HTML, and not in a terminal or script."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


class NotebookView:
    """The output below a notebook's cell, which each frame replaces."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, frame: "RenderableType") -> None:
        """Replace the previous frame by this one."""
        content = {"text/html": _html(frame), "text/plain": _text(frame)}
        if self._handle is None:
            display = sys.modules["IPython"].display.display
            self._handle = display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


def _html(frame: "RenderableType") -> str:
    console = _console()
    console.print(frame)
    return str(console.export_html(inline_styles=True, code_format=_BLOCK))


def _text(frame: "RenderableType") -> str:
    console = _console()
    console.print(frame)
    return str(console.export_text())


def _console() -> Any:
    from rich.console import Console

    return Console(file=io.StringIO(), record=True, width=WIDTH, force_jupyter=False, highlight=False)
