"""Limits on HTTP connections: a slow request is ended, and idle strangers do not shut out people who have a link."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from hpo.serve.guard import KNOWN, PATIENCE

MOST_CONNECTIONS = 128
"""Largest number of connections; above it, the oldest one that has not proven to know a link's secret is closed."""
BODY_PATIENCE = 2 * PATIENCE
"""Seconds from a request's head until its body must be complete; the application, which explains why, times out earlier."""
_COMPLETE = (h11.DONE, h11.MUST_CLOSE, h11.CLOSED, h11.ERROR)


class PatientProtocol(H11Protocol):
    """HTTP/1.1 with a time limit for each request, from the connection's beginning or the request's first byte."""

    _deadline: asyncio.TimerHandle | None = None
    _was_known = False
    _began = 0.0

    def connection_made(self, transport: Any) -> None:
        """See `H11Protocol.connection_made`; also closes an old connection if there are too many."""
        super().connection_made(transport)
        self._began = self.loop.time()
        self._expect(PATIENCE)
        if len(self.connections) > MOST_CONNECTIONS:
            strangers = [one for one in self.connections if isinstance(one, PatientProtocol) and not one.known]
            oldest = min(strangers, key=lambda one: one._began)  # may be this one
            self.connections.discard(oldest)
            oldest.transport.abort()

    @property
    def known(self) -> bool:
        """Whether a request on this connection has proven to know a link's secret."""
        return self._was_known or bool(self.scope and self.scope.get(KNOWN))

    def data_received(self, data: bytes) -> None:
        """See `H11Protocol.data_received`; also starts or ends the time limit of the request."""
        before, self._was_known = self.cycle, self.known
        if self._deadline is None and (before is None or before.response_complete):
            self._expect(PATIENCE)
        super().data_received(data)
        if self.conn.their_state in _COMPLETE:
            self._stop()
        elif self.cycle is not before:
            self._stop()
            self._expect(BODY_PATIENCE)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `H11Protocol.connection_lost`; also ends the time limit."""
        self._stop()
        super().connection_lost(exc)

    def _expect(self, seconds: float) -> None:
        self._deadline = self.loop.call_later(seconds, self._give_up)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        self.transport.close()
