"""Compact JSON for messages to a page."""

import json
from typing import Any


def encoded(content: Any) -> bytes:
    """Return a value as compact JSON."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False, default=str).encode()
