"""Programs from Debian's packages that tests need, installed where they are missing."""

import os
import shutil
import subprocess
from collections.abc import Sequence


def install(programs: Sequence[str], packages: Sequence[str]) -> str | None:
    """Have programs installed from packages. Returns why they cannot be had, None when they are there."""

    def missing() -> str:
        return ", ".join(name for name in programs if shutil.which(name) is None)

    if not missing():
        return None
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return f"{missing()} not found, and this user cannot install {' and '.join(packages)} with apt-get"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(["apt-get", "-q", *command], env=environment, capture_output=True, check=False)
    if missing():
        return f"{missing()} not found, and apt-get ended with {done.returncode}: {done.stderr[-200:]!r}"
    return None
