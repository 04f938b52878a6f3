"""A Ray cluster that a launcher makes for one experiment, and that goes with it."""

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
"""Seconds that all nodes have to come."""
_END = 15.0
"""Seconds that a node has to end in order."""
_MEMBER = (*START, "hpo.backends.ray.member")

Join = Callable[[Sequence[str]], Sequence[str]]
"""Makes, from the command that makes a machine a node of the cluster, the one that runs it on all machines but this one."""


@dataclass(frozen=True)
class ClusterPlan:
    """What a cluster is made of.

    Args:
        nodes: machines, this one among them.
        folder: for Ray's own files, on each; Ray puts sockets there, whose paths may not be long.
        gpus: are the machines' GPUs to be used?
        hidden: beginnings of names of variables that trials shall not see.
        patience: seconds that the nodes have to come.
    """

    nodes: int
    folder: str
    gpus: bool
    hidden: Sequence[str] = ()
    patience: float = _PATIENCE


def makes_cluster(config: ExperimentConfig) -> bool:
    """Has an experiment's launcher to make a cluster for it: does it want one, and names none?"""
    return config.backend_target == BACKENDS["ray"] and not config.backend.get("address")


def check_nodes(config: ExperimentConfig, key: str, nodes: int | None) -> None:
    """Raise ConfigError unless trials can be on all machines of a job.

    Args:
        config: of the experiment.
        key: the launcher's, by which they are asked for.
        nodes: how many; None where nobody has said.
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
    """Within this there is a cluster, and this process's environment names it. It ends with this process, however that ends.

    Args:
        plan: of the cluster.
        join: how the other machines are reached.
        log_file: for what the nodes say.

    Raises:
        BackendError: it did not come about.
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
        bufsize=0,  # a line that is read ahead would not be seen to be there
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=log,
        env=dict(environment),
        start_new_session=True,
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Close its input, by which it ends in order."""
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
    """What the head has to say."""

    def __init__(self, head: "subprocess.Popen[bytes]", log_file: Path) -> None:
        assert head.stdout is not None
        self._stream, self._log_file = head.stdout, log_file

    def next(self, name: str, deadline: float, others: "subprocess.Popen[bytes] | None" = None) -> Any:
        """Its next message.

        Args:
            name: of what it is about.
            deadline: of the monotonic clock.
            others: what runs the other nodes; without it there is nothing to wait for.

        Raises:
            BackendError: it does not come.
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
