"""T14: thousands of trials. The last report costs the tuner what the first did, and all stays small and quick.

The files lie in memory where they can: what an experiment of 10,000 trials asks of a disk is the same from its first
report to its last, and on a busy machine takes longer than all that is measured here.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.reliability.harness import RUNS

ROOT = Path(__file__).parents[2]
TRIALS = {"RS": 10_000, "ASHA": 10_000} if RUNS else {"RS": 1_000, "ASHA": 600}


@pytest.fixture
def folder():
    """In memory, if this machine has such a file system."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as name:
        yield Path(name)


def measured(folder, method, trials):
    """What the experiment finds out about itself."""
    command = [sys.executable, "-m", "tests.reliability.many_trials", str(folder), method, str(trials)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def rows_of(page):
    """The table of trials in a report."""
    return json.JSONDecoder().raw_decode(page, page.index('"rows":') + len('"rows":'))[0]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("method", TRIALS)
def test_the_last_report_costs_what_the_first_did_and_everything_is_found_again(folder, method):
    trials = TRIALS[method]
    found = measured(folder, method, trials)
    before, begin = os.times(), time.monotonic()
    command = [sys.executable, "-m", "hpo", "report", str(folder / "experiment")]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    after, seconds = os.times(), time.monotonic() - begin
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    page = (folder / "experiment" / "report.html").read_text()
    written = f"report page of {len(page) / 1e6:.1f} MB in {cpu:.1f} s of the CPU, {seconds:.1f} s on the wall"
    sys.stdout.write(f"{method}: {json.dumps(found)}, {written}\n")

    assert found["trials"] == trials
    assert found["finished"] == f"max_num_trials={trials} trials are done"
    assert found["stored"] == found["reports"] >= 2 * trials
    if method == "RS":
        assert found["reports"] == 10 * trials
    assert found["same"], "what is read from the log is what the experiment knew"

    assert found["ratios"]["python"] <= 1.5
    assert found["ratios"]["sqlite"] <= 1.5
    assert found["ratios"]["cpu"] <= (1.5 if RUNS else 2.5), "the two above say it without noise"
    assert found["milliseconds"] <= 1.0, "of the CPU, in the median"
    assert max(found["megabytes"], found["resumed_megabytes"]) < 300
    assert found["restoring"] < 15
    assert cpu < 20
    assert [row[0] for row in rows_of(page)] == list(range(trials)), "all trials are in its table"
