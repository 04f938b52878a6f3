"""The tuner's side of `backend=ray`: trials on the nodes of a Ray cluster.

If all nodes share the experiment's directory, trials write their reports, logs and checkpoints there, as under the local
backend. Slots also read the reports on their nodes and send them here as events. The files are authoritative: when a slot
is lost they are read to their end, so that no report is. Without a shared directory a storage is used; see `StoredTrials`.
"""

import logging
import os
import socket
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from functools import partial
from typing import Any, Self

import hpo
from hpo.backends.base import BackendCapabilities
from hpo.backends.shared_directory import FiledBackend
from hpo.backends.standing_clock import StandingClock
from hpo.backends.wakeup import Sleep
from hpo.config.schema import ExperimentConfig
from hpo.errors import BackendError
from hpo.events.state import ExperimentState
from hpo.events.types import BackendEvent, Exit, Placed, Trial
from hpo.ray import messages
from hpo.ray.fleet import Fleet, PlacedSlot, RunningAttempt
from hpo.ray.node_care import NodeCare
from hpo.ray.program import close_checkpoint
from hpo.ray.session import RaySession
from hpo.ray.settings import RaySettings, where_slots_are
from hpo.ray.slot_warnings import SlotWarnings
from hpo.store.directory import ExperimentDirectory
from hpo.store.store_repair import put_aside_unknown

log = logging.getLogger(__name__)


