"""An experiment that pages look at, and the asyncio events that wake them when it changes."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from hpo.serve.readers import Reader

if TYPE_CHECKING:
    from hpo.serve.answers import Figures
    from hpo.serve.feed import Feed

T = TypeVar("T")


@dataclass
class Watched:
    """An experiment whose live pages are served, with the number of their viewers."""

    feed: "Feed"
    figures: "Figures"
    reader: Reader
    viewers: int = 0
    version: int = 0
    """Number of changes that pages were told of."""
    rang: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Event that is set at the next change, and then replaced by a new one."""
    messages: dict[tuple[int, int], tuple[str, bytes, int]] = field(default_factory=dict)
    """Messages about the last change, encoded once for all pages."""
    blind: bool = False
    task: "asyncio.Task[None] | None" = None
    left: float = 0.0
    """Monotonic time at which the last viewer left."""

    async def read(self, work: Callable[[], T], *, brief: bool = False) -> T:
        """Call a function that reads this experiment in a thread, never two at a time, and return its result.

        Args:
            work: The function.
            brief: See `Reader.read`.
        """
        return await self.reader.read(work, brief=brief)

    def tell(self) -> None:
        """Wake all pages that wait for a change."""
        self.version += 1
        self.changed.set()
        self.changed = asyncio.Event()
