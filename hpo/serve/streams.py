"""Server-sent events: everything new since the last message that a page has received.

A message's id is the cursor: the identity of the log and the number of its last event. A page that reconnects resumes there,
even after the server has restarted.
"""

import asyncio
import bisect
import contextlib
import functools
import json
import time
from collections.abc import AsyncGenerator
from pathlib import Path

from hpo.serve.hub import Hub
from hpo.serve.logs import read_log
from hpo.serve.watched import Watched
from hpo.serve.wire import encoded

BEAT = 15.0
"""Seconds without a message after which a heartbeat is sent."""
MOST_BEHIND = 5000
"""Number of reports; a page that is further behind loads its figures again."""
ROWS_EVERY = 0.5
LOG_EVERY = 0.25
LOG_BLIND = 1.0


def message(data: bytes, *, kind: str = "", cursor: str = "") -> bytes:
    """Return one server-sent event. `data` is JSON in one line."""
    head = (f"id: {cursor}\n" if cursor else "") + (f"event: {kind}\n" if kind else "")
    return head.encode() + b"data: " + data + b"\n\n"


async def _changed(event: asyncio.Event) -> bool:
    """Wait for an event until a heartbeat is due, and return whether it came."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(BEAT):
            await event.wait()
            return True
    return False


def beat() -> bytes:
    """Return a heartbeat message, which also carries the server's time."""
    return message(encoded({"now": time.time()}), kind="beat")


async def experiment_stream(hub: Hub, name: str, cursor: str) -> AsyncGenerator[bytes]:
    """Yield messages about what happens in an experiment.

    Args:
        hub: The server's experiments.
        name: Id of the experiment.
        cursor: Cursor of the last message that the page has received, or of its figures.
    """
    generation, sent = _read_cursor(cursor)
    with hub.viewing(name) as one:
        version = -1
        while not hub.closing:
            changed, shown = one.changed, one.feed.shown
            if one.version == version:
                if not await _changed(changed):
                    yield beat()
                continue
            version = one.version
            if shown.complete and shown.generation:
                if not generation:
                    sent = shown.sequence  # earlier reports are in the page's figures, or it asks for them
                elif generation != shown.generation:  # another experiment has taken the directory
                    sent = shown.sequence
                    yield message(encoded({"now": time.time()}), kind="reset")
                generation = shown.generation
            kind, data, last = _update(one, sent)
            if shown.complete:
                sent = last
            yield message(data, kind=kind, cursor=f"{generation}-{sent}" if generation else "")


def _read_cursor(cursor: str) -> tuple[str, int]:
    generation, _, sequence = cursor.rpartition("-")
    return (generation, int(sequence)) if generation and sequence.isdecimal() and len(sequence) < 16 else ("", 0)


def _update(one: Watched, sent: int) -> tuple[str, bytes, int]:
    """Return kind, content and last event of the next message: the same bytes for all pages that have received as much."""
    shown, reports = one.feed.shown, one.feed.record.reports
    key = (sent, one.version)
    if key in one.messages:
        return one.messages[key]
    from hpo.serve.views import columns_of  # keeps the import before the first message short

    end = min(shown.reports, len(reports.sequences)) if shown.complete else 0
    begin = bisect.bisect_right(reports.sequences, sent, 0, end)
    behind = end - begin > MOST_BEHIND
    new = encoded(columns_of(one.feed.record, begin, end)) if shown.complete and not behind else b"null"
    kind = "reset" if behind else ""
    data = b'{"now":%.3f,"trouble":%b,"condition":%b,"board":%b,"new":%b}' % (
        time.time(),
        json.dumps(shown.trouble).encode(),
        json.dumps(shown.condition).encode(),
        shown.board,
        new,
    )
    one.messages = {k: v for k, v in one.messages.items() if k[1] == one.version}
    one.messages[key] = kind, data, shown.sequence
    return one.messages[key]


async def rows_stream(hub: Hub, cursor: str) -> AsyncGenerator[bytes]:
    """Yield the rows of all experiments, then those that change."""
    boot, version = _read_cursor(cursor)
    version = version if boot == hub.boot else 0
    with hub.viewing_rows():
        while not hub.closing:
            changed = hub.rows_changed
            new = [name for name, at in hub.row_versions.items() if at > version]
            if new or version == 0:
                version = hub.rows_version
                yield message(_rows(hub, new), cursor=f"{hub.boot}-{version}")
                await asyncio.sleep(ROWS_EVERY)
            elif not await _changed(changed):
                yield beat()


def _rows(hub: Hub, names: list[str]) -> bytes:
    parts = []
    for name in names:
        listed = hub.catalogue.experiments[name]
        group = hub.catalogue.groups.get(listed.group)
        about = {"id": name, "group": listed.group, "folder": group.name if group else ""}
        parts.append(encoded(about)[:-1] + b',"row":' + hub.row(name).row + b"}")
    return b'{"now":%.3f,"total":%d,"rows":[%b]}' % (time.time(), len(hub.catalogue.experiments), b",".join(parts))


async def log_stream(hub: Hub, directory: Path, trial: int, attempt: int, name: str) -> AsyncGenerator[bytes]:
    """Yield the end of a log, then what is appended to it."""
    folder = directory / "trials" / str(trial) / f"attempt_{attempt}"
    rang, known = asyncio.Event(), -1
    idle = 0.0
    while not hub.closing:
        rang.clear()
        heard = hub.bells.listen(folder, rang)
        try:
            reading = functools.partial(read_log, directory, trial, attempt, name, None if known < 0 else known)
            found, size = await hub.read(reading)
        except OSError as error:
            yield message(encoded({"gone": error.strerror or str(error)}))
            return
        if known < 0 or size != known:
            reset = known < 0 or size < known or len(found) < size - known
            text = found.decode(errors="replace")
            yield message(encoded({"text": text, "reset": reset, "cut": reset and len(found) < size, "size": size}))
            known, idle = size, 0.0
            await asyncio.sleep(LOG_EVERY)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BEAT if heard else LOG_BLIND):
                await rang.wait()
                continue
        idle += BEAT if heard else LOG_BLIND
        if idle >= BEAT:
            idle = 0.0
            yield beat()
