"""The slots that are ready, their nodes, and the trial of each."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from hpo.events.types import BackendEvent, Exit, Report
from hpo.ray.nodes import Nodes


@dataclass(slots=True)
class RunningAttempt:
    """The attempt that a slot runs."""

    trial_id: int
    attempt: int
    position: int = 0
    """Position in the report channel after the last report that was taken in."""
    told_to_end: bool = False


@dataclass(slots=True)
class PlacedSlot:
    """A slot that is ready on a node."""

    number: int
    node: str
    host: str
    running: RunningAttempt | None = None


@dataclass
class Fleet:
    """All slots of a session that are ready."""

    nodes: Nodes = field(default_factory=Nodes)
    slots: dict[int, PlacedSlot] = field(default_factory=dict)
    _by_trial: dict[int, PlacedSlot] = field(default_factory=dict)
    _free: dict[int, PlacedSlot] = field(default_factory=dict)
    """Free slots, the longest free first."""

    def add(self, slot: PlacedSlot) -> None:
        """Add a slot that is ready."""
        self.slots[slot.number] = self._free[slot.number] = slot

    def remove(self, number: int) -> PlacedSlot | None:
        """Remove and return a slot; None if it was never ready."""
        slot = self.slots.pop(number, None)
        self._free.pop(number, None)
        if slot is not None and slot.running is not None:
            self._by_trial.pop(slot.running.trial_id, None)
        return slot

    def remove_all(self) -> list[PlacedSlot]:
        """Remove and return all slots."""
        return [slot for number in list(self.slots) if (slot := self.remove(number)) is not None]

    @property
    def capacity(self) -> int:
        """Return how many trials can run."""
        return len(self._by_trial) + (len(self._free) if self.nodes.all_usable else sum(1 for _ in self._usable()))

    def next_free(self) -> PlacedSlot | None:
        """Return the free slot for the next trial; None if there is none."""
        return next(self._usable(), None)

    def _usable(self) -> Iterator[PlacedSlot]:
        if self.nodes.all_usable:
            return iter(self._free.values())
        at_work = {slot.node for slot in self._by_trial.values()}
        return (slot for slot in self._free.values() if self.nodes.usable(slot.node, at_work))

    def occupy(self, slot: PlacedSlot, running: RunningAttempt) -> None:
        """Record that a slot runs an attempt."""
        del self._free[slot.number]
        slot.running = running
        self._by_trial[running.trial_id] = slot

    def holder(self, trial_id: int) -> PlacedSlot | None:
        """Return the slot that runs a trial; None if none does."""
        return self._by_trial.get(trial_id)

    def idle_on_avoided(self) -> list[PlacedSlot]:
        """Return the free slots that must move to other nodes."""
        return [slot for slot in self._free.values() if slot.node in self.nodes.avoided]

    def take_in(self, slot: PlacedSlot, event: BackendEvent) -> bool:
        """Record an event of a slot. Returns whether it is the end of an attempt for which the node is at fault."""
        running = slot.running
        if running is None or (event.trial_id, event.attempt) != (running.trial_id, running.attempt):
            return False
        if isinstance(event, Report):
            running.position = event.position
            self.nodes.reported(slot.node)
        elif isinstance(event, Exit):
            slot.running = None
            del self._by_trial[running.trial_id]
            self._free[slot.number] = slot
            failed = event.exit_code != 0 and not event.lost and not running.told_to_end
            if failed and running.position == 0:
                others = {other.node for other in self.slots.values()} - {slot.node}
                return self.nodes.failed(slot.node, running.trial_id, others if _lacks_module(event) else ())
        return False


def _lacks_module(end: Exit) -> bool:
    """Whether a script ended because something cannot be imported, which may be installed on other nodes."""
    said = (end.error or "").strip().splitlines()
    return bool(said) and said[-1].startswith(("ModuleNotFoundError:", "ImportError:"))
