"""The thread that finds what running attempts write to the place, at intervals, by one listing for all of them.

A piece of reports is passed on once all earlier pieces are. Pieces that were passed on are removed after a while: by then
they are in the event log, also in the copy that is kept if the tuner itself runs in a job.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from hpo.backends.jobs.messages import Begun, Ended, Gone, Message, Piece, Silent, Torn, Trouble
from hpo.backends.jobs.object_names import ObjectNames, live_key
from hpo.backends.jobs.outcome import AttemptOutcome
from hpo.backends.jobs.protocols import Intervals, JobStatus, ObjectPlace

log = logging.getLogger(__name__)

KEPT = 120.0
"""Seconds that a piece stays after it was written."""
MANY = 100
"""Number of objects that are removed together: one request for each would cost as much as reading it."""
READERS = 8


@dataclass
class _Watched:
    name: str
    position: int
    """Number of bytes that were passed on."""
    queued: bool
    """Whether the job is not known to have begun."""
    heard: float = field(default_factory=time.monotonic)
    seen: int = 0
    """Number of objects at the last look."""
    torn_since: float | None = None
    job_ended: JobStatus | None = None


@dataclass
class _Found:
    """The objects of one attempt that a look finds."""

    pieces: list[tuple[int, int, str]] = field(default_factory=list)
    """(start, end, key) of the pieces that were not passed on."""
    objects: int = 0
    begun: bool = False
    ended: bool = False


class ReportWatch:
    """A thread that reads what the jobs of one backend write.

    Args:
        place: Place that the jobs write to.
        names: Names of the experiment's objects there.
        intervals: Seconds between two looks, and of silence after which a job is asked about.
        tell: Called in this thread with each message.
    """

    def __init__(
        self, *, place: ObjectPlace, names: ObjectNames, intervals: Intervals, tell: Callable[[Message], None]
    ) -> None:
        self._place, self._names, self._intervals, self._tell = place, names, intervals, tell
        self._lock = threading.Lock()
        self._watched: dict[str, _Watched] = {}
        self._over: set[str] = set()
        self._bell = threading.Event()
        self._closed = False
        self._readers = ThreadPoolExecutor(READERS)
        self._thread = threading.Thread(target=self._work, daemon=True, name="report-watch")
        self._thread.start()

    def add(self, name: str, position: int, *, queued: bool = False) -> None:
        """Watch an attempt and pass on what it writes from byte `position`; of a queued job also that it has begun."""
        with self._lock:
            self._watched[name] = _Watched(name, position, queued)
        self._bell.set()

    def remove(self, name: str) -> None:
        """Stop watching an attempt that has finished, and ignore whatever it has written or may still write."""
        with self._lock:
            self._watched.pop(name, None)
            self._over.add(name)

    def note_end_of_job(self, name: str, status: JobStatus) -> None:
        """Record that a job has ended; reports that the next look does not find will not come."""
        with self._lock:
            if name in self._watched:
                self._watched[name].job_ended = status

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        self._bell.set()
        self._thread.join(self._intervals.look + 10)  # the place may not answer
        self._readers.shutdown(wait=False)

    # ------------------------------------------------------------------ in the thread

    def _work(self) -> None:
        next_look = 0.0
        while not self._closed:
            self._bell.wait(max(next_look - time.monotonic(), 0.0) if self._watched else None)
            self._bell.clear()
            if self._closed or not self._watched or time.monotonic() < next_look:
                continue
            next_look = time.monotonic() + self._intervals.look
            try:
                self._look()
            except OSError as error:
                log.warning("reports could not be read now (%s)", error, extra={"once": "place"})
            except Exception as error:  # the tuner's thread raises it
                self._tell(Trouble(error))
                return

    def _look(self) -> None:
        with self._lock:  # jobs that have ended by now can write nothing after this look
            watched = dict(self._watched)
            ended = {name for name, one in watched.items() if one.job_ended is not None}
        found: dict[str, _Found] = {}
        old: list[str] = []
        now = time.time()
        for item in self._place.list(self._names.live):
            if (read := live_key(item.key, self._names.live)) is None:
                continue
            name, piece, is_end = read
            one, of_attempt = watched.get(name), found.setdefault(name, _Found())
            handed_on = one is not None and piece is not None and piece[1] <= one.position
            if (handed_on or name in self._over) and now - item.modified > KEPT:
                old.append(item.key)
            of_attempt.objects += 1
            of_attempt.ended |= is_end
            of_attempt.begun |= piece is None and not is_end
            if piece is not None and not handed_on:
                of_attempt.pieces.append((*piece, item.key))
        for name, one in watched.items():
            self._hand_on(one, found.get(name, _Found()), name in ended)
        if len(old) >= MANY:
            self._place.remove(old)

    def _hand_on(self, one: _Watched, found: _Found, job_ended: bool) -> None:
        """Send messages about the news of one attempt."""
        if one.queued and found.begun:
            one.queued = False
            self._tell(Begun(one.name, self._place.read(self._names.beginning(one.name)).decode()))
        wanted, position = [], one.position
        for start, stop, key in sorted(found.pieces):
            if start <= position < stop:
                wanted.append((start, stop, key))
                position = stop
        contents = self._readers.map(self._place.read, [key for _, _, key in wanted])
        for (start, stop, _), data in zip(wanted, contents, strict=True):
            self._tell(Piece(one.name, data[one.position - start :]))
            one.position = stop
        if found.objects != one.seen:
            one.heard, one.seen = time.monotonic(), found.objects
        if found.ended:
            outcome = AttemptOutcome.from_json(self._place.read(self._names.end(one.name)))
            if outcome.sent <= one.position:
                logs = {log: self._place.read(self._names.log(one.name, log)) for log in outcome.logs}
                self._tell(Ended(one.name, outcome, logs))
                self.remove(one.name)
                return
        elif job_ended:
            assert one.job_ended is not None
            self._tell(Gone(one.name, one.job_ended))
            self.remove(one.name)
            return
        if found.ended or any(stop > one.position for _, stop, _ in found.pieces):
            one.torn_since = one.torn_since or time.monotonic()
            if time.monotonic() - one.torn_since > self._intervals.silence:
                self._tell(Torn(one.name))
                self.remove(one.name)
                return
        else:
            one.torn_since = None
        if time.monotonic() - one.heard > self._intervals.silence:
            one.heard = time.monotonic()
            self._tell(Silent(one.name))
