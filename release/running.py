"""Running programs in environments, and saying how far it is."""

import os
import shutil
import subprocess
from pathlib import Path


class Failed(Exception):
    """Something is not fit for a release."""


def run(*command: str | Path, cwd: Path, path: Path | None = None) -> str:
    """Run a program to its end, with the programs of an environment first. Returns what it printed.

    Raises:
        Failed: it failed.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    if path is not None:
        env["PATH"] = f"{path / 'bin'}{os.pathsep}{env['PATH']}"
        env["VIRTUAL_ENV"] = str(path)
    program = shutil.which(str(command[0]), path=env["PATH"]) or str(command[0])
    done = subprocess.run(
        [program, *map(str, command[1:])], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout + done.stderr


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, flush=True)
