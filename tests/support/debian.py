"""Programs from Debian's packages that tests need, installed where they are missing."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock


def install(programs: Sequence[str], packages: Sequence[str]) -> str | None:
    """Have programs installed from packages. Returns why they cannot be had, None when they are there."""

    def missing() -> str:
        return ", ".join(name for name in programs if shutil.which(name) is None)

    if not missing():
        return None
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return f"{missing()} not found, and this user cannot install {' and '.join(packages)} with apt-get"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with FileLock(Path(tempfile.gettempdir()) / "hpo-tests-apt.lock", timeout=900):  # other workers install, too
        if not missing():
            return None
        for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            words = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=600", *command]
            done = subprocess.run(words, env=environment, capture_output=True, check=False)
    if missing():
        return f"{missing()} not found, and apt-get ended with {done.returncode}: {done.stderr[-200:]!r}"
    return None
