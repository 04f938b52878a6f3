"""The process that talks with Ray, so that Ray's threads, signal handlers and sudden exits do not affect the tuner.

`start.py hpo.ray.driver DESCRIPTOR`. Messages are lines of JSON. From the tuner:

    {"do": "open", "address": ..., "slots": 4, "needed": {"CPU": 1}, "given": {...}, ...}    first
    {"do": "start" | "stop" | "kill", "slot": 2, ...}                                        for a slot's backend
    {"do": "release", "slot": 2}           replace the slot by one on another node
    {"do": "avoid", "nodes": [...]}        place no new slots on these nodes
    {"do": "close"}                        end all in order

and to the tuner:

    {"fatal": "..."}                                       nothing can be run
    {"connected": {...}}
    {"up": 2, "node": ..., "host": ...}                    a slot is ready
    {"refused": 2, "node": ..., "host": ..., "why": ...}   trials cannot run there
    {"slot": 2, "told": [...]}                             of a slot: events, what it logs, why it is broken
    {"nodes": [...]}                                       that a slot fits on
    {"silent": 2, "seconds": 30}                           a slot does not answer
    {"heard": 2}                                           it does again
    {"lost": 2, "why": ...}                                a slot was lost; another one is requested
    {"notice": "..."}                                      what slots have waited for
"""

import asyncio
import contextlib
import json
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from hpo.errors import BackendError
from hpo.ray import actor
from hpo.ray.cluster import LOCAL, as_text, connect, living, name_nodes, slots_on, why_unfit

_AGAIN = 1.0
"""Seconds between two attempts to make a slot."""
QUIET = 30.0
"""Seconds after which a slot's silence is reported; a slot answers at least every 15 s."""
_LONGEST = 1 << 26
"""Largest size of a message in bytes."""


