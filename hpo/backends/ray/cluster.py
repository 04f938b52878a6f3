"""The cluster, from the driver's side: connecting to it, one made for this experiment, and what its nodes have."""

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
"""The address that means a cluster on this machine, for this experiment."""
_PATIENCE = 10.0
"""Seconds that a head has to take a connection."""
_OBJECTS = 100 << 20
"""Bytes of memory for Ray's objects in a cluster of ours: nothing large travels."""


def connect(address: str, *, folder: str, cpus: float, gpus: int) -> None:
    """Connect this process with a cluster.

    Args:
        address: of its head, or `local`.
        folder: for the files of a local cluster; Ray puts sockets there, whose paths may not be long.
        cpus: of a local cluster.
        gpus: likewise.

    Raises:
        BackendError: there is none that can be used.
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
    """The nodes that are alive."""
    return [node for node in ray.nodes() if node["Alive"]]


def name_nodes(nodes: Sequence[Mapping[str, Any]], names: dict[str, str]) -> None:
    """Name new nodes by their machines; of several on one machine the id tells them apart.

    Args:
        nodes: all that are alive.
        names: by their ids; a name that was given stays.
    """
    hosts = Counter(node["NodeManagerHostname"] for node in nodes)
    for node in nodes:
        host = node["NodeManagerHostname"]
        names.setdefault(node["NodeID"], host if hosts[host] == 1 else f"{host}-{node['NodeID'][:6]}")


def slots_on(resources: Mapping[str, float], needed: Mapping[str, float]) -> int:
    """How many slots a node has room for.

    Args:
        resources: all that it has.
        needed: by one slot.
    """
    return min((int(resources.get(name, 0.0) / amount) for name, amount in needed.items() if amount), default=1)


def as_text(resources: Mapping[str, float]) -> str:
    """Resources as a person counts them."""
    shown = [f"{amount:g} {name}" for name, amount in sorted(resources.items()) if name in ("CPU", "GPU") and amount]
    kinds = [
        name.removeprefix("accelerator_type:") for name in sorted(resources) if name.startswith("accelerator_type:")
    ]
    return " and ".join(shown or ["nothing"]) + (f" ({', '.join(kinds)})" if kinds else "")


def why_unfit(nodes: Sequence[Mapping[str, Any]], needed: Mapping[str, float]) -> str | None:
    """Why no node can ever hold a slot; None where one can."""
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
