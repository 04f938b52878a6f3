"""Threads that read experiments, so that a slow experiment delays neither the others nor the end of the server.

As long as all are quick, one reads at a time. A reading that takes longer than `SEAT` continues beside others, and its
experiment queues with other slow ones the next time. The threads are daemons: the server's end does not wait for them.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

SEAT = 0.1
"""Seconds for which one reading keeps others from starting."""
SLOW_SEAT = 5.0
"""Seconds for which one slow experiment keeps other slow ones from starting, since all threads share one interpreter."""
LATE = 2.0
"""Seconds after which a waiting reading comes before newer ones."""

T = TypeVar("T")
_Job = tuple[Callable[[], Any], "asyncio.Future[Any]"]


class Readers:
    """The reader threads of a server, which are started when needed and used again."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._idle = self._threads = 0
        self._counting = threading.Lock()
        self._seats = _Seat(), _Seat()

    def start(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        """Start a function in a thread at once, and return a future of its result."""
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
        """Return a reader for work that must happen in order, such as reading one experiment."""
        return Reader(self, self._seats, slow=slow)

    def end(self) -> None:
        """Start no more work. Work in progress is not waited for."""
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
            with contextlib.suppress(RuntimeError):  # the server has ended in the meantime
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
    """A lock that goes to the newest waiter, because the newest request is the one that somebody waits for now.

    A burst of requests for many experiments then does not delay a request for another one. Who has waited for `LATE` seconds
    comes first, so that nobody waits for ever under a continuous load.
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
            if not given.cancelled():  # the lock arrived at the moment of the cancellation
                self.release()
            raise

    def release(self) -> None:
        """Pass the lock to the next waiter, or free it."""
        now = asyncio.get_running_loop().time()
        while self._waiting:
            oldest_is_late = now - self._waiting[0][0] > LATE
            _, given = self._waiting.popleft() if oldest_is_late else self._waiting.pop()
            if not given.done():
                given.set_result(None)
                return
        self._taken = False


class Reader:
    """Work that happens one piece after the other, and takes turns with other readers."""

    def __init__(self, readers: Readers, seats: tuple[_Seat, _Seat], *, slow: bool) -> None:
        self._readers, self._seats = readers, seats
        self._turn = asyncio.Lock()
        self.slow = slow
        """Whether the last piece of work took longer than `SEAT`."""

    async def read(self, work: Callable[[], T], *, brief: bool = False) -> T:
        """Call a function in a thread when it is its turn, and return its result.

        Args:
            work: The function.
            brief: Whether the function takes at most a few milliseconds, so that it need not wait for other experiments.
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