class Driver:
    """A keeper of as many slots as the tuner wants.

    Args:
        reader: Stream of messages from the tuner.
        writer: Stream of messages to the tuner.
        opening: First message of the tuner.
        names: Names of the nodes, by their ids.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        opening: Mapping[str, Any],
        names: dict[str, str],
    ) -> None:
        self._reader, self._writer = reader, writer
        self._needed: Mapping[str, float] = opening["needed"]
        self._wanted: int = opening["slots"]
        self._notice_after: float = opening["pending_notice"]
        self._grace: float = opening["grace"]
        self._given: dict[str, Any] = opening["given"]
        code = opening["code"]
        self._code = [] if code is None else [ray.put(Path(code).read_bytes())]
        self._names = names
        self._there: Sequence[str] = ()  # nodes that a slot fits on, as last reported
        self._closing = False
        self._avoided: Sequence[str] = ()
        self._orders: dict[int, asyncio.Queue[Mapping[str, Any]]] = {}  # orders by slot, of slots that are ready
        self._actors: dict[int, Any] = {}

    async def serve(self) -> None:
        """Work until the tuner ends the session or is gone."""
        tasks = [asyncio.create_task(self._keep(slot)) for slot in range(self._wanted)]
        tasks.append(asyncio.create_task(self._notice()))
        if await self._obey():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._close(tasks), self._grace + 5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _obey(self) -> bool:
        """Carry out the tuner's orders; return False when the tuner is gone without closing."""
        while line := await self._reader.readline():
            message = json.loads(line)
            match message["do"]:
                case "close":
                    return True
                case "avoid":
                    self._avoided = message["nodes"]
                case _ if message["slot"] in self._orders:  # otherwise the slot is lost, and the tuner will be told
                    self._orders[message["slot"]].put_nowait(message)
        return False

    def _tell(self, message: Mapping[str, Any]) -> None:
        self._writer.write(json.dumps(message).encode() + b"\n")

    # ------------------------------------------------------------------ slots

    async def _keep(self, slot: int) -> None:
        """Keep one slot, and replace it whenever it is lost."""
        while not self._closing:
            try:
                if await self._open(slot):
                    await self._work(slot)
                else:
                    await asyncio.sleep(_AGAIN)
            except RayError as error:
                if slot in self._orders:
                    self._tell({"lost": slot, "why": _brief(error)})
                else:
                    await asyncio.sleep(_AGAIN)
            finally:
                self._orders.pop(slot, None)
                if (gone := self._actors.pop(slot, None)) is not None:
                    ray.kill(gone)

    async def _open(self, slot: int) -> bool:
        """Wait for a node that has room, and prepare the slot there."""
        held = self._actors[slot] = _placed(self._needed, self._avoided)
        answer = json.loads(await held.open.remote(self._order_to_open(), self._code))
        name_nodes(living(), self._names)
        place = {"node": answer["node"], "host": self._names.get(answer["node"], answer["host"])}
        if "error" in answer:
            self._tell({"refused": slot, **place, "why": answer["error"]})
            return False
        self._orders[slot] = asyncio.Queue()
        self._tell({"up": slot, **place})
        return True

    def _order_to_open(self) -> bytes:
        rooms = {node["NodeID"]: min(slots_on(node["Resources"], self._needed), self._wanted) for node in living()}
        there = sorted(node for node, room in rooms.items() if room)
        if there != self._there:
            self._there = there
            self._tell({"nodes": there})
        return json.dumps({**self._given, "rooms": rooms}).encode()

    async def _work(self, slot: int) -> None:
        """Pass orders to the slot and its messages to the tuner. Raises RayError when the slot is lost."""
        held, orders = self._actors[slot], self._orders[slot]
        hearing, ordering = asyncio.ensure_future(held.changes.remote()), asyncio.ensure_future(orders.get())
        heard, silent = time.monotonic(), False
        try:
            while True:
                patience = None if silent else max(heard + QUIET - time.monotonic(), 0)
                await asyncio.wait({hearing, ordering}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                if hearing.done():
                    told = json.loads(hearing.result())
                    if silent:
                        self._tell({"heard": slot})
                    heard, silent = time.monotonic(), False
                    hearing = asyncio.ensure_future(held.changes.remote())
                    if told:
                        self._tell({"slot": slot, "told": told})
                    if self._closing and any("closed" in item for item in told):
                        return
                elif not silent and time.monotonic() >= heard + QUIET:
                    silent = True
                    self._tell({"silent": slot, "seconds": QUIET})
                if ordering.done():
                    given = [ordering.result()]
                    while not orders.empty():
                        given.append(orders.get_nowait())
                    ordering = asyncio.ensure_future(orders.get())
                    if any(order["do"] == "release" for order in given):
                        await held.close.remote()
                        return
                    await held.orders.remote(json.dumps(given).encode())
        finally:
            hearing.cancel()
            ordering.cancel()

    async def _notice(self) -> None:
        """Report what slots wait for, once each time they have been missing for long."""
        while True:
            await asyncio.sleep(self._notice_after)
            if (missing := self._wanted - len(self._orders)) > 0:
                nodes = living()
                name_nodes(nodes, self._names)
                have = "; ".join(f"{self._names[node['NodeID']]} has {as_text(node['Resources'])}" for node in nodes)
                self._tell(
                    {
                        "notice": f"{missing} of {self._wanted} slots wait for a node with {as_text(self._needed)} free; of "
                        f"what the cluster has ({have or 'no node'}) other work may have taken a part"
                    }
                )
                return

    async def _close(self, tasks: Sequence["asyncio.Task[None]"]) -> None:
        """End all slots at the same time, and pass on their last messages."""
        self._closing = True
        working = [tasks[slot] for slot in self._orders]
        closing = [held.close.remote() for slot, held in self._actors.items() if slot in self._orders]
        await asyncio.gather(*closing, *working, return_exceptions=True)


def _placed(needed: Mapping[str, float], avoided: Sequence[str]) -> Any:
    """Return a new actor that Ray starts on a node with room, spread over the nodes as far as possible."""
    options: dict[str, Any] = {
        "num_cpus": needed["CPU"],
        "num_gpus": needed.get("GPU", 0),
        "resources": {name: amount for name, amount in needed.items() if name not in ("CPU", "GPU")},
        "max_restarts": 0,
        "scheduling_strategy": "SPREAD",
        # Trials inherit these: Ray would have them run at nice 15, and kill a trial host when its actor ends in order.
        "runtime_env": {"env_vars": {"RAY_worker_niceness": "0", "RAY_kill_child_processes_on_worker_exit": "0"}},
    }
    if avoided:
        options["label_selector"] = {"ray.io/node-id": f"!in({','.join(avoided)})"}
    return ray.remote(actor.SlotActor).options(**options).remote()


def _brief(error: RayError) -> str:
    return " ".join(str(error).split())[:300]


async def _drive(connection: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=connection, limit=_LONGEST)
    opening = json.loads(await reader.readline())
    if opening["address"] != LOCAL:  # processes of a local cluster would inherit the blocked signal
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # meant for the tuner, which has trials to end first
    try:
        connect(opening["address"], folder=opening["folder"], cpus=opening["cpus"], gpus=opening["gpus"])
        if not opening["autoscaling"] and (why := why_unfit(living(), opening["needed"])):
            raise BackendError(why)
    except BackendError as error:
        writer.write(json.dumps({"fatal": str(error)}).encode() + b"\n")
        await writer.drain()
        return
    ray.cloudpickle.register_pickle_by_value(actor)
    names: dict[str, str] = {}
    name_nodes(living(), names)
    writer.write(json.dumps({"connected": {"nodes": list(names.values()), "ray": ray.__version__}}).encode() + b"\n")
    await Driver(reader, writer, opening, names).serve()
    writer.close()
    with contextlib.suppress(OSError):  # the tuner may be gone
        await writer.wait_closed()


def main() -> None:
    """Run the driver; the command line is `DESCRIPTOR`."""
    asyncio.run(_drive(socket.socket(fileno=int(sys.argv[1]))))
    ray.shutdown()
