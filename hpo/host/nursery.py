"""The nursery of a sweep: a process that has imported what the experiments preload, and forks a trial host for each.

An order is a message on a socket, with the host's connection to the tuner and its log file as descriptors beside it:

    <- !                                                 once, when all is imported
    -> {"mark": 2305843009213693952, "grace": 30.0}      with [connection, log file]
    <- 4711                                              its process, with [pidfd]

When the socket closes, or the tuner is killed, the nursery ends; each host ends when its own connection closes. Standard
library only.
"""

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, NoReturn

_MOST_BYTES = 1 << 12


def serve(descriptor: int, host: Callable[[int, int, float], None]) -> None:
    """Fork hosts until no more orders come.

    Args:
        descriptor: Descriptor of the socket.
        host: Function that takes connection, mark and grace, and serves an experiment until its tuner is gone.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a host ended: the kernel may forget it at once
    with socket.socket(fileno=descriptor) as orders, contextlib.suppress(ConnectionError):  # the tuner is gone
        orders.send(b"!")
        while True:
            message, descriptors, _, _ = socket.recv_fds(orders, _MOST_BYTES, 2)
            if not message:
                return
            pid = os.fork()
            if pid == 0:
                orders.close()
                _be_host(host, json.loads(message), *descriptors)
            process = os.pidfd_open(pid)
            socket.send_fds(orders, [str(pid).encode()], [process])
            for used in (*descriptors, process):
                os.close(used)


def _be_host(host: Callable[[int, int, float], None], order: dict[str, Any], connection: int, log: int) -> NoReturn:
    code = 1
    try:
        os.setsid()
        for standard in (1, 2):
            os.dup2(log, standard)
        os.close(log)
        host(connection, order["mark"], order["grace"])
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(code)
