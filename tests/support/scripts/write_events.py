"""Appends events to the store argv[1] and prints the number of each one that `append` has acknowledged."""

import os
import sys
from pathlib import Path

from hpo.events.types import Event, Kind
from hpo.store.event_store import Store

store = Store(Path(sys.argv[1]))
last = store.last()
number = 0 if last is None else last.body["number"] + 1
os.write(1, b"open\n")
while True:
    pair = [Event(Kind.NOTED, 0.0, 0.0, body={"number": number + i, "text": "x" * (number % 997)}) for i in (0, 1)]
    store.append(pair)
    os.write(1, f"{number + 1}\n".encode())
    number += 2
