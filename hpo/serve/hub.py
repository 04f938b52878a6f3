"""The experiments that pages look at, and when their logs are read: when the kernel reports changed files, not by polling.

The hub runs in the event loop. Threads read and apply events, in order for each experiment, so that a slow experiment delays
no other. An experiment is followed while a page looks at it: it is read at once after a change, then at most every `PACE`
seconds, and reading takes at most a `SHARE` of the time.
"""

import asyncio
import contextlib
import gc
import importlib
import secrets
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from hpo.serve.bell import BLIND, Bells
from hpo.serve.catalogue import Catalogue
from hpo.serve.readers import Reader, Readers
from hpo.serve.watched import Watched
from hpo.store.event_store import on_network

if TYPE_CHECKING:
    from hpo.serve.feed import Shown

PACE = 0.25
"""Seconds between two looks at an experiment that a page shows."""
COMMIT = 0.008
"""Seconds from the kernel's notice, which comes when a commit begins, to a look, which needs the commit's end."""
AGAIN = 0.04
"""Seconds between two looks while a commit seems to be in progress."""
ROW_PACE = 1.0
"""Seconds between two looks at an experiment of which only its row in the list is shown."""
SHARE = 0.04
"""Largest share of time spent on reading one experiment."""
ROWS_SHARE = 0.02
"""Largest share of time spent on reading all experiments of which only a row in the list is shown."""
TICK = 2.0
"""Seconds between two checks whether a running experiment's tuner is alive, which no file change shows."""
ROW_TICK = 10.0
FIND_EVERY = 2.0
"""Smallest number of seconds between two searches for new experiments."""
KEPT = 60.0
"""Seconds for which an experiment is still followed after its last page has gone."""
ROW_GATE = 0.5
"""Seconds for which reading an experiment for its row delays the next row."""
MOST_FOLDERS = 4096
"""Largest number of folders that are watched for new experiments."""

READERS = ("hpo.serve.feed", "hpo.serve.answers", "hpo.reports.page", "hpo.serve.steering")
"""Modules that are imported once the server answers, since they take longer than everything before."""

T = TypeVar("T")


