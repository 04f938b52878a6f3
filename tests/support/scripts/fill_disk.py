# ruff: noqa: T201
"""Appends to the store argv[1], whose files may not grow beyond argv[2] bytes, until that fails; prints how it went."""

import json
import resource
import signal
import sys
from pathlib import Path

from hpo.errors import StoreError
from hpo.events.types import Event, Kind
from hpo.store.event_store import Store

store = Store(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing then fails with EFBIG, as it does with ENOSPC on a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
acknowledged, error = 0, None
for start in range(0, 30_000, 3):
    batch = [Event(Kind.NOTED, 0.0, 0.0, body={"number": start + i, "text": "x" * 900}) for i in range(3)]
    try:
        store.append(batch)
    except StoreError as raised:
        error = str(raised)
        break
    acknowledged += 3
readable = [event.body["number"] for event in store.read()]
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.append([Event(Kind.NOTED, 0.0, 0.0, body={"number": -1})])  # there is room again
print(json.dumps({"acknowledged": acknowledged, "error": error, "readable": readable}))
