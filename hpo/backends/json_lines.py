"""A conversation with a process in lines of JSON, over a socket pair."""

import contextlib
import json
import socket
from collections.abc import Mapping
from typing import Any


class JsonLines:
    """This side of it. Whoever has made the other end gives it to the process and closes it here."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._socket, self.theirs = socket.socketpair()
        self.descriptor = self._socket.fileno()
        """To be polled; of no use after the other side has ended."""

    @property
    def alive(self) -> bool:
        """Has the other side not been seen to end?"""
        return self._socket.fileno() >= 0

    def send(self, message: Mapping[str, Any]) -> None:
        """Say something. Where the other side has ended, `receive` will tell."""
        with contextlib.suppress(OSError):
            self._socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> list[dict[str, Any]] | None:
        """What has come, which may be nothing yet; None when the other side has ended."""
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
        """The other side sees that this one has ended."""
        self._socket.close()
