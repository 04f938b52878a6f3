"""Pages of the documentation: their blocks, the commands in them, and how a reader would run one."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.support import forking

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(text):
    """(language, file name, content) of each."""
    return [match.groups() for match in BLOCK.finditer(text)]


def save(folder, name, text):
    """As the page asks for."""
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def commands(text):
    """The lines of a shell block, continuation lines joined."""
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip() and not line.startswith("#")]


def arguments_of(command):
    """Those of `hpo` in a line that needs no shell, None for any other line."""
    if re.search(r"[|&;<>$*?~`(\\]", re.sub(r"'[^']*'", "", command)):
        return None
    words = shlex.split(command, comments=True)
    lengths = [len(start) for start in (["python", "-m", "hpo"], ["hpo"]) if words[: len(start)] == start]
    return words[lengths[0] :] if lengths else None


def run(command, folder, shell):
    """To its end, which must be a good one. Returns what it printed."""
    # More threads than the cores that are free just now make torch's small examples wait for each other.
    env = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    arguments = arguments_of(command) if shell else None
    if arguments is not None:
        done = forking.run(*arguments, cwd=folder, env=env, timeout=300)
    else:
        program = ["bash", "-c", command] if shell else [sys.executable, "-c", command]
        done = subprocess.run(program, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
