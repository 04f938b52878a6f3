"""The instances of a job: the first has the head of a Ray cluster and the tuner, the others are its further nodes.

The service starts the same program on all of them. The first waits at a port for the others, and tells each how to join;
when that connection ends, the other instance ends too.
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

from hpo.config.schema import ExperimentConfig
from hpo.errors import BackendError
from hpo.host.host_start import START
from hpo.ray.job_cluster import ClusterPlan, makes_cluster, ray_cluster
from hpo.sagemaker.bootstrap import ML

_PORT = 7787
_PATIENCE = 900.0
"""Seconds that instances wait for each other, since each first loads its image and installs its packages."""
_AGAIN = 2.0
"""Seconds between two attempts to reach the first instance."""
_MOST_JOINS = 10
"""Largest number of times that a node joins: one that Ray has declared dead joins again, but not for ever."""


@dataclass(frozen=True)
class Instances:
    """The instances of this job.

    Args:
        hosts: Names of all instances, the first one first.
        current: Name of this instance.
    """

    hosts: Sequence[str]
    current: str

    @classmethod
    def read(cls, path: Path = ML / "input" / "config" / "resourceconfig.json") -> "Instances":
        """Read the instances from the service's description; `algo-2` comes before `algo-10`."""
        content = json.loads(path.read_text())
        hosts = sorted(content["hosts"], key=lambda name: (len(name), name))
        return cls(hosts, content["current_host"])

    @property
    def leads(self) -> bool:
        """Whether this is the instance with the tuner."""
        return self.current == self.hosts[0]


@contextlib.contextmanager
def cluster_of_instances(config: ExperimentConfig, instances: Instances, log_file: Path) -> Iterator[None]:
    """Run the Ray cluster that an experiment needs while the context lasts; nothing is started if it needs none.

    Args:
        config: Configuration of the experiment.
        instances: Instances of the job; this is the first.
        log_file: File for the nodes' output.

    Raises:
        BackendError: The cluster did not start.
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
        return [*START, "hpo.sagemaker.gathering", json.dumps(order)]

    with ray_cluster(plan, join, log_file):
        yield


def follow(instances: Instances) -> int:
    """Run a further node until the first instance no longer needs it. Returns the job's exit code on this instance.

    Raises:
        BackendError: The first instance cannot be reached.
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
    return 0  # with another code the service would end the whole job


def _reach(instances: Instances, patience: float) -> socket.socket | None:
    deadline = time.monotonic() + patience
    while True:
        with contextlib.suppress(OSError):
            own = (socket.gethostbyname(instances.current), 0)  # the address by which the first instance knows it
            connection = socket.create_connection((instances.hosts[0], _PORT), 10.0, own)
            connection.settimeout(None)
            return connection
        if time.monotonic() >= deadline:
            return None
        time.sleep(_AGAIN)


def _line(connection: socket.socket) -> str:
    with connection.makefile() as stream:
        return stream.readline()
