"""The recorded files: JSON, packed."""

import json
import lzma
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def read(name: str) -> Any:
    """What is recorded under a name."""
    return json.loads(lzma.decompress((HERE / f"{name}.json.xz").read_bytes()))


def write(name: str, content: Any) -> None:
    """Record it."""
    text = json.dumps(content, separators=(",", ":"), sort_keys=True)
    (HERE / f"{name}.json.xz").write_bytes(lzma.compress(text.encode(), preset=9))
