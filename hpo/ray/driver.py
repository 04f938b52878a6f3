"""The process that talks with Ray, so that Ray's threads, signal handlers and sudden exits do not affect the tuner.

`start.py hpo.ray.driver DESCRIPTOR`; `hpo.ray.messages` has its orders and its news.
"""

import asyncio
import contextlib
import json
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from hpo.errors import BackendError
from hpo.ray import actor
from hpo.ray.cluster import LOCAL, as_text, connect, living, name_nodes, slots_on, why_unfit
from hpo.ray.messages import (
    AttemptOrder,
    AvoidNodes,
    CloseSession,
    ClusterConnected,
    FittingNodes,
    News,
    NodeRefused,
    OpenSession,
    PendingNotice,
    ReleaseSlot,
    SessionFailed,
    SlotAnswers,
    SlotClosed,
    SlotLost,
    SlotReady,
    SlotSilent,
    SlotTold,
    from_bytes,
    from_json,
    to_bytes,
    to_json,
)

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
        session: First order of the tuner.
        names: Names of the nodes, by their ids.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        session: OpenSession,
        names: dict[str, str],
    ) -> None:
        self._reader, self._writer = reader, writer
        self._session = session
        self._code = [] if session.code is None else [ray.put(Path(session.code).read_bytes())]
        self._names = names
        self._there: Sequence[str] = ()  # nodes that a slot fits on, as last reported
        self._closing = False
        self._avoided: Sequence[str] = ()
        # Orders by slot, of slots that are ready.
        self._orders: dict[int, asyncio.Queue[AttemptOrder | ReleaseSlot]] = {}
        self._actors: dict[int, Any] = {}

    async def serve(self) -> None:
        """Work until the tuner ends the session or is gone."""
        tasks = [asyncio.create_task(self._keep(slot)) for slot in range(self._session.slots)]
        tasks.append(asyncio.create_task(self._notice()))
        if await self._obey():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._close(tasks), self._session.grace + 5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _obey(self) -> bool:
        """Carry out the tuner's orders; return False when the tuner is gone without closing."""
        while line := await self._reader.readline():
            match order := from_json(json.loads(line)):
                case CloseSession():
                    return True
                case AvoidNodes(nodes):
                    self._avoided = nodes
                case _ if order.slot in self._orders:  # otherwise the slot is lost, and the tuner will be told
                    self._orders[order.slot].put_nowait(order)
        return False

    def _tell(self, news: News) -> None:
        _send(self._writer, news)

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
                    self._tell(SlotLost(slot, _brief(error)))
                else:
                    await asyncio.sleep(_AGAIN)
            finally:
                self._orders.pop(slot, None)
                if (gone := self._actors.pop(slot, None)) is not None:
                    ray.kill(gone)

    async def _open(self, slot: int) -> bool:
        """Wait for a node that has room, and prepare the slot there."""
        held = self._actors[slot] = _placed(self._session.needed, self._avoided)
        answer = actor.SlotAnswer(**json.loads(await held.open.remote(self._order_to_open(), self._code)))
        name_nodes(living(), self._names)
        host = self._names.get(answer.node, answer.host)
        if answer.error is not None:
            self._tell(NodeRefused(answer.node, host, answer.error))
            return False
        self._orders[slot] = asyncio.Queue()
        self._tell(SlotReady(slot, answer.node, host))
        return True

    def _order_to_open(self) -> bytes:
        rooms = {
            node["NodeID"]: min(slots_on(node["Resources"], self._session.needed), self._session.slots)
            for node in living()
        }
        there = sorted(node for node, room in rooms.items() if room)
        if there != self._there:
            self._there = there
            self._tell(FittingNodes(there))
        return json.dumps(asdict(replace(self._session.opening, rooms=rooms))).encode()

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
                    told = from_bytes(hearing.result())
                    if silent:
                        self._tell(SlotAnswers(slot))
                    heard, silent = time.monotonic(), False
                    hearing = asyncio.ensure_future(held.changes.remote())
                    if told:
                        self._tell(SlotTold(slot, told))
                    if self._closing and SlotClosed() in told:
                        return
                elif not silent and time.monotonic() >= heard + QUIET:
                    silent = True
                    self._tell(SlotSilent(slot, QUIET))
                if ordering.done():
                    given = [ordering.result()]
                    while not orders.empty():
                        given.append(orders.get_nowait())
                    ordering = asyncio.ensure_future(orders.get())
                    if any(isinstance(order, ReleaseSlot) for order in given):
                        await held.close.remote()
                        return
                    await held.orders.remote(to_bytes(given))
        finally:
            hearing.cancel()
            ordering.cancel()

    async def _notice(self) -> None:
        """Report what slots wait for, once each time they have been missing for long."""
        while True:
            await asyncio.sleep(self._session.pending_notice)
            if (missing := self._session.slots - len(self._orders)) > 0:
                nodes = living()
                name_nodes(nodes, self._names)
                have = "; ".join(f"{self._names[node['NodeID']]} has {as_text(node['Resources'])}" for node in nodes)
                needed = as_text(self._session.needed)
                self._tell(
                    PendingNotice(
                        f"{missing} of {self._session.slots} slots wait for a node with {needed} free; of what the cluster "
                        f"has ({have or 'no node'}) other work may have taken a part"
                    )
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


def _send(writer: asyncio.StreamWriter, news: News) -> None:
    writer.write(json.dumps(to_json(news)).encode() + b"\n")


def _brief(error: RayError) -> str:
    return " ".join(str(error).split())[:300]


async def _drive(connection: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=connection, limit=_LONGEST)
    session: OpenSession = from_json(json.loads(await reader.readline()))
    if session.address != LOCAL:  # processes of a local cluster would inherit the blocked signal
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # meant for the tuner, which has trials to end first
    try:
        connect(session.address, folder=session.folder, cpus=session.cpus, gpus=session.gpus)
        if not session.autoscaling and (why := why_unfit(living(), session.needed)):
            raise BackendError(why)
    except BackendError as error:
        _send(writer, SessionFailed(str(error)))
        await writer.drain()
        return
    ray.cloudpickle.register_pickle_by_value(actor)
    names: dict[str, str] = {}
    name_nodes(living(), names)
    _send(writer, ClusterConnected(list(names.values()), ray.__version__))
    await Driver(reader, writer, session, names).serve()
    writer.close()
    with contextlib.suppress(OSError):  # the tuner may be gone
        await writer.wait_closed()


def main() -> None:
    """Run the driver; the command line is `DESCRIPTOR`."""
    asyncio.run(_drive(socket.socket(fileno=int(sys.argv[1]))))
    ray.shutdown()
