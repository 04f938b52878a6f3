"""The choice of cluster nodes for trials, and warnings about the others."""

import logging
from collections.abc import Callable, Collection

from hpo.errors import BackendError
from hpo.events.types import BackendEvent, Exit, Placed
from hpo.ray.fleet import Fleet, PlacedSlot
from hpo.ray.messages import AvoidNodes, ReleaseSlot

log = logging.getLogger(__name__)


class NodeCare:
    """A monitor that gives up nodes that cannot run trials, and warns of those that do not answer.

    Args:
        fleet: Slots that are ready.
        order: Sends an order to the driver.
    """

    def __init__(self, fleet: Fleet, order: Callable[[AvoidNodes | ReleaseSlot], None]) -> None:
        self._fleet, self._order = fleet, order
        self._there: frozenset[str] = frozenset()
        self._silent: set[str] = set()

    def know(self, nodes: Collection[str]) -> None:
        """Record the nodes of the cluster that a slot fits on."""
        self._there = frozenset(nodes)

    def give_up(self, node: str, why: str) -> None:
        """Stop using a node.

        Raises:
            BackendError: No other node may run trials.
        """
        avoided = self._fleet.nodes.avoided
        if node in avoided:
            return
        if not (self._there | {slot.node for slot in self._fleet.slots.values()}) - {node} - avoided:
            raise BackendError(why)
        avoided.add(node)
        log.warning("%s; the experiment goes on without it", why)
        self._avoid()

    def _avoid(self) -> None:
        self._order(AvoidNodes(sorted(self._fleet.nodes.avoided)))
        for slot in self._fleet.idle_on_avoided():
            self._fleet.remove(slot.number)
            self._order(ReleaseSlot(slot.number))

    def judge(self, slot: PlacedSlot, event: BackendEvent) -> BackendEvent:
        """Take in an event of a slot and return it, as a loss if its node rather than its trial is at fault."""
        avoided = len(self._fleet.nodes.avoided)
        if isinstance(event, Placed):
            return event._replace(node=slot.host)
        if self._fleet.take_in(slot, event) and isinstance(event, Exit):
            last = (event.error or "no message").splitlines()[-1]
            text = "trial %d failed on %s, where none has reported yet: it is tried on another node; it said: %s"
            log.warning(text, event.trial_id, slot.host, last)
            event = event._replace(lost=True)
        if len(self._fleet.nodes.avoided) > avoided:
            log.warning("the node %s fails every trial while others do not: it is used no more", slot.host)
        if isinstance(event, Exit) and self._fleet.nodes.avoided:
            self._avoid()
        return event

    def note_silence(self, number: int, seconds: float) -> None:
        """Warn, once for all slots of a node, that it has not answered for some seconds."""
        slot = self._fleet.slots.get(number)
        if slot is not None and slot.node not in self._silent:
            self._silent.add(slot.node)
            log.warning(
                "the node %s has not answered for %g s: it is gone, or held up; its trials resume elsewhere as soon as Ray "
                "gives it up, which may take another minute",
                slot.host,
                seconds,
            )

    def forget_silence(self, node: str) -> None:
        """Forget that a node was silent, because Ray has given up a slot of it, which is logged separately."""
        self._silent.discard(node)

    def note_answer(self, number: int) -> None:
        """Log that a node that was silent answers again."""
        slot = self._fleet.slots.get(number)
        if slot is not None and slot.node in self._silent:
            self._silent.discard(slot.node)
            log.warning("the node %s answers again", slot.host)
