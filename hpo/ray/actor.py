"""The Ray actor before it imports hpo: it checks that its node has all that trials need. Standard library and ray only.

The class travels to the nodes by value, so that a node without this package can report that. Orders and answers are JSON,
as bytes, which Ray transports unchanged.
"""

import hashlib
import importlib
import importlib.util
import json
import os
import platform
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpo.ray.slot import Slot


def digest_of(path: str) -> str | None:
    """Return the digest of a file, or of the Python files in a folder; None if neither exists."""
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
    """A Ray actor on a node, with one slot. Call `open` first; then keep one call of `changes` pending and send orders."""

    def __init__(self) -> None:
        self._slot: Slot | None = None

    async def open(self, data: bytes, code: Sequence[Any]) -> bytes:
        """Prepare the slot. The answer says where it is and, under `error`, why it is not ready.

        Args:
            data: Settings for slots.
            code: Reference to the archive of code, for nodes that do not share the directory; else empty.
        """
        import ray

        given = json.loads(data)
        node = ray.get_runtime_context().get_node_id()
        place = {"node": node, "host": platform.node(), "ray": ray.__version__, "python": platform.python_version()}
        why = _why_not(given)
        answer = {} if why is None else {"error": why}
        if not answer:
            _settle(given)
            module = importlib.import_module("hpo.ray.slot")
            try:
                if code:
                    await _unpack(given["apart"]["code"], code[0])
                slots_here = max(given["rooms"].get(node, 1), 1)
                self._slot = module.Slot(given, name=f"{node[:8]}_{os.getpid()}", slots_here=slots_here)
            except module.HPOError as error:
                answer = {"error": str(error)}
        return json.dumps({**place, **answer}).encode()

    async def changes(self) -> bytes:
        """Return what has happened since the last call; waits until something has."""
        assert self._slot is not None
        return json.dumps(await self._slot.changes()).encode()

    async def orders(self, data: bytes) -> None:
        """Pass orders to the slot's backend."""
        assert self._slot is not None
        self._slot.take(json.loads(data))

    async def close(self) -> None:
        """End what still runs, and return when it has ended."""
        if self._slot is not None:
            await self._slot.close()


def _why_not(given: Mapping[str, Any]) -> str | None:
    """Return why trials cannot run on this node; None if they can."""
    here = ".".join(platform.python_version_tuple()[:2])
    if here != given["python"]:
        return f"it has Python {here}, and the tuner {given['python']}: start its Ray with the same minor version"
    if given["apart"] is None and (why := _why_not_shared(given)):
        return why
    found = importlib.util.find_spec("hpo")
    folder = None if found is None or found.origin is None else os.path.dirname(found.origin)  # noqa: PTH120
    if folder is None:
        return "hpo is not installed there: install it in the environment that its Ray runs in"
    if digest_of(folder) != given["hpo"]:
        return f"hpo in {folder} is not the version that runs here: install the same there"
    return None


def _why_not_shared(given: Mapping[str, Any]) -> str | None:
    """Return why this node does not share the tuner's files; None if it does."""
    directory = given["directory"]
    if not os.path.exists(os.path.join(directory, given["nonce"])):  # noqa: PTH110, PTH118
        return (
            f"{directory} is not the same directory there as here: backend=ray needs one that all nodes share; run the "
            f"command in a shared folder, name one with hydra.sweep.dir, or give backend.storage a place for checkpoints"
        )
    if not os.access(directory, os.W_OK):
        return f"{directory} cannot be written to there: let the user that Ray runs as write there"
    if not os.path.isdir(given["cwd"]):  # noqa: PTH112
        return f"the working directory {given['cwd']} is not there: run the command in a shared folder"
    for file, digest in given["files"].items():
        if digest_of(file) != digest:
            return f"{file} is not there what it is here: keep the code in a shared folder"
    return None


async def _unpack(digest: str, packed: Any) -> None:
    """Unpack the code and make its folder the working directory; the code travels to each node once."""
    module = importlib.import_module("hpo.ray.node_storage")
    there = module.code_folder(digest).is_dir()
    os.chdir(module.unpack_code(b"" if there else await packed, digest))


def _settle(given: Mapping[str, Any]) -> None:
    """Change to the tuner's working directory if it is shared, and use the user's number of threads, not Ray's."""
    if given["apart"] is None:
        os.chdir(given["cwd"])
    os.environ.pop("OMP_NUM_THREADS", None)
    os.environ.update(given["environment"])
