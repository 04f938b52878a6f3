"""Threads that read: what takes long with one experiment keeps no other one waiting, nor the end of the server.

As long as all are quick one reads at a time. Who takes longer than a `SEAT` goes on beside the others, and queues with other
slow ones the next time. The threads are daemons: one that never comes back is left behind when the server ends.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

SEAT = 0.1
"""Seconds for which a reading keeps others from beginning."""
SLOW_SEAT = 5.0
"""The same among slow experiments: more than a few at once would share the interpreter with those that are quick."""
LATE = 2.0
"""Seconds after which a reading that waits for its seat comes before newer ones."""

T = TypeVar("T")
_Job = tuple[Callable[[], Any], "asyncio.Future[Any]"]


class Readers:
    """The threads of a server, and in which order they are used."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._idle = self._threads = 0
        self._counting = threading.Lock()
        self._seats = _Seat(), _Seat()

    def start(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        """Begin at once, in a thread."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._counting:
            if self._idle:
                self._idle -= 1
            else:
                self._threads += 1
                threading.Thread(target=self._work, name="reader", daemon=True).start()
        self._jobs.put((work, future))
        return future

    def reader(self, *, slow: bool = False) -> "Reader":
        """For what has to be read in order, such as one experiment."""
        return Reader(self, self._seats, slow=slow)

    def end(self) -> None:
        """Begin nothing more. What goes on is not waited for."""
        for _ in range(self._threads):
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, future = job
            result: Any = None
            error: BaseException | None = None
            try:
                result = work()
            except BaseException as raised:
                error = raised
            with self._counting:
                self._idle += 1
            with contextlib.suppress(RuntimeError):  # the server has ended meanwhile
                future.get_loop().call_soon_threadsafe(_settle, future, result, error)
            del job, work, future, result, error


def _settle(future: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


class _Seat:
    """A lock that the newest of those who wait gets next: what was asked for last is what somebody waits for now.

    A burst of requests for many experiments then holds up nobody who asks for another one. Who has waited for `LATE` seconds
    comes first all the same, so that under a load that does not end everybody's turn comes.
    """

    def __init__(self) -> None:
        self._taken = False
        self._waiting: deque[tuple[float, asyncio.Future[None]]] = deque()

    async def acquire(self) -> None:
        """Wait for the lock and take it."""
        if not self._taken:
            self._taken = True
            return
        loop = asyncio.get_running_loop()
        given: asyncio.Future[None] = loop.create_future()
        self._waiting.append((loop.time(), given))
        try:
            await given
        except BaseException:
            if not given.cancelled():  # it was given at the moment when the wait was cancelled
                self.release()
            raise

    def release(self) -> None:
        """Give the lock to the next who waits."""
        now = asyncio.get_running_loop().time()
        while self._waiting:
            oldest_is_late = now - self._waiting[0][0] > LATE
            _, given = self._waiting.popleft() if oldest_is_late else self._waiting.pop()
            if not given.done():
                given.set_result(None)
                return
        self._taken = False


class Reader:
    """What is read one after the other, and in turn with others; see `Readers.reader`."""

    def __init__(self, readers: Readers, seats: tuple[_Seat, _Seat], *, slow: bool) -> None:
        self._readers, self._seats = readers, seats
        self._turn = asyncio.Lock()
        self.slow = slow
        """Took longer than others would like to wait."""

    async def read(self, work: Callable[[], T], *, brief: bool = False) -> T:
        """What a function returns that is called in a thread.

        Args:
            work: The function.
            brief: Whether it takes less than a millisecond or two, so that it need not wait for other experiments.
        """
        await self._turn.acquire()
        seat = self._seats[self.slow]
        try:
            if not brief:
                await seat.acquire()
        except BaseException:
            self._turn.release()
            raise
        loop = asyncio.get_running_loop()
        began = loop.time()
        held = [] if brief else [seat]

        def free() -> None:
            while held:
                held.pop().release()

        def finish(_: Any) -> None:
            free()
            self.slow = loop.time() - began > SEAT or (brief and self.slow)
            self._turn.release()

        future = self._readers.start(work)
        if held:
            loop.call_later(SLOW_SEAT if self.slow else SEAT, free)
        future.add_done_callback(finish)
        return await asyncio.shield(future)
