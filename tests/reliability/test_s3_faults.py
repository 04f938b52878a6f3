"""T18: S3 refuses, fails and answers late. The job's own results are complete, and nobody is left to find out by chance.

The service copies what a job leaves to S3, so that the job itself never meets S3; the commands on the user's machine do.
"""

import re
import sys
import time
from pathlib import Path

import pytest

from hpo.results.experiment import load_experiment
from tests.conftest import error_of, succeeded
from tests.reliability.harness import RUNS
from tests.sagemaker.test_launcher import needs_service, results, synced, to_be_synced

pytestmark = [pytest.mark.timeout(2000), *needs_service]  # the first of two holds

LATE = {"fault": "slow", "seconds": 0.1}
ERRORS = {"fault": "InternalError", "rate": 0.1}
GONE = {"fault": "NoSuchBucket", "methods": ["PUT"], "after": 5}
UPLOADS = {
    "everything": [GONE, ERRORS, LATE],
    "denied": [{"fault": "AccessDenied", "methods": ["PUT"]}],
    "gone": [GONE],
    "errors": [ERRORS],
    "late": [LATE],
}
"""What happens to the results of a job: one request in ten fails, each takes longer, nothing may be uploaded, or the
bucket is deleted after the first five files."""
LOSING = ("everything", "denied", "gone")


def spoil(fake, kinds, seeds):
    """Make S3 do `kinds` in turn to the results of the jobs of these seeds. Returns the kind of each."""
    chosen = {seed: kinds[seed % len(kinds)] for seed in seeds}
    rules = [{"match": f"hpo/t/RS-{seed}/", **rule} for seed, kind in chosen.items() for rule in UPLOADS[kind]]
    fake.control("set", s3=rules, keep=True, quota=4)
    return chosen


def local_results(fake, name):
    """The experiment as it lay on the job's own machine at its end."""
    return load_experiment(Path(fake.control("machine", job=name)["path"]) / "opt/ml/hpo/experiment")


def reports(experiment):
    return sorted((event.trial, event.resource) for event in experiment.events if event.kind == "reported")


WHOLE = [(trial, epoch) for trial in range(3) for epoch in (1, 2, 3)]


@pytest.mark.slow
def test_jobs_complete_whatever_s3_does_and_what_is_missing_there_is_said(place, fake):
    seeds = range(RUNS or 1)
    chosen = spoil(fake, list(UPLOADS), seeds)
    command = ("benchmark=mine", "method=RS", "experiment_tag=t", f"num_seeds={len(seeds)}", "random_seed=7")
    with place.start(*command, *fake.overrides(quota_wait=0.5)) as launch:
        out, err = launch.communicate(timeout=1500)
    assert launch.returncode == 0, out + err
    jobs = fake.wait(300, count=len(seeds))
    assert set(jobs.values()) == {"Completed"}
    name_of = {int(name.split("-")[3]): name for name in jobs}
    for name in jobs:
        experiment = local_results(fake, name)
        assert experiment.metadata["status"] == "complete"
        assert reports(experiment) == WHOLE
    met = fake.control("calls")
    assert met["NoSuchBucket"] > 0
    assert met["slow"] > 0

    rules = fake.control("settings")["s3"]
    fake.control("set", s3=[{"match": f"{fake.bucket}/hpo/t/RS-0/", "fault": "AccessDenied", "methods": ["GET"]}])
    assert "access denied" in error_of(place.verb("sync", str(place.directory("t", seed=0))))
    assert not (place.directory("t", seed=0) / "events.db").exists()

    fake.control("set", s3=rules)
    brought = place.verb("sync", "t")  # through the errors and the waiting
    succeeded(brought)
    fake.control("set", s3=[])  # what follows looks at what is there
    for seed, kind in chosen.items():
        warned = [line for line in brought.stderr.splitlines() if f"job {name_of[seed]} " in line]
        here = place.directory("t", seed=seed)
        assert fake.objects(f"hpo/t/RS-{seed}/") or kind == "denied"
        there = to_be_synced(results(fake, run=f"RS-{seed}"))
        assert synced(here) == there, "what is there comes here, all of it and nothing else"
        if kind in LOSING:
            assert len(warned) == 1, (kind, seed, brought.stderr)
            assert "lacks some of its results" in warned[0]
            assert "Traceback" not in brought.stderr
        else:
            assert warned == []
            assert reports(load_experiment(here)) == WHOLE
    sys.stdout.write(f"{len(jobs)} of {len(jobs)} jobs complete; the fakes' counts: {met}\n")


PROBES = {
    "denied": ({"fault": "AccessDenied"}, r"access denied \(Access Denied\)"),
    "slow": ({"fault": "slow", "seconds": 8}, "S3 did not answer within launcher.probe_seconds=4; check the network"),
    "gone": ({"fault": "NoSuchBucket"}, "there is no such bucket; create it"),
    "errors": ({"fault": "InternalError"}, "AWS rejected it, InternalError"),
}


def test_a_bucket_that_cannot_be_written_to_is_said_before_any_job_is_launched(place, fake):
    rules = [{"match": f"bucket/{kind}/", **rule} for kind, (rule, _) in PROBES.items()]
    fake.control("set", s3=rules)
    longest = dict.fromkeys(PROBES if RUNS else ("denied", "slow"), 0.0)
    for kind in list(longest) * (RUNS // 4 or 1):
        begin = time.monotonic()
        keys = fake.overrides(prefix=kind, wait="true", probe_seconds=4 if kind == "slow" else 60)
        result = place.hpo("benchmark=mine", "method=RS", f"experiment_tag={kind}", *keys)
        longest[kind] = max(longest[kind], time.monotonic() - begin)
        said = error_of(result)
        assert said.startswith(f"launcher.bucket={fake.bucket}: ")
        assert re.search(PROBES[kind][1], said), said
    assert fake.jobs() == {}
    assert fake.control("calls").get("CreateTrainingJob", 0) == 0
    assert max(longest.values()) < 30, longest
    sys.stdout.write(f"refused after {', '.join(f'{kind} {s:.1f} s' for kind, s in longest.items())}\n")