class RayBackend(FiledBackend):
    """A backend whose driver keeps slots on the nodes; each slot gets one trial at a time.

    Args:
        config: Configuration of the experiment.
        files: The experiment's directory.
        settings: Settings of the backend.
        driver: Command that starts a driver; tests give a mocked one.

    Raises:
        BackendError: There is no cluster, or none of its nodes can hold a slot.
    """

    options = tuple(option.name for option in fields(RaySettings))
    capabilities = BackendCapabilities(extras=("ray",))

    @classmethod
    def check(cls, config: ExperimentConfig) -> None:
        """Raise ConfigError if no cluster is named or the experiment cannot be run there; does not call the cluster."""
        RaySettings.of(config)

    @classmethod
    def elsewhere(cls, config: ExperimentConfig) -> str | None:
        """Return a description of the cluster, without calling it."""
        return where_slots_are(config)

    @classmethod
    def open(cls, config: ExperimentConfig, files: ExperimentDirectory, **options: Any) -> Self:
        """See `Backend.open`; the options are those of `RaySettings`."""
        return cls(config, files, RaySettings(**options))

    def __init__(
        self, config: ExperimentConfig, files: ExperimentDirectory, settings: RaySettings, driver: tuple[str, ...] = ()
    ) -> None:
        super().__init__(files, config.benchmark)
        self._wanted = config.n_workers or 1
        self._with_gpus = bool(config.num_gpus_per_trial)
        self._fleet = Fleet()
        self._warnings = SlotWarnings()
        self._waiting: dict[int, tuple[Trial, int, int | None]] = {}  # trial id -> what to start when a slot is free
        self._news: list[BackendEvent] = []
        self._clock = StandingClock()
        self._cluster: Mapping[str, Any] = {}
        self._session = RaySession(config, files, settings, driver)
        self._care = NodeCare(self._fleet, self._session.order)
        self._apart = self._session.apart
        if self._apart is not None:  # the files here contain reports only, no other output
            self.reports_file, self.prefixed = "reports.jsonl", False
        self._sleep = Sleep()
        self._sleep.add(self._session.descriptor)
        try:
            while not self._cluster:
                self._news += self._hear()
        except BaseException:
            self.close()
            raise

    @property
    def opened(self) -> Mapping[str, Any]:
        """The tuner's machine, this process, and the cluster."""
        return {"host": socket.gethostname(), "pid": os.getpid(), "hpo": hpo.__version__, "cluster": self._cluster}

    # ------------------------------------------------------------------ time and places

    def clock(self) -> float:
        """Return the monotonic seconds during which there was a slot."""
        return self._clock()

    @property
    def capacity(self) -> int | None:
        """Return the number of slots on usable nodes."""
        return self._fleet.capacity

    @property
    def waiting_for_capacity(self) -> bool:
        """Whether there are fewer slots than the experiment needs."""
        return self._fleet.capacity < self._wanted

    def holds(self, trial_id: int) -> bool:
        """Whether the trial's attempt waits for a slot."""
        return trial_id in self._waiting

    # ------------------------------------------------------------------ orders

    def start(self, trial: Trial, attempt: int, until: int | None) -> None:
        """Give the attempt to a slot, once there is one; see `Backend.start`."""
        self._waiting[trial.id] = trial, attempt, until
        self._start_waiting()

    def _start_waiting(self) -> None:
        ready = [one for one in self._waiting if self._apart is None or not self._apart.copying(one)]
        for trial_id in ready:
            if (slot := self._fleet.next_free()) is None:
                return
            trial, attempt, until = self._waiting.pop(trial_id)
            self._fleet.occupy(slot, RunningAttempt(trial_id, attempt))
            if not self._with_gpus:  # with GPUs the slot reports which devices they are
                self._news.append(Placed(trial_id, attempt, node=slot.host))
                self.wake()
            restore = self._apart.begin(trial_id, attempt) if self._apart else None
            configuration = dict(trial.configuration)
            self._session.order(messages.StartAttempt(slot.number, trial_id, configuration, attempt, until, restore))

    def stop(self, trial_id: int, patience: float = 0.0) -> None:
        """Let the slot end the attempt; see `Backend.stop`."""
        if trial_id in self._waiting:
            self._news.append(Exit(trial_id, self._waiting.pop(trial_id)[1], None, lost=True))
            self.wake()
        elif (slot := self._fleet.holder(trial_id)) is not None and slot.running is not None:
            slot.running.told_to_end = True
            self._session.order(messages.StopAttempt(slot.number, trial_id, patience))

    def kill(self) -> None:
        """Send SIGKILL to all processes of all trials."""
        for trial_id in list(self._waiting):
            self.stop(trial_id)
        for slot in self._fleet.slots.values():
            if slot.running is not None:
                slot.running.told_to_end = True
                self._session.order(messages.KillAttempt(slot.number))

    # ------------------------------------------------------------------ what happens

    def wait(self, timeout: float | None) -> Sequence[BackendEvent]:
        """Sleep until something happens; see `Backend.wait`."""
        heard = self._sleep.wait(timeout)
        events, self._news = self._news, []
        return events + self._hear() if heard else events

    def wake(self) -> None:
        """Wake up `wait`; see `Backend.wake`."""
        self._sleep.ring()

    def _hear(self) -> list[BackendEvent]:
        """Return the events in the driver's news."""
        news = self._session.news()
        if news is None:
            return self._driver_died()
        events: list[BackendEvent] = []
        lost: list[tuple[PlacedSlot, str]] = []
        for one in news:
            match one:
                case messages.SlotTold(number, told):
                    for message in told if number in self._fleet.slots else ():
                        events += self._told(self._fleet.slots[number], message, lost)
                case messages.SlotReady(number, node, host):
                    self._fleet.add(PlacedSlot(number, node, host))
                case messages.SlotLost(number, why):
                    if (slot := self._fleet.remove(number)) is not None:
                        self._care.forget_silence(slot.node)
                        lost.append((slot, why))
                case _:
                    self._answer(one)
        events += self._lose(lost)
        self._clock.go(bool(self._fleet.slots))
        self._start_waiting()
        return events

    def _answer(self, news: messages.News) -> None:
        """Handle news about the cluster as a whole, or about a slot that could not be made."""
        match news:
            case messages.SessionFailed(why):
                raise BackendError(why)
            case messages.ClusterConnected():
                self._cluster = asdict(news)
            case messages.NodeRefused(node, host, why):
                self._care.give_up(node, f"the node {host} cannot run trials: {why}")
            case messages.FittingNodes(nodes):
                self._care.know(nodes)
            case messages.SlotSilent(number, seconds):
                self._care.note_silence(number, seconds)
            case messages.SlotAnswers(number):
                self._care.note_answer(number)
            case messages.PendingNotice(text):
                log.warning("%s", text)

    def _told(
        self, slot: PlacedSlot, message: messages.SlotMessage, lost: list[tuple[PlacedSlot, str]]
    ) -> list[BackendEvent]:
        """Return the events that one message of a slot means."""
        events: list[BackendEvent] = []
        match message:
            case messages.LogMessage():
                self._log(slot.number, message)
            case messages.SlotBroken(why):
                self._care.give_up(slot.node, f"the node {slot.host}: {why}")
                if (gone := self._fleet.remove(slot.number)) is not None:
                    self._session.order(messages.ReleaseSlot(gone.number))
                    lost.append((gone, why))
            case Exit() if self._apart is not None:
                events = self._apart.over(slot.number, message)
            case tuple():
                events = [message]
            case _ if self._apart is not None and isinstance(message, messages.StorageMessage):
                events = [*self._apart.take_in(message)]
        return [self._care.judge(slot, event) for event in events]

    def _log(self, number: int, message: messages.LogMessage) -> None:
        slot = self._fleet.slots.get(number)
        self._warnings.take_in("a node" if slot is None else slot.host, message)

    def _lose(self, lost: Sequence[tuple[PlacedSlot, str]]) -> list[BackendEvent]:
        """Return the remaining reports of lost slots' trials, and their losses. All slots together give one log line."""
        if not lost:
            return []
        hosts = ", ".join(f"{count} on {host}" for host, count in Counter(slot.host for slot, _ in lost).items())
        log.warning("slots are lost (%s): %s; their trials resume from their checkpoints", hosts, lost[0][1])
        events: list[BackendEvent] = []
        for running, number in ((slot.running, slot.number) for slot, _ in lost):
            if self._apart is not None:
                events += self._apart.lose(number, None if running is None else running.trial_id)
            if running is not None:
                close_checkpoint(self.directory.attempt(running.trial_id, running.attempt))
                events += self.left_over(running.trial_id, running.attempt, running.position)
                events.append(Exit(running.trial_id, running.attempt, None, lost=True))
        return events

    def _driver_died(self) -> list[BackendEvent]:
        """Start another driver after one died, and return its slots as lost; it reports if the cluster still exists."""
        self._sleep.remove(self._session.descriptor)
        self._session.start_again()
        self._sleep.add(self._session.descriptor)
        return self._lose([(slot, "the process that talks with Ray is gone") for slot in self._fleet.remove_all()])

    # ------------------------------------------------------------------ checkpoints

    def go_on(self, state: ExperimentState) -> None:
        """See `Backend.go_on`."""
        if self._apart is None:
            super().go_on(state)
        else:
            put_aside_unknown(self.directory, state)
            self._apart.go_on(state)

    def restores(self, trial_id: int, reached: int) -> Callable[[], int | None]:
        """See `Backend.restores`; a checkpoint may still be on its way to the storage."""
        if self._apart is None:
            return super().restores(trial_id, reached)
        return partial(self._apart.restored, trial_id)

    def lost_checkpoint(self, trial_id: int) -> bool:
        """See `Backend.lost_checkpoint`."""
        return self._apart is not None and self._apart.lost(trial_id)

    def checkpoint_bytes(self, trial_id: int) -> int:
        """Return the size of the trial's checkpoint, on the shared disk or in the storage."""
        return super().checkpoint_bytes(trial_id) if self._apart is None else self._apart.size(trial_id)

    def forget_checkpoint(self, trial_id: int) -> None:
        """Remove the trial's checkpoint from the shared disk or the storage."""
        super().forget_checkpoint(trial_id)
        if self._apart is not None:
            self._apart.forget(trial_id)

    def close(self) -> None:
        """Let all slots end what still runs, and wait for it."""
        self._session.close(self._log)
        self._sleep.close()
        self._warnings.close()
