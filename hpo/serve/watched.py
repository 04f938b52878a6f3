"""An experiment that pages look at, and what wakes them when it changes."""

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
    """An experiment, and the pages that wait for its next change."""

    feed: "Feed"
    figures: "Figures"
    reader: Reader
    viewers: int = 0
    version: int = 0
    """Counts what was told of it."""
    rang: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at the next change, and replaced."""
    messages: dict[tuple[int, int], tuple[str, bytes, int]] = field(default_factory=dict)
    """What was sent of its last change."""
    blind: bool = False
    task: "asyncio.Task[None] | None" = None
    left: float = 0.0
    """When its last viewer went."""

    async def read(self, work: Callable[[], T], *, brief: bool = False) -> T:
        """Return what a function returns that reads this experiment, in a thread and never two at a time.

        Args:
            work: The function.
            brief: See `Reader.read`.
        """
        return await self.reader.read(work, brief=brief)

    def tell(self) -> None:
        """Wake whoever waits."""
        self.version += 1
        self.changed.set()
        self.changed = asyncio.Event()
