"""A Ray cluster of this machine for the tests, in a process of its own, which ends with whoever started it.

    python tests/support/ray_cluster.py FOLDER     lines of JSON on standard input and output

The head has no room for trials; nodes are added on request. Each is a raylet of its own, as on a machine of its own.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
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
        self._process.stdin.write(json.dumps(resources) + "\n")
        self._process.stdin.flush()
        self.nodes.append(self._answer())
        return self.nodes[-1]

    def remove(self, node: dict) -> None:
        """As if its machine were gone."""
        self.nodes.remove(node)
        with contextlib.suppress(ProcessLookupError):
            os.kill(node["pid"], signal.SIGKILL)

    def __enter__(self) -> "RayCluster":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def why_not() -> str | None:
    """Why there can be none; None where there can."""
    return None if find_spec("ray") else "ray is not installed here: pip install 'hpo[ray]'"


def _say(**message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _serve(folder: str) -> None:
    from ray.cluster_utils import Cluster

    sockets = {"temp_dir": f"{folder}/ray"}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **SMALL, **sockets})
    gcs = cluster.head_node.all_processes["gcs_server"][0].process.pid
    _say(address=cluster.address, gcs=gcs)
    for line in sys.stdin:
        node = cluster.add_node(**json.loads(line), object_store_memory=80 << 20)
        _say(pid=node.all_processes["raylet"][0].process.pid, id=node.node_id)
    cluster.shutdown()


if __name__ == "__main__":
    _serve(sys.argv[1])
