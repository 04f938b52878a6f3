"""Communication with a process in lines of JSON, over a socket pair."""

import contextlib
import json
import socket
from collections.abc import Mapping
from typing import Any


class JsonLines:
    """One end of a socket pair; the creator of the pair gives the other end to a process and closes it here."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._socket, self.theirs = socket.socketpair()
        self.descriptor = self._socket.fileno()
        """Descriptor to poll, until the other side has ended."""

    @property
    def alive(self) -> bool:
        """Whether the other side has not been seen to end."""
        return self._socket.fileno() >= 0

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message. If the other side has ended, only `receive` reports it."""
        with contextlib.suppress(OSError):
            self._socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> list[dict[str, Any]] | None:
        """Return the messages that have arrived, possibly none yet; None when the other side has ended."""
        try:
            data = self._socket.recv(1 << 18)
        except ConnectionError:
            data = b""
        if not data:
            self.close()
            return None
        *lines, rest = data.split(b"\n")
        if not lines:  # a long line is not joined again with each of its parts
            self._parts.append(rest)
            return []
        lines[0] = b"".join(self._parts) + lines[0]
        self._parts = [rest]
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """Close this end, which the other side sees."""
        self._socket.close()
