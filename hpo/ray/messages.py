"""Conversion of a backend's events to JSON and back, without loss."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpo.events.types import BackendEvent, Exit, Garbage, Placed, Report

_KINDS: Mapping[str, type[BackendEvent]] = {kind.__name__: kind for kind in (Report, Garbage, Exit, Placed)}


def to_json(event: BackendEvent) -> dict[str, Any]:
    """Return an event as a JSON object for `from_json`."""
    content = event._asdict()
    if isinstance(event, Exit):
        content |= {"usage": dict(event.usage), "log": None if event.log is None else str(event.log)}
    return {"kind": type(event).__name__, **content}


def from_json(content: Mapping[str, Any]) -> BackendEvent:
    """Return the event that `to_json` was given."""
    values = {**content}
    kind = _KINDS[values.pop("kind")]
    if values.get("log") is not None:
        values["log"] = Path(values["log"])
    return kind(**values)
