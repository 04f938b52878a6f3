"""One machine's part of a Ray cluster that is started for an experiment; it ends with its standard input.

`start.py hpo.ray.cluster_node JSON`. The head is started without `address`; it prints lines of JSON to standard output:

    {"address": "10.0.0.7:34567"}
    {"there": 4}                     when all nodes have joined, or its patience has ended
    {"error": "..."}                 instead of either

A cluster manager may send SIGTERM to all processes of a job while the tuner gives trials their grace. Ray's processes must
survive that, so the signal is blocked in them, from here on. It is not blocked in trials: their host sees to that. All
processes that Ray starts carry a mark, by which they are found and ended; hosts of trials carry their own. When this
process is killed, the kernel ends Ray's daemons, and all others end with those.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from hpo.backends.gpus import visible_gpus
from hpo.errors import BackendError
from hpo.host.process_marks import experiment_mark, marked, send, set_mark, wait_gone

_OWN_PORTS = ("--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0")
"""Options that let Ray choose free ports: by default all clusters of a machine would use the same."""
_ANSWERS = 3
"""Descriptor of the original standard output, for answers only; Ray's own output goes elsewhere."""
_GLANCE = 0.2
"""Seconds between two checks which nodes have joined."""
_OBJECTS = 100 << 20
"""Bytes of Ray's object store: hpo sends no large objects."""


def _cores() -> int:
    """Return the number of cores given to this process; Slurm states it even if it does not bind to cores."""
    return int(os.environ.get("SLURM_CPUS_ON_NODE") or len(os.sched_getaffinity(0)))


def _lead(given: Mapping[str, Any], gpus: int) -> None:
    """Run the head, wait for the other nodes, and stay until the end."""
    import ray

    from hpo.ray.cluster import LOCAL, connect, living

    try:
        connect(LOCAL, folder=given["folder"], cpus=_cores(), gpus=gpus)
    except BackendError as error:
        _say(error=str(error))
        return
    _say(address=ray.get_runtime_context().gcs_address)
    deadline = time.monotonic() + given["patience"]
    while (there := len(living())) < given["nodes"] and time.monotonic() < deadline:
        if _over(_GLANCE):
            return
    _say(there=there)
    _over(None)


def _follow(given: Mapping[str, Any], gpus: int) -> int:
    """Run another node of a head's cluster. Returns an exit code: 0 when the cluster is no longer needed."""
    daemons = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "ray.scripts.scripts",
            "start",
            "--block",
            "--disable-usage-stats",
            *_OWN_PORTS,
            f"--address={given['address']}",
            f"--num-cpus={_cores()}",
            f"--num-gpus={gpus}",
            f"--object-store-memory={_OBJECTS}",
        ],
        stdin=subprocess.DEVNULL,
    )
    gone = os.pidfd_open(daemons.pid)
    return 0 if _over(None, gone) else daemons.wait() or 1


def _over(timeout: float | None, gone: int | None = None) -> bool:
    """Wait for the end of standard input, of a process, or of the timeout. Returns whether standard input has ended."""
    poll = select.poll()
    for descriptor in (0,) if gone is None else (0, gone):
        poll.register(descriptor, select.POLLIN | select.POLLHUP)
    ready = [descriptor for descriptor, _ in poll.poll(None if timeout is None else timeout * 1000)]
    return 0 in ready


def _say(**message: Any) -> None:
    os.write(_ANSWERS, json.dumps(message).encode() + b"\n")


def main() -> None:
    """Run a node; the command line has the launcher's settings as JSON."""
    given = json.loads(sys.argv[1])
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    mark = experiment_mark(f"{given['folder']}/{os.getpid()}")
    set_mark(mark)
    os.dup2(1, _ANSWERS, inheritable=False)
    os.dup2(2, 1)
    for name in list(os.environ):
        if name.startswith(tuple(given["hidden"])):
            del os.environ[name]
    gpus = len(visible_gpus()) if given["gpus"] else 0
    code = 0
    if given.get("address"):
        code = _follow(given, gpus)
    else:
        _lead(given, gpus)
    while left := marked(mark):  # repeated, since one may have started others meanwhile
        send(left, signal.SIGKILL)
        wait_gone(left, 1.0)
    shutil.rmtree(given["folder"], ignore_errors=True)
    os._exit(code)  # Ray's exit handlers would call processes that have ended
