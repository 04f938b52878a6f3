"""The Ray actor before it imports hpo: it checks that its node has all that trials need. Standard library and ray only.

The classes travel to the nodes by value, so that a node without this package can report that. Orders and answers are JSON,
as bytes, which Ray transports unchanged; see `hpo.ray.messages`.
"""

import hashlib
import importlib
import importlib.util
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class SlotOpening:
    """The order to prepare a slot, which a node reads before it is known to have hpo."""

    config: Mapping[str, Any]
    directory: str
    """The experiment's directory."""
    nonce: str
    """Name of a file there: a node that sees the file shares the directory."""
    cwd: str
    python: str
    """The tuner's minor version of Python."""
    hpo: str | None
    """Digest of the tuner's hpo."""
    files: Mapping[str, str | None]
    """Digests of the files that a trial runs, by path."""
    environment: Mapping[str, str]
    storage: str | None = None
    """Address of the storage for checkpoints; None if all nodes share the directory."""
    code: str = ""
    """Digest of the code that is sent to nodes which do not."""
    sync_seconds: float = 0.0
    proof: str = ""
    """Key of an object that the tuner has put into the storage."""
    rooms: Mapping[str, int] = field(default_factory=dict)
    """Number of slots that fit on each node, by its id."""


@dataclass(frozen=True)
class SlotAnswer:
    """The answer to the order: where the slot is, and why it is not ready."""

    node: str
    host: str
    error: str | None


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
        self._slot: Any = None

    async def open(self, data: bytes, code: Sequence[Any]) -> bytes:
        """Prepare the slot. Returns a `SlotAnswer` as JSON.

        Args:
            data: A `SlotOpening` as JSON.
            code: Reference to the archive of code, for nodes that do not share the directory; else empty.
        """
        import ray

        opening = SlotOpening(**json.loads(data))
        node = ray.get_runtime_context().get_node_id()
        why = _why_not(opening)
        if why is None:
            _settle(opening)
            module = importlib.import_module("hpo.ray.slot")
            try:
                if code:
                    await _unpack(opening.code, code[0])
                slots_here = max(opening.rooms.get(node, 1), 1)
                self._slot = module.Slot(opening, name=f"{node[:8]}_{os.getpid()}", slots_here=slots_here)
            except module.HPOError as error:
                why = str(error)
        return json.dumps(vars(SlotAnswer(node, platform.node(), why))).encode()

    async def changes(self) -> bytes:
        """Return what has happened since the last call; waits until something has."""
        return bytes(await self._slot.changes())

    async def orders(self, data: bytes) -> None:
        """Pass orders to the slot's backend."""
        self._slot.take(data)

    async def close(self) -> None:
        """End what still runs, and return when it has ended."""
        if self._slot is not None:
            await self._slot.close()


def _why_not(opening: SlotOpening) -> str | None:
    """Return why trials cannot run on this node; None if they can."""
    here = ".".join(platform.python_version_tuple()[:2])
    if here != opening.python:
        return f"it has Python {here}, and the tuner {opening.python}: start its Ray with the same minor version"
    if opening.storage is None and (why := _why_not_shared(opening)):
        return why
    found = importlib.util.find_spec("hpo")
    folder = None if found is None or found.origin is None else os.path.dirname(found.origin)  # noqa: PTH120
    if folder is None:
        return "hpo is not installed there: install it in the environment that its Ray runs in"
    if digest_of(folder) != opening.hpo:
        return f"hpo in {folder} is not the version that runs here: install the same there"
    return None


def _why_not_shared(opening: SlotOpening) -> str | None:
    """Return why this node does not share the tuner's files; None if it does."""
    directory = opening.directory
    if not os.path.exists(os.path.join(directory, opening.nonce)):  # noqa: PTH110, PTH118
        return (
            f"{directory} is not the same directory there as here: backend=ray needs one that all nodes share; run the "
            f"command in a shared folder, name one with hydra.sweep.dir, or give backend.storage a place for checkpoints"
        )
    if not os.access(directory, os.W_OK):
        return f"{directory} cannot be written to there: let the user that Ray runs as write there"
    if not os.path.isdir(opening.cwd):  # noqa: PTH112
        return f"the working directory {opening.cwd} is not there: run the command in a shared folder"
    for file, digest in opening.files.items():
        if digest_of(file) != digest:
            return f"{file} is not there what it is here: keep the code in a shared folder"
    return None


async def _unpack(digest: str, packed: Any) -> None:
    """Unpack the code and make its folder the working directory; the code travels to each node once."""
    module = importlib.import_module("hpo.ray.node_storage")
    there = module.code_folder(digest).is_dir()
    os.chdir(module.unpack_code(b"" if there else await packed, digest))


def _settle(opening: SlotOpening) -> None:
    """Change to the tuner's working directory if it is shared, and use the user's number of threads, not Ray's."""
    if opening.storage is None:
        os.chdir(opening.cwd)
    os.environ.pop("OMP_NUM_THREADS", None)
    os.environ.update(opening.environment)
