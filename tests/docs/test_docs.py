"""Every command and every Python example of the documentation is run, page by page, as a reader would.

Blocks marked `file=NAME` are saved under that name, `bash` blocks are run line by line, Python blocks that begin with
`import hpo` are run as scripts. Commands for what this machine lacks (GPUs) stand in `text` blocks and are composed only.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import forking

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN = re.compile(r"(^|\s)hpo (?=\S*=|--config-dir |@)")
"""What begins a command that runs experiments."""
BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page):
    return [match.groups() for match in BLOCK.finditer(page.read_text())]


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


def test_a_line_that_needs_a_shell_is_left_to_one():
    assert arguments_of("python -m hpo a=1,2 'b=${c}'  # why") == ["a=1,2", "b=${c}"]
    assert arguments_of("hpo status first") == ["status", "first"]
    for command in (
        "hpo status first | head",
        "A=1 python -m hpo",
        "python train.py",
        "hpo plot outputs/*",
        "hpo a=$B",
    ):
        assert arguments_of(command) is None


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
@pytest.mark.process
def test_what_the_page_says_works(page, tmp_path):
    for language, name, text in blocks(page):
        if name:
            target = tmp_path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        elif language == "bash":
            for command in commands(text):
                if command.startswith(("make ", "git ")):
                    continue  # the whole suite, and what leads to it
                run(command, tmp_path, shell=True)
        elif language == "python" and text.startswith("import hpo"):
            run(text, tmp_path, shell=False)
        elif language == "text":
            for command in commands(text):
                if (call := RUN.search(command)) is not None:
                    words = shlex.split(command[call.end() :].partition("  #")[0])
                    sweep = any("," in word and "[" not in word for word in words)
                    composing = ["hpo", "plan", *words] if sweep else ["hpo", *words, "--cfg", "job"]
                    run(shlex.join(composing), tmp_path, shell=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_of_the_page_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), target
