"""The slots' warnings in the experiment's log."""

import logging
from collections import Counter

from hpo.ray.messages import LogMessage

log = logging.getLogger(__name__)

_QUOTED = 200
"""Number of characters that are quoted of a warning whose count is logged at the end."""


class SlotWarnings:
    """A logger of the slots' messages; a warning that every slot repeats is shown once on a terminal."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def take_in(self, host: str, message: LogMessage) -> None:
        """Log one message.

        Args:
            host: Node of the slot.
            message: The message.
        """
        text, kind = f"{host}: {message.text}", message.once
        if kind is None:
            log.log(message.level, "%s", text)
            return
        self._counts[kind] += 1
        if self._counts[kind] > 1:
            log.info("%s", text)
            return
        self._first[kind] = text if len(text) <= _QUOTED else f"{text[:_QUOTED]} …"
        log.log(message.level, "%s; further warnings of this kind are counted, and in hpo.log", text)

    def close(self) -> None:
        """Log how often each warning was given that was shown once."""
        for kind, count in self._counts.items():
            if count > 1:
                log.warning("%d further warnings like this one: %s", count - 1, self._first[kind])
