"""The instances of a job: the first has the head of a Ray cluster and the tuner, the others are its further nodes.

The service starts the same on all of them. The first waits at a port for the others, and tells each how to join; when that
connection ends, so does their part.
"""

import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hpo.aws.bootstrap import ML
from hpo.backends.ray.made import ClusterPlan, makes_cluster, ray_cluster
from hpo.config.schema import ExperimentConfig
from hpo.errors import BackendError
from hpo.host.host_start import START

_PORT = 7787
_PATIENCE = 900.0
"""Seconds that instances wait for each other: each brings its image and its packages first."""
_AGAIN = 2.0
"""Seconds between two tries to reach the first, while it is not there."""
_MOST_JOINS = 10
"""A node that Ray takes for dead joins again; one that cannot live here, not for ever."""


@dataclass(frozen=True)
class Instances:
    """Those of this job.

    Args:
        hosts: their names, the first one first.
        current: the name of this one.
    """

    hosts: Sequence[str]
    current: str

    @classmethod
    def read(cls, path: Path = ML / "input" / "config" / "resourceconfig.json") -> "Instances":
        """As the service describes them; `algo-2` comes before `algo-10`."""
        content = json.loads(path.read_text())
        hosts = sorted(content["hosts"], key=lambda name: (len(name), name))
        return cls(hosts, content["current_host"])

    @property
    def leads(self) -> bool:
        """Is this the one with the tuner?"""
        return self.current == self.hosts[0]


@contextlib.contextmanager
def cluster_of_instances(config: ExperimentConfig, instances: Instances, log_file: Path) -> Iterator[None]:
    """Within this there is the Ray cluster that an experiment needs; nothing is done where it needs none.

    Args:
        config: of the experiment.
        instances: of the job; this is the first.
        log_file: for what the nodes say.

    Raises:
        BackendError: it did not come about.
    """
    if not makes_cluster(config):
        yield
        return
    name = hashlib.blake2b(os.environ.get("TRAINING_JOB_NAME", "").encode(), digest_size=4).hexdigest()
    plan = ClusterPlan(
        nodes=len(instances.hosts),
        folder=f"/tmp/hpo-{os.getuid()}-{name}",
        gpus=bool(config.num_gpus_per_trial),
        patience=_PATIENCE,
    )

    def join(command: Sequence[str]) -> Sequence[str]:
        order = {"host": instances.current, "port": _PORT, "others": instances.hosts[1:], "run": command[len(START) :]}
        return [*START, "hpo.launchers.sagemaker.gathering", json.dumps(order)]

    with ray_cluster(plan, join, log_file):
        yield


def follow(instances: Instances) -> int:
    """Be a further node until the first instance needs it no more. Returns the exit code of the job here.

    Raises:
        BackendError: the first cannot be reached.
    """
    connection = _reach(instances, _PATIENCE)
    if connection is None:
        raise BackendError(f"instance {instances.hosts[0]} did not answer within {_PATIENCE:.0f} s; see its log")
    # The service sends SIGTERM to all instances at once, and the tuner has trials to end first.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for _ in range(_MOST_JOINS):
        with connection:
            if not (line := _line(connection)):
                break
            order = json.loads(line)
            environment = {**os.environ, **order["environment"]}
            subprocess.run([*START, *order["run"]], stdin=connection.fileno(), env=environment, check=False)
        connection = _reach(instances, 0.0)
        if connection is None:
            break
    return 0  # by another code the service would end the whole job


def _reach(instances: Instances, patience: float) -> socket.socket | None:
    deadline = time.monotonic() + patience
    while True:
        with contextlib.suppress(OSError):
            own = (socket.gethostbyname(instances.current), 0)  # by which the first knows it
            connection = socket.create_connection((instances.hosts[0], _PORT), 10.0, own)
            connection.settimeout(None)
            return connection
        if time.monotonic() >= deadline:
            return None
        time.sleep(_AGAIN)


def _line(connection: socket.socket) -> str:
    with connection.makefile() as stream:
        return stream.readline()
