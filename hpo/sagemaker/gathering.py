"""The program on a job's first instance that tells the others how to join its Ray cluster, until it ends.

`start.py hpo.sagemaker.gathering JSON`; it ends with its standard input. The token of the cluster is sent only to
the addresses of the job's own instances.
"""

import contextlib
import json
import os
import select
import socket
import sys

_WAITING = 128


def main() -> None:
    """Run the program; its JSON has `host`, `port`, the names of the `others`, and the command that they `run`."""
    given = json.loads(sys.argv[1])
    told = {name: value for name, value in os.environ.items() if name.startswith("RAY_")}
    order = json.dumps({"run": given["run"], "environment": told}).encode() + b"\n"
    connections: dict[int, socket.socket] = {}
    with socket.create_server((given["host"], given["port"]), backlog=_WAITING) as server:
        poll = select.poll()
        poll.register(0, select.POLLIN | select.POLLHUP)
        poll.register(server, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == 0:
                    return
                if descriptor == server.fileno():
                    connection, (address, _) = server.accept()
                    if address not in _addresses(given["others"]):
                        connection.close()
                        continue
                    with contextlib.suppress(OSError):
                        connection.sendall(order)
                        connections[connection.fileno()] = connection
                        poll.register(connection, select.POLLIN | select.POLLHUP)
                else:  # the connection has ended: no data is ever sent to this side
                    poll.unregister(descriptor)
                    connections.pop(descriptor).close()


def _addresses(names: list[str]) -> set[str]:
    found = set()
    for name in names:
        with contextlib.suppress(OSError):
            found |= {str(entry[4][0]) for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
    return found
