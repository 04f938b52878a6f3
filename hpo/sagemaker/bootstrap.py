"""The entry point of a SageMaker job: unpack the code, install its requirements, run the named module.

It is copied alone into the job and runs before anything is installed: standard library only. Nothing goes through a
shell. This process is the container's first: without a handler the kernel would not deliver SIGTERM to it.
"""

import os
import signal
import subprocess
import sys
import tarfile
from collections import deque
from pathlib import Path
from typing import Any

ML = Path("/opt/ml")
WORK = ML / "hpo"
CODE = WORK / "code"
FAILURE = ML / "output" / "failure"
MOST_REASON = 1024
OLDEST_PYTHON = (3, 11)


def main() -> None:
    """Prepare the code, and replace this process by the job."""
    signal.signal(signal.SIGTERM, lambda number, _frame: os._exit(128 + number))
    if sys.version_info < OLDEST_PYTHON:
        fail(
            f"the image has Python {sys.version.split()[0]}, hpo needs 3.11: choose another launcher.framework_version"
        )
    CODE.mkdir(parents=True, exist_ok=True)
    with tarfile.open(ML / "input" / "data" / "code" / "bundle.tar.gz") as archive:
        archive.extractall(CODE, filter="data")
    install(CODE / ".requirements.txt")
    paths = [str(CODE), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
    environment["PYTHONDONTWRITEBYTECODE"] = (
        ""  # images set it, so that each process of the job would compile hpo again
    )
    os.chdir(CODE)
    os.execve(sys.executable, [sys.executable, "-m", sys.argv[1]], environment)


def install(requirements: Path) -> None:
    """Install missing requirements. The image's torch packages stay as they are."""
    if satisfied(requirements):
        return
    constraints = WORK / "constraints.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in of_the_image()))
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-color"]
    command += ["--requirement", str(requirements), "--constraint", str(constraints)]
    last: deque[str] = deque(maxlen=50)
    with subprocess.Popen(
        command, cwd=CODE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            sys.stdout.write(line)
            last.append(line.strip())
    sys.stdout.flush()
    if pip.returncode != 0:
        errors = [line for line in last if line.startswith("ERROR")] or list(last)[-3:]
        fail("the requirements could not be installed: " + " ".join(errors))


def satisfied(requirements: Path) -> bool:
    """Whether every line is a plain requirement that is met. Saves pip's second or two on each restart."""
    try:
        from importlib import import_module
        from importlib.metadata import version

        # The copy inside pip: packaging itself need not be installed yet.
        parse = import_module("pip._vendor.packaging.requirements").Requirement
        for line in requirements.read_text().splitlines():
            needed: Any = parse(line)
            if needed.url or needed.extras:
                return False
            applies = needed.marker is None or needed.marker.evaluate()
            if applies and not needed.specifier.contains(version(needed.name), prereleases=True):
                return False
    except Exception:  # pip, or a line that only pip understands: let it decide
        return False
    return True


def of_the_image() -> list[tuple[str, str]]:
    """Return the image's own packages for its GPUs, with versions."""
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for name in ("torch", "torchvision"):
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return found


def fail(reason: str) -> None:
    """End the job with a reason that the service shows."""
    sys.stderr.write(f"hpo: error: {reason}\n")
    write_failure(reason)
    sys.exit(1)


def write_failure(reason: str) -> None:
    """Write the reason of a failure to the file that the service reads."""
    FAILURE.parent.mkdir(parents=True, exist_ok=True)
    FAILURE.write_bytes(reason.encode("utf-8", "replace")[:MOST_REASON].decode("utf-8", "ignore").encode())


if __name__ == "__main__":
    main()
