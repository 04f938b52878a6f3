"""How values travel to a page: JSON in as few bytes as can be."""

import json
from typing import Any


def encoded(content: Any) -> bytes:
    """JSON for the page."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False, default=str).encode()
