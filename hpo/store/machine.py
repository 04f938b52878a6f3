"""Which machine this is: kernel locks reach the processes of one machine, on a network file system perhaps no others."""

import os
from functools import cache
from pathlib import Path


@cache
def machine() -> str:
    """Names the running kernel: processes of one machine, containers included, see each other's locks."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return os.uname().nodename
