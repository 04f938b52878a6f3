"""A Ray cluster of this machine for the tests, in a process of its own, which ends with whoever started it.

    python tests/support/ray_cluster.py FOLDER     lines of JSON on standard input and output

The head has no room for trials; nodes are added on request. Each is a raylet of its own, as on a machine of its own.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

SMALL = {"object_store_memory": 80 << 20, "include_dashboard": False}


class RayCluster:
    """The tests' side of it. A context manager."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="hr", dir="/tmp"))  # short: Ray puts sockets there
        (self._folder / "ray").mkdir()
        token = secrets.token_hex(32)
        self.environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token, "RAY_TMPDIR": str(self._folder)}
        log = (self._folder / "log").open("wb")
        with log:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(self._folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **self.environment, "RAY_USAGE_STATS_ENABLED": "0"},
                start_new_session=True,
            )
        self.nodes: list[dict] = []
        head = self._answer()
        self.address, self.gcs = head["address"], head["gcs"]

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        assert line, (self._folder / "log").read_text()
        return json.loads(line)

    def add(self, **resources: float) -> dict:
        """Another node; `pid` is that of its raylet."""
        self.nodes.append(self._ask(add=resources))
        return self.nodes[-1]

    def remove(self, node: dict) -> None:
        """As if its machine were gone: SIGKILL."""
        self.nodes.remove(node)
        self._ask(remove=node["id"])

    def _ask(self, **request: object) -> dict:
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def __enter__(self) -> "RayCluster":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def why_not() -> str | None:
    """Why there can be none; None where there can."""
    return None if find_spec("ray") else "ray is not installed here; it comes with the extra `dev`"


def _say(**message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _serve(folder: str) -> None:
    from ray.cluster_utils import Cluster

    sockets = {"temp_dir": f"{folder}/ray"}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **SMALL, **sockets})
    gcs = cluster.head_node.all_processes["gcs_server"][0].process.pid
    _say(address=cluster.address, gcs=gcs)
    nodes = {}
    for line in sys.stdin:
        match json.loads(line):
            case {"add": resources}:
                node = cluster.add_node(**resources, object_store_memory=80 << 20)
                nodes[node.node_id] = node
                _say(pid=node.all_processes["raylet"][0].process.pid, id=node.node_id)
            case {"remove": number}:
                cluster.remove_node(nodes.pop(number), allow_graceful=False)
                _say()
    cluster.shutdown()


if __name__ == "__main__":
    _serve(sys.argv[1])
