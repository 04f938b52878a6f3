"""The Ray cluster from the driver's side: connecting to it, starting a local one, and reading its nodes' resources."""

import logging
import os
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import AuthenticationError, RayError

from hpo.errors import BackendError

LOCAL = "local"
"""Address that means a cluster on this machine for this experiment alone."""
_PATIENCE = 10.0
"""Seconds within which a head must accept a connection."""
_OBJECTS = 100 << 20
"""Bytes of Ray's object store in a cluster that hpo starts: hpo sends no large objects."""


def connect(address: str, *, folder: str, cpus: float, gpus: int) -> None:
    """Connect this process with a cluster.

    Args:
        address: Address of the cluster's head, or `local`.
        folder: Folder for a local cluster's files; Ray puts sockets there, so its path must be short.
        cpus: Number of CPUs of a local cluster.
        gpus: Number of GPUs of a local cluster.

    Raises:
        BackendError: There is no usable cluster.
    """
    quiet: dict[str, Any] = {"log_to_driver": False, "configure_logging": False, "logging_level": logging.WARNING}
    if address == LOCAL:
        quiet |= {"num_cpus": cpus, "num_gpus": gpus, "_temp_dir": folder}
        quiet |= {"include_dashboard": False, "object_store_memory": _OBJECTS}
    elif address != "auto":
        _knock(address)
    try:
        ray.init(address=address, namespace="hpo", **quiet)
    except (AuthenticationError, ConnectionError) as error:
        raise BackendError(
            f"backend.address={address}: something answers there, but Ray does not let this process in; if it is the port "
            f"of the head, the cluster has another token than RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token "
            f"gives here, or RAY_AUTH_MODE={os.environ.get('RAY_AUTH_MODE', '')} is not its mode; ray.log has what Ray says"
        ) from error
    except (RayError, RuntimeError, ValueError, OSError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise BackendError(f"backend.address={address}: Ray cannot be used there: {said}") from error


def _knock(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise BackendError(f"backend.address={address}: it is not HOST:PORT, as `ray start --head` prints it")
    try:
        socket.create_connection((host, int(port)), _PATIENCE).close()
    except OSError as error:
        raise BackendError(
            f"backend.address={address}: no Ray cluster answers there ({error}); start one with `ray start --head`, or "
            f"correct backend.address or RAY_ADDRESS"
        ) from error


def living() -> list[Mapping[str, Any]]:
    """Return the nodes that are alive."""
    return [node for node in ray.nodes() if node["Alive"]]


def name_nodes(nodes: Sequence[Mapping[str, Any]], names: dict[str, str]) -> None:
    """Name new nodes by their machines; several nodes on one machine are distinguished by id.

    Args:
        nodes: All nodes that are alive.
        names: Names by node id; new ones are added, existing names stay.
    """
    hosts = Counter(node["NodeManagerHostname"] for node in nodes)
    for node in nodes:
        host = node["NodeManagerHostname"]
        names.setdefault(node["NodeID"], host if hosts[host] == 1 else f"{host}-{node['NodeID'][:6]}")


def slots_on(resources: Mapping[str, float], needed: Mapping[str, float]) -> int:
    """Return how many slots fit on a node.

    Args:
        resources: All resources of the node.
        needed: Resources of one slot.
    """
    return min((int(resources.get(name, 0.0) / amount) for name, amount in needed.items() if amount), default=1)


def as_text(resources: Mapping[str, float]) -> str:
    """Return a readable text of resources."""
    shown = [f"{amount:g} {name}" for name, amount in sorted(resources.items()) if name in ("CPU", "GPU") and amount]
    kinds = [
        name.removeprefix("accelerator_type:") for name in sorted(resources) if name.startswith("accelerator_type:")
    ]
    return " and ".join(shown or ["nothing"]) + (f" ({', '.join(kinds)})" if kinds else "")


def why_unfit(nodes: Sequence[Mapping[str, Any]], needed: Mapping[str, float]) -> str | None:
    """Return why no node can ever hold a slot; None if one can."""
    if any(slots_on(node["Resources"], needed) for node in nodes):
        return None
    have = "; ".join(sorted({f"{node['NodeManagerHostname']} has {as_text(node['Resources'])}" for node in nodes}))
    keys = [f"backend.cpus={needed['CPU']:g}"] + (
        [f"num_gpus_per_trial={needed['GPU']:g}"] if needed.get("GPU") else []
    )
    keys += [f"backend.accelerator_type={name.removeprefix('accelerator_type:')}" for name in needed if ":" in name]
    return (
        f"{', '.join(keys)}: no node of the cluster has that much ({have or 'it has none'}); ask for less, add a node, or "
        f"pass backend.autoscaling=true where one comes by itself"
    )
