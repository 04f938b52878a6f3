"""T20: half of all calls are throttled, and now and then the quota is used up. Each job is created once all the same."""

import re
import shutil
import sys
import time
from collections import Counter

import pytest

from tests.reliability.harness import RUNS
from tests.sagemaker.test_launcher import METHODS, grid, needs_service

pytestmark = [pytest.mark.timeout(2000), *needs_service]  # the first of two holds


@pytest.mark.slow
def test_throttled_calls_create_each_job_once_and_a_second_launch_creates_none(place, fake):
    methods, seeds = (METHODS, 5) if RUNS else (("RS", "ASHA"), 2)
    command = grid(place, fake, methods, seeds, quota_wait=0.3)
    expected = Counter(f"grid-{method}-{seed}" for method in methods for seed in range(seeds))

    def launch():
        begin = time.monotonic()
        with place.start(*command) as process:
            out, err = process.communicate(timeout=600)
        assert process.returncode == 0, out + err
        assert "Traceback" not in err
        return out, time.monotonic() - begin

    fake.control("set", throttle=0.5, limit=3, idle=True)
    out, seconds = launch()
    jobs = fake.jobs()
    assert Counter(name.rpartition("-")[0] for name in jobs) == expected
    assert all(re.search(rf"^.*: {name}$", out, re.MULTILINE) for name in jobs), "each is named where it is launched"
    met = fake.control("calls")
    assert met["throttled"] > 0
    assert met["limited"] > 0
    assert met["CreateTrainingJob"] == len(jobs) + met["throttled"] + met["limited"]

    _, again = launch()
    shutil.rmtree(place.path / "outputs")  # as on another machine: nothing here says what was launched
    _, elsewhere = launch()
    assert fake.jobs() == jobs
    assert fake.control("calls")["throttled"] > met["throttled"]
    sys.stdout.write(
        f"{len(jobs)} of {len(jobs)} created in {seconds:.1f} s through {met['throttled']} throttled calls and "
        f"{met['limited']} refused for the quota; again in {again:.1f} s and {elsewhere:.1f} s, 0 duplicates\n"
    )
