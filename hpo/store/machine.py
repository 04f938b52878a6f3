"""The identity of this machine, whose processes see each other's kernel locks; on network file systems others may not."""

import os
from functools import cache
from pathlib import Path


@cache
def machine() -> str:
    """Return a name of the running kernel; its processes, containers included, see each other's locks."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return os.uname().nodename
