"""A Ray cluster that a launcher starts for one experiment and that ends with it."""

import contextlib
import json
import os
import secrets
import select
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from hpo.backends.failure_cause import last_lines
from hpo.config.schema import BACKENDS, ExperimentConfig
from hpo.errors import BackendError, ConfigError
from hpo.host.host_start import START

_PATIENCE = 120.0
"""Seconds that all nodes have to join."""
_END = 15.0
"""Seconds that a node has to end in order."""
_MEMBER = (*START, "hpo.ray.cluster_node")

Join = Callable[[Sequence[str]], Sequence[str]]
"""Function that turns the command that joins a machine to the cluster into one that runs it on all other machines."""


@dataclass(frozen=True)
class ClusterPlan:
    """The size and settings of a cluster.

    Args:
        nodes: Number of machines, this one included.
        folder: Folder on each machine for Ray's files; Ray puts sockets there, so its path must be short.
        gpus: Whether to use the machines' GPUs.
        hidden: Prefixes of environment variables that are hidden from trials.
        patience: Seconds that the nodes have to join.
    """

    nodes: int
    folder: str
    gpus: bool
    hidden: Sequence[str] = ()
    patience: float = _PATIENCE


def makes_cluster(config: ExperimentConfig) -> bool:
    """Whether the launcher has to start a Ray cluster for this experiment: it uses one and names none."""
    return config.backend_target == BACKENDS["ray"] and not config.backend.get("address")


def check_nodes(config: ExperimentConfig, key: str, nodes: int | None) -> None:
    """Raise ConfigError if trials cannot use all machines of a job.

    Args:
        config: Configuration of the experiment.
        key: The launcher's key for the number of machines.
        nodes: Number of machines; None if it is not given.
    """
    on_ray, address = config.backend_target == BACKENDS["ray"], config.backend.get("address")
    if nodes is not None and (isinstance(nodes, bool) or not isinstance(nodes, int) or nodes < 1):
        raise ConfigError(f"{key}={nodes}: use a positive whole number")
    if (nodes or 1) > 1 and not on_ray:
        raise ConfigError(
            f"{key}={nodes}: only backend=ray has trials on more than one machine; add backend=ray, or leave {key} out"
        )
    if nodes is not None and on_ray and address:
        raise ConfigError(
            f"{key}={nodes}, backend.address={address}: the job makes a Ray cluster of its own machines, or uses the one at "
            f"that address; leave one of the two out"
        )


@contextlib.contextmanager
def ray_cluster(plan: ClusterPlan, join: Join, log_file: Path) -> Iterator[None]:
    """Run a cluster while the context lasts; it is named in this process's environment.

    The cluster ends with this process, however that ends.

    Args:
        plan: Size and settings of the cluster.
        join: Makes the command that reaches the other machines.
        log_file: File for the nodes' output.

    Raises:
        BackendError: The cluster did not start.
    """
    own = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment = {**kept, **own}
    with contextlib.ExitStack() as ends, log_file.open("ab") as log:
        head = _start([*_MEMBER, json.dumps(asdict(plan))], environment, log, stdout=subprocess.PIPE)
        ends.callback(_end, head)
        told = _Told(head, log_file)
        address = told.next("address", time.monotonic() + plan.patience)
        if plan.nodes > 1:
            order = json.dumps({**asdict(plan), "address": address})
            others = _start(join([*_MEMBER, order]), environment, log, stdout=log)
            ends.callback(_end, others)
            there = told.next("there", time.monotonic() + plan.patience + _END, others)
        else:
            there = told.next("there", time.monotonic() + plan.patience)
        if there < plan.nodes:
            raise BackendError(
                f"backend=ray: of the {plan.nodes} nodes of the job only {there} joined its Ray cluster within "
                f"{plan.patience:.0f} s; {log_file} has what they say"
            )
        before = {name: value for name, value in os.environ.items() if name.startswith("RAY_")}
        _replace_rays({**own, "RAY_ADDRESS": address})
        ends.callback(_replace_rays, before)
        yield


def _start(command: Sequence[str], environment: Mapping[str, str], log: IO[bytes], *, stdout: Any) -> Any:
    return subprocess.Popen(
        command,
        bufsize=0,  # polling would not see a line that was read ahead
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=log,
        env=dict(environment),
        start_new_session=True,
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Close a process's input, which ends it in order."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _replace_rays(variables: Mapping[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith("RAY_")]:
        del os.environ[name]
    os.environ.update(variables)


class _Told:
    """The messages of the head."""

    def __init__(self, head: "subprocess.Popen[bytes]", log_file: Path) -> None:
        assert head.stdout is not None
        self._stream, self._log_file = head.stdout, log_file

    def next(self, name: str, deadline: float, others: "subprocess.Popen[bytes] | None" = None) -> Any:
        """Return the head's next message.

        Args:
            name: Key that the message must have.
            deadline: Deadline on the monotonic clock.
            others: Process that runs the other nodes; if it ends, there is nothing to wait for.

        Raises:
            BackendError: The message does not come.
        """
        with contextlib.ExitStack() as opened:
            poll = select.poll()
            poll.register(self._stream, select.POLLIN)
            if others is not None:
                descriptor = os.pidfd_open(others.pid)
                opened.callback(os.close, descriptor)
                poll.register(descriptor, select.POLLIN)
            ready = [number for number, _ in poll.poll(max(deadline - time.monotonic(), 0) * 1000)]
        line = self._stream.readline() if self._stream.fileno() in ready else b""
        message = json.loads(line) if line else {}
        if name in message:
            return message[name]
        said = " ".join((message.get("error") or last_lines(self._log_file, lines=3)).split()) or "no word from it"
        raise BackendError(f"backend=ray: the job's Ray cluster did not come about ({said}); see {self._log_file}")