class Hub:
    """The experiments of a server, and the open pages that show them.

    Args:
        catalogue: The experiments below the served directories.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.boot = secrets.token_hex(4)
        """Random text that distinguishes row versions of this server process from those of an earlier one."""
        self.closing = False
        """Whether the server is ending, so that streams end too."""
        self._closed = asyncio.Event()
        self.followed: dict[str, Watched] = {}
        self.rows_version = 0
        self.row_versions: dict[str, int] = {}
        self.rows_changed = asyncio.Event()
        self.rows_viewers = 0
        self._readers = Readers()
        self._finder = self._readers.reader()
        self._comparers: dict[Any, Reader] = {}
        self.bells = Bells()
        self._finding: asyncio.Task[None] | None = None
        self._row_gate = asyncio.Lock()

    # ------------------------------------------------------------------ life

    async def begin(self) -> None:
        """Find the experiments and start to listen for changes."""
        self.bells.begin()
        await self.find()

    def warm(self) -> None:
        """Import the modules that the first page needs, in a thread."""
        self._readers.start(_import_readers)

    def dismiss(self) -> None:
        """Make all streams and waiting commands end."""
        self.closing = True
        self._closed.set()
        for one in self.followed.values():
            one.tell()
        self.rows_changed.set()
        self.bells.ring_all()

    async def end(self) -> None:
        """Stop following experiments and stop the threads."""
        tasks = [one.task for one in self.followed.values() if one.task is not None]
        tasks += [self._finding] if self._finding is not None else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.bells.end()
        self._readers.end()

    async def read(self, work: Callable[[], T]) -> T:
        """Run a function in a thread and return its result; for functions that do not read an event log."""
        return await self._readers.start(work)

    async def read_until_closing(self, work: Callable[[], T]) -> T | None:
        """Call a function in a thread and return its result, or None if the server ends first."""
        reading, closed = self._readers.start(work), asyncio.ensure_future(self._closed.wait())
        either: set[asyncio.Future[Any]] = {reading, closed}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        closed.cancel()
        return reading.result() if reading.done() else None

    async def compare(self, tag: Any, work: Callable[[], T]) -> T:
        """Run a function in a thread and return its result; for comparisons of a tag's experiments, which may take long."""
        if tag not in self._comparers:
            self._comparers[tag] = self._readers.reader(slow=True)
        return await self._comparers[tag].read(work)

    # ------------------------------------------------------------------ what is looked at

    async def find(self) -> None:
        """Search for new experiments."""
        await self._finder.read(self.catalogue.look)
        for name in self.catalogue.experiments:
            if name not in self.row_versions:
                self._row_changed(name)

    @contextlib.contextmanager
    def viewing(self, name: str) -> Iterator[Watched]:
        """Follow an experiment while a page looks at it.

        Raises:
            KeyError: There is no experiment of that id.
        """
        one = self._of(name)
        one.viewers += 1
        one.rang.set()
        self._follow(name, one)
        try:
            yield one
        finally:
            one.viewers -= 1
            one.left = time.monotonic()
            one.rang.set()

    async def current(self, name: str) -> Watched:
        """Return an experiment whose log has been read, for a single answer.

        Raises:
            KeyError: There is no experiment of that id.
        """
        with self.viewing(name) as one:
            while not (one.feed.shown.complete or self.closing):
                await one.changed.wait()
        return one

    async def refreshed(self, name: str) -> Watched:
        """Return an experiment with everything written until now, such as the result of a command a moment ago."""
        one = await self.current(name)
        before = one.feed.shown.key
        while await one.read(one.feed.look):
            pass
        if one.feed.shown.key != before:
            self._row_changed(name)
            one.tell()
        return one

    @contextlib.contextmanager
    def viewing_rows(self) -> Iterator[None]:
        """Follow all experiments while a page shows the list of them."""
        self.rows_viewers += 1
        if self._finding is None or self._finding.done():
            self._finding = asyncio.get_running_loop().create_task(self._keep_finding())
        self._follow_all()
        try:
            yield
        finally:
            self.rows_viewers -= 1

    def row(self, name: str) -> "Shown":
        """Return what is known of an experiment for its row in the list."""
        return self._of(name).feed.shown

    def _of(self, name: str) -> Watched:
        if name not in self.followed:
            from hpo.serve.answers import Figures
            from hpo.serve.feed import Feed

            directory = self.catalogue.experiments[name].directory
            feed = Feed(directory)
            one = Watched(feed, Figures(feed), self._readers.reader(), blind=self.bells.blind or on_network(directory))
            self.followed[name] = one
        return self.followed[name]

    def _follow_all(self) -> None:
        def at_work_first(name: str) -> tuple[bool, str]:
            return self._of(name).feed.noted != "running", name

        for name in sorted(self.catalogue.experiments, key=at_work_first):
            self._follow(name, self._of(name))

    def _follow(self, name: str, one: Watched) -> None:
        if one.task is None or one.task.done():
            one.task = asyncio.get_running_loop().create_task(self._keep_reading(name, one))

    # ------------------------------------------------------------------ reading

    async def _keep_reading(self, name: str, one: Watched) -> None:
        """Read an experiment whenever it changes, until no page looks at it any more."""
        feed = one.feed
        while one.viewers or self.rows_viewers or time.monotonic() - one.left < KEPT:
            one.rang.clear()
            self.bells.listen(feed.files.path, one.rang)
            before, absent = feed.shown, feed.follower is None
            if one.viewers or one.reader.slow:
                more = await one.read(feed.look)
            else:
                async with self._row_gate:  # rows are read one at a time and for a share of the time
                    reading = asyncio.ensure_future(one.read(feed.look))
                    if (await asyncio.wait([reading], timeout=ROW_GATE))[0] and before.complete:
                        await asyncio.sleep(min(feed.cost / ROWS_SHARE, 1.0))
                more = await reading
            if feed.shown.key != before.key:
                self._row_changed(name)
            if feed.shown.key != before.key or absent:
                one.tell()
            if more:
                continue
            over = feed.shown.condition in ("complete", "failed")
            if over and not one.viewers and time.monotonic() - one.left >= KEPT:
                feed.forget()  # keeps its row
            if feed.shown.key == before.key and not feed.settled and one.viewers:
                await asyncio.sleep(AGAIN)
                continue
            pace = PACE if one.viewers else ROW_PACE
            await asyncio.sleep(max(pace, feed.cost / SHARE))
            await self._wait(one, over)
            await asyncio.sleep(COMMIT)
        feed.forget()

    async def _wait(self, one: Watched, over: bool) -> None:
        """Wait for the experiment's next change, or until it has to be looked at anyway."""
        seconds: float | None = None if over else (TICK if one.viewers else ROW_TICK)
        if not one.feed.settled:
            seconds = AGAIN
        if one.blind:
            seconds = BLIND if one.viewers else ROW_TICK
        if not one.viewers and one.feed.follower is not None:
            seconds = min(seconds or KEPT, max(KEPT - (time.monotonic() - one.left), 1.0))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await one.rang.wait()

    async def _keep_finding(self) -> None:
        """Search for new experiments when a folder has changed, while a page shows the list."""
        rang = asyncio.Event()
        while self.rows_viewers:
            rang.clear()
            began = time.perf_counter()
            known = set(self.catalogue.experiments)
            for folder in self.catalogue.passed[:MOST_FOLDERS]:
                self.bells.listen(folder, rang)
            await self.find()
            if set(self.catalogue.experiments) != known:
                self._follow_all()
                continue  # there may be new folders: listen to them, too
            await asyncio.sleep(max(FIND_EVERY, (time.perf_counter() - began) / SHARE))
            blind = self.bells.blind or any(on_network(root) for root in self.catalogue.roots)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FIND_EVERY if blind else None):
                    await rang.wait()

    def _row_changed(self, name: str) -> None:
        self.rows_version += 1
        self.row_versions[name] = self.rows_version
        self.rows_changed.set()
        self.rows_changed = asyncio.Event()


def _import_readers() -> None:
    for name in READERS:
        importlib.import_module(name)
    gc.freeze()  # the garbage collector need not visit modules again and again while pages wait
