"""Forwarding between two sockets, as an SSH tunnel or a proxy does."""

import contextlib
import socket


def carry(source, target):
    """Send on what comes from `source` until it ends or either side is gone, then tell `target` that nothing follows.

    Sockets are shut down and not closed: another thread may carry the other way and still read them.
    """
    with contextlib.suppress(OSError):  # either side may go at any moment
        while part := source.recv(65536):
            target.sendall(part)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
