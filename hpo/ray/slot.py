"""A slot, which runs one trial at a time on a node: the local backend, in a thread of the actor's process.

The actor's event loop passes orders to the thread and takes its messages.
"""

import asyncio
import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpo.backends.local import LocalBackend
from hpo.config.reading import to_config
from hpo.errors import ConfigError, HPOError
from hpo.events.types import BackendEvent, CommandSignal, Exit, Trial
from hpo.ray.actor import SlotOpening
from hpo.ray.messages import (
    AttemptOrder,
    KillAttempt,
    LogMessage,
    SlotBroken,
    SlotClosed,
    SlotMessage,
    StartAttempt,
    StopAttempt,
    from_bytes,
    to_bytes,
)
from hpo.ray.node_storage import ApartTrials, scratch_folder
from hpo.ray.program import NodeDirectory, NodeProgram

log = logging.getLogger(__name__)

_SILENCE = 15.0
"""Seconds after which a call returns without a message; the next call shows the slot that the driver is alive."""
_DESERTED = 45.0
"""Seconds without a call after which the slot ends: Ray leaves actors alive on nodes that it has declared dead."""
_KILL_DELAY = 1.0
"""Seconds before a trial's end by SIGKILL is told: a node that is taken away kills trials and slots, in any order."""

__all__ = ["HPOError", "Slot"]


class _Forwarded(logging.Handler):
    """A log handler that sends hpo's messages on this node to the experiment's log."""

    def __init__(self, tell: Any) -> None:
        super().__init__(logging.INFO)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self._tell([LogMessage(record.levelno, record.getMessage(), getattr(record, "once", None))])


class Slot:
    """A runner of the tuner's orders on a node.

    Args:
        opening: The tuner's order to open the slot.
        name: Unique name of the slot.
        slots_here: Number of slots that may share this node.

    Raises:
        ConfigError, BackendError: Trials cannot run on this node.
    """

    def __init__(self, opening: SlotOpening, *, name: str, slots_here: int) -> None:
        directory = Path(opening.directory) if opening.storage is None else scratch_folder()
        # Threads are shared among the slots of this node, and no other number of workers concerns a slot.
        config = replace(to_config(opening.config), n_workers=slots_here, gpus_to_use=None)
        if config.benchmark.data is not None and not Path(config.benchmark.data).expanduser().exists():
            raise ConfigError(f"benchmark.data={config.benchmark.data}: there is no such file or folder there; copy it")
        self._program = NodeProgram(
            config=config,
            directory=NodeDirectory(directory, slot=name),
            randomness=config.randomness,
            slot=name,
            hidden=frozenset(key for key in os.environ if key.startswith("RAY_")),
        )
        self._loop = asyncio.get_running_loop()
        self._told: list[SlotMessage] = []
        self._changed = asyncio.Event()
        self._closed = asyncio.Event()
        self._orders: list[AttemptOrder] = []
        self._told_to_end = False
        self._closing = False
        self._leaving: asyncio.TimerHandle | None = None
        self._forwarded = _Forwarded(self._tell)
        hpo_log = logging.getLogger("hpo")
        self._level_before = hpo_log.level
        hpo_log.addHandler(self._forwarded)
        hpo_log.setLevel(logging.INFO)
        self._apart = None
        if opening.storage is not None:
            self._apart = ApartTrials(self._program.directory, config.benchmark, opening, name=name, tell=self._tell)
        self._backend = LocalBackend.for_program(self._program)
        threading.Thread(target=self._work, name="slot", daemon=True).start()

    # ------------------------------------------------------------------ called in the event loop

    async def changes(self) -> bytes:
        """Wait for messages and return them, see `to_bytes`; returns none after a while, so that the driver calls again."""
        if self._leaving is not None:
            self._leaving.cancel()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), _SILENCE)
        self._changed.clear()
        told, self._told = self._told, []
        self._leaving = self._loop.call_later(_DESERTED, self._leave)
        return to_bytes(told)

    def _leave(self) -> None:
        """End the trials that still run, and this process."""
        log.warning("nobody has asked for %g s what the slot has to tell: it ends", _DESERTED)
        self._last = self._loop.create_task(self.close())
        self._last.add_done_callback(lambda _: os._exit(1))

    def take(self, orders: bytes) -> None:
        """Pass orders, made by `to_bytes`, to the thread, which carries them out."""
        self._orders += from_bytes(orders)
        self._wake()

    async def close(self) -> None:
        """End the slot; returns when no process of any trial is left."""
        self._closing = True
        self._wake()
        await self._closed.wait()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # it has closed its wake-up pipe
            self._backend.wake()

    def _note(self, told: Sequence[SlotMessage]) -> None:
        self._told += told
        self._changed.set()

    # ------------------------------------------------------------------ in the thread

    def _tell(self, told: Sequence[SlotMessage]) -> None:
        self._loop.call_soon_threadsafe(self._note, told)

    def _work(self) -> None:
        try:
            while not self._closing:
                while self._orders:
                    self._carry_out(self._orders.pop(0))
                events = [event for event in self._backend.wait(None) if not isinstance(event, CommandSignal)]
                for event in events:
                    if isinstance(event, Exit):
                        self._program.ended(event.trial_id, event.attempt)
                        if event.signal == signal.SIGKILL and not self._told_to_end:
                            # If this process is killed meanwhile, the trial is lost, not failed.
                            time.sleep(_KILL_DELAY)
                events = [_judged(event) for event in events]
                if self._apart is not None:
                    for event in events:
                        self._apart.take_in(event)
                elif events:
                    self._tell(events)
        except (HPOError, OSError) as error:
            self._tell([SlotBroken(str(error))])
        except Exception as error:
            log.exception("the slot failed")
            self._tell([SlotBroken(f"{type(error).__name__}: {error}")])
        finally:
            self._closing = True
            self._backend.close()
            if self._apart is not None:
                self._apart.close()
            logging.getLogger("hpo").removeHandler(self._forwarded)
            logging.getLogger("hpo").setLevel(self._level_before)
            self._tell([SlotClosed()])
            self._loop.call_soon_threadsafe(self._closed.set)

    def _carry_out(self, order: AttemptOrder) -> None:
        match order:
            case StartAttempt() if self._apart is None or self._apart.begin(order):
                self._told_to_end = False
                self._backend.start(Trial(order.trial_id, order.configuration), order.attempt, order.until)
            case StopAttempt():
                self._told_to_end = True
                self._backend.stop(order.trial_id, order.patience)
            case KillAttempt():
                self._told_to_end = True
                self._backend.kill()


def _judged(event: BackendEvent) -> BackendEvent:
    """Return an event, as an interruption if a cluster manager's SIGTERM to the whole job has ended the trial."""
    taken_back = signal.SIGTERM in signal.sigpending()
    return event._replace(lost=True) if isinstance(event, Exit) and taken_back else event
