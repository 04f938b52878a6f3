"""The script is edited while trials start: of every attempt the log names the version that the attempt itself reports."""

import hashlib
import random
import time

import pytest

from hpo.events.types import Kind
from hpo.results.experiment import load_experiment
from tests.reliability.harness import RUNS, Project

EDITS = 20
SCRIPT = '''
"""Reports which version of it this is."""
import argparse, time
import hpo
parser = argparse.ArgumentParser()
parser.add_argument("--x", type=float)
parser.add_argument("--epochs", type=int)
parser.add_argument("--seconds", type=float)
parser.add_argument("--truth")
a = parser.parse_args()
for epoch in range(1, a.epochs + 1):
    time.sleep(a.seconds)
    hpo.report(epoch=epoch, loss=(a.x - 0.3) ** 2 + 1 / epoch, version=VERSION)
'''


def version(number: int) -> str:
    return f"VERSION = {number}\n{SCRIPT}"


def edit(path, number, rng):
    """As editors do: in place, or by a new file that takes the old one's."""
    if rng.random() < 0.5:
        path.write_text(version(number))
    else:
        new = path.with_suffix(".new")
        new.write_text(version(number))
        new.replace(path)


def run_edited(folder, seed, *overrides, back=0.0):
    """Edit the script of two workers at random moments and compare.

    Args:
        folder: to work in.
        seed: of the moments.
        overrides: of the command.
        back: how often an edit brings an earlier version back.

    Returns:
        how many attempts are uncertain, and all.
    """
    rng = random.Random(seed)
    project = Project(folder, version(1), method="RS", workers=2, trials=10_000, seconds=0.01, overrides=overrides)
    process = project.start()
    while not (project.directory / "trials" / "1").exists():
        time.sleep(0.01)
        assert process.poll() is None, project.output()
    for number in range(2, EDITS + 2):
        time.sleep(rng.uniform(0.0, 0.5))
        edit(folder / "train.py", rng.randrange(1, number) if rng.random() < back else number, rng)
    time.sleep(0.5)
    process.terminate()
    assert process.wait(60) == 143, project.output()
    return compare(project)


def compare(project):
    experiment = load_experiment(project.directory)
    digests = {
        hashlib.blake2b(version(number).encode(), digest_size=8).hexdigest(): number for number in range(1, EDITS + 2)
    }
    code = experiment.state.code
    told = {}
    for event in experiment.events:
        if event.kind == Kind.REPORTED:
            told.setdefault((event.trial, event.attempt), set()).add(event.body["metrics"]["version"])
    named = {key: digests.get(code.versions[code.of[key[0]][key[1]]]["digest"]) for key in told}
    sure = [key for key in told if key[0] not in code.unsure]
    wrong = {key: (named[key], told[key]) for key in sure if told[key] != {named[key]}}
    assert wrong == {}, f"{len(wrong)} of {len(sure)} attempts are named wrongly"
    return len(told) - len(sure), len(told)


@pytest.mark.process
@pytest.mark.parametrize("seed", range(RUNS or 1))
def test_every_fork_is_known_by_the_version_that_it_compiled(tmp_path, seed):
    unsure, attempts = run_edited(tmp_path, seed, back=0.2)
    assert (unsure, attempts > EDITS // 2) == (0, True)


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(RUNS or 1))
def test_of_a_fresh_interpreter_the_version_is_right_or_said_to_be_unknown(tmp_path, seed):
    unsure, attempts = run_edited(tmp_path, seed, "benchmark.preload=null")
    assert unsure < attempts
