"""What a Ray actor is before it has hpo: it finds the code, or says why it cannot. Standard library and ray only.

The class goes to the nodes by value, so that they need not have this package. Orders and answers are JSON, as bytes, which
Ray carries as they are.
"""

import hashlib
import importlib
import importlib.util
import json
import os
import platform
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpo.backends.ray.slot import Slot


def digest_of(path: str) -> str | None:
    """Of a file, or of the Python files in a folder; None where there is none."""
    whole = hashlib.blake2b(digest_size=16)
    files = [path] if os.path.isfile(path) else []  # noqa: PTH113
    for folder, folders, names in os.walk(path):
        folders.sort()
        files += [os.path.join(folder, name) for name in sorted(names) if name.endswith(".py")]  # noqa: PTH118
    for file in files:
        with open(file, "rb") as opened:  # noqa: PTH123
            whole.update(f"{os.path.relpath(file, path)}\0".encode() + hashlib.blake2b(opened.read()).digest())
    return whole.hexdigest() if files else None


class SlotActor:
    """Lives on a node. `open` comes first; then `changes` is always asked for, and orders are given."""

    def __init__(self) -> None:
        self._slot: Slot | None = None

    async def open(self, data: bytes) -> bytes:
        """Make ready. Answers where it is; with `needs_code`, or with `error`, why it is not ready."""
        import ray

        given = json.loads(data)
        node = ray.get_runtime_context().get_node_id()
        place = {"node": node, "host": platform.node(), "ray": ray.__version__, "python": platform.python_version()}
        answer = self._why_not(given) or {"missing": self._missing(given)}
        if "error" not in answer and answer["missing"] is None:
            self._settle(given)
            module = importlib.import_module("hpo.backends.ray.slot")
            try:
                slots_here = max(given["rooms"].get(node, 1), 1)
                self._slot = module.Slot(given, name=f"{node[:8]}_{os.getpid()}", slots_here=slots_here)
            except module.HPOError as error:
                answer = {"error": str(error)}
        return json.dumps({**place, **answer}).encode()

    def _why_not(self, given: dict[str, Any]) -> dict[str, Any] | None:
        here = ".".join(platform.python_version_tuple()[:2])
        if here != given["python"]:
            return {"error": f"it has Python {here}, and this process {given['python']}: start its Ray with the same"}
        nonce = os.path.join(given["directory"], given["nonce"])  # noqa: PTH118
        if not os.path.exists(nonce):  # noqa: PTH110
            return {
                "error": f"{given['directory']} is not the same directory there as here: backend=ray needs one that all "
                "nodes share; run the command in a shared folder, or name one with hydra.sweep.dir"
            }
        if not os.access(given["directory"], os.W_OK):
            return {
                "error": f"{given['directory']} cannot be written to there: make it so for the user that Ray runs as"
            }
        return None

    def _missing(self, given: dict[str, Any]) -> str | None:
        """What of the code is not there as it is here, unless it is brought."""
        if given["code"] is not None:
            return None
        found = importlib.util.find_spec("hpo")
        folder = None if found is None or found.origin is None else os.path.dirname(found.origin)  # noqa: PTH120
        if folder is None or digest_of(folder) != given["hpo"]:
            return "hpo"
        if not os.path.isdir(given["cwd"]):  # noqa: PTH112
            return str(given["cwd"])
        return next((file for file, digest in given["files"].items() if digest_of(file) != digest), None)

    def _settle(self, given: dict[str, Any]) -> None:
        """Work where the code is, with the user's number of threads and not Ray's."""
        os.chdir(given["code"] or given["cwd"])
        if given["code"] is not None:
            sys.path.insert(0, given["code"])
            os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [given["code"], os.environ.get("PYTHONPATH")]))
        os.environ.pop("OMP_NUM_THREADS", None)
        os.environ.update(given["environment"])

    async def changes(self) -> bytes:
        """What has happened since the last call; waits until something has."""
        assert self._slot is not None
        return json.dumps(await self._slot.changes()).encode()

    async def orders(self, data: bytes) -> None:
        """Orders for the backend."""
        assert self._slot is not None
        self._slot.take(json.loads(data))

    async def close(self) -> None:
        """End what still runs; returns when it has ended."""
        if self._slot is not None:
            await self._slot.close()
