"""What running attempts write to S3, found by one LIST every so often for all of them, in a thread.

A piece of reports is handed on once all before it are. What has been handed on is removed after a while: by then it is in the
event log, also in the copy that a job of the tuner's own keeps on S3.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from hpo.aws.client import aws_error_as_sentence, code_of
from hpo.backends.sagemaker.places import JobPlaces, live_key

log = logging.getLogger(__name__)

KEPT = 120.0
"""Seconds that a piece stays after it was written."""
MANY = 100
"""Objects that are removed together: a request for each would cost as much as to read it."""
READERS = 8


@dataclass(frozen=True)
class Piece:
    """The next bytes of an attempt's reports."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Ended:
    """An attempt has ended, and said how."""

    name: str
    record: Mapping[str, Any]
    logs: Mapping[str, bytes]


@dataclass(frozen=True)
class Gone:
    """A job has ended, and nothing of its attempt says how."""

    name: str
    found: Mapping[str, Any]
    """What the service says of the job."""


@dataclass(frozen=True)
class Torn:
    """Reports of an attempt are missing, others after them are there."""

    name: str


@dataclass(frozen=True)
class Silent:
    """Nothing was heard of an attempt for a while."""

    name: str


@dataclass(frozen=True)
class Trouble:
    """It cannot go on."""

    error: Exception


@dataclass
class _Watched:
    name: str
    position: int
    """Bytes that were handed on."""
    heard: float = field(default_factory=time.monotonic)
    seen: int = 0
    """Objects at the last look."""
    torn_since: float | None = None
    job_ended: Mapping[str, Any] | None = None


class ReportWatch:
    """Reads for one backend.

    Args:
        s3: a client.
        bucket: where.
        places: of the experiment.
        seconds: between two looks.
        silence: seconds without a word of a job after which it is asked about, and without a piece before others, torn.
        tell: is given what is found, in this class's thread.
    """

    def __init__(
        self,
        *,
        s3: Any,
        bucket: str,
        places: JobPlaces,
        seconds: float,
        silence: float,
        tell: Callable[[Any], None],
    ) -> None:
        self._s3, self._bucket, self._places, self._seconds = s3, bucket, places, seconds
        self._silence = silence
        self._tell = tell
        self._lock = threading.Lock()
        self._watched: dict[str, _Watched] = {}
        self._over: set[str] = set()
        self._bell = threading.Event()
        self._closed = False
        self._readers = ThreadPoolExecutor(READERS)
        self._thread = threading.Thread(target=self._work, daemon=True, name="sagemaker-watch")
        self._thread.start()

    def add(self, name: str, position: int) -> None:
        """Hand on what an attempt writes, from byte `position`."""
        with self._lock:
            self._watched[name] = _Watched(name, position)
        self._bell.set()

    def remove(self, name: str) -> None:
        """The attempt is over: what it has written, or may write yet, is of no use."""
        with self._lock:
            self._watched.pop(name, None)
            self._over.add(name)

    def job_ended(self, name: str, found: Mapping[str, Any]) -> None:
        """The service says that the job has ended; what the next look does not find will not come."""
        with self._lock:
            if name in self._watched:
                self._watched[name].job_ended = found

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        self._bell.set()
        self._thread.join(self._seconds + 10)  # S3 may not answer
        self._readers.shutdown(wait=False)

    # ------------------------------------------------------------------ in the thread

    def _work(self) -> None:
        next_look = 0.0
        while not self._closed:
            self._bell.wait(max(next_look - time.monotonic(), 0.0) if self._watched else None)
            self._bell.clear()
            if self._closed or not self._watched or time.monotonic() < next_look:
                continue
            next_look = time.monotonic() + self._seconds
            try:
                self._look()
            except Exception as error:
                if not type(error).__module__.startswith(("botocore", "boto3", "s3transfer")):
                    self._tell(Trouble(error))
                    return
                if code_of(error) in ("AccessDenied", "NoSuchBucket"):
                    self._tell(Trouble(error))
                    return
                log.warning(
                    "reports could not be read now (%s)", aws_error_as_sentence(error, "backend"), extra={"once": "s3"}
                )

    def _look(self) -> None:
        with self._lock:  # who has ended by now can write nothing after this look
            watched = dict(self._watched)
            ended = {name for name, one in watched.items() if one.job_ended is not None}
        pieces: dict[str, list[tuple[int, int, str]]] = {}
        words: dict[str, int] = {}
        ends: set[str] = set()
        old: list[str] = []
        now = time.time()
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._places.live)
        for page in pages:
            for item in page.get("Contents", ()):
                found = live_key(item["Key"], self._places.live)
                if found is None:
                    continue
                name, piece, end = found
                one = watched.get(name)
                handed_on = one is not None and piece is not None and piece[1] <= one.position
                if (handed_on or name in self._over) and now - item["LastModified"].timestamp() > KEPT:
                    old.append(item["Key"])
                words[name] = words.get(name, 0) + 1
                if piece is not None and not handed_on:
                    pieces.setdefault(name, []).append((*piece, item["Key"]))
                if end:
                    ends.add(name)
        for name, one in watched.items():
            self._hand_on(one, sorted(pieces.get(name, ())), name in ends, words.get(name, 0), name in ended)
        for start in range(0, len(old), 1000) if len(old) >= MANY else ():
            keys = [{"Key": key} for key in old[start : start + 1000]]
            self._s3.delete_objects(Bucket=self._bucket, Delete={"Objects": keys, "Quiet": True})

    def _hand_on(
        self, one: _Watched, pieces: list[tuple[int, int, str]], end: bool, words: int, job_ended: bool
    ) -> None:
        """Tell what is new of one attempt."""
        wanted, position = [], one.position
        for start, stop, key in pieces:
            if start <= position < stop:
                wanted.append((start, stop, key))
                position = stop
        for (start, stop, _), data in zip(
            wanted, self._readers.map(self._get, [key for _, _, key in wanted]), strict=True
        ):
            self._tell(Piece(one.name, data[one.position - start :]))
            one.position = stop
        if words != one.seen:
            one.heard, one.seen = time.monotonic(), words
        if end:
            record = json.loads(self._get(self._places.end(one.name)))
            if record["bytes"] <= one.position:
                logs = {log: self._get(self._places.log(one.name, log)) for log in record["logs"]}
                self._tell(Ended(one.name, record, logs))
                self.remove(one.name)
                return
        elif job_ended:
            assert one.job_ended is not None
            self._tell(Gone(one.name, one.job_ended))
            self.remove(one.name)
            return
        if end or any(stop > one.position for _, stop, _ in pieces):
            one.torn_since = one.torn_since or time.monotonic()
            if time.monotonic() - one.torn_since > self._silence:
                self._tell(Torn(one.name))
                self.remove(one.name)
                return
        else:
            one.torn_since = None
        if time.monotonic() - one.heard > self._silence:
            one.heard = time.monotonic()
            self._tell(Silent(one.name))

    def _get(self, key: str) -> bytes:
        return bytes(self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read())
