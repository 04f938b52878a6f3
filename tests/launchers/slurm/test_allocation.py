"""`launcher=slurm launcher.nodes=2 backend=ray`: a Ray cluster in a job, on the private Slurm of test_launcher.py."""

import json
import os
import subprocess
from itertools import combinations
from pathlib import Path

import pytest

from hpo.config.reading import load_config, resolve
from hpo.errors import ConfigError
from hpo.events.values import Kind
from hpo.launchers.remote import Phase
from hpo.launchers.slurm.job import read_note
from hpo.launchers.slurm.launcher import SlurmLauncher
from tests.conftest import succeeded
from tests.launchers.slurm.test_launcher import Slurm, cluster, is_complete, place  # noqa: F401
from tests.support.ray_cluster import why_not
from tests.support.slurm.cluster import wait_until

pytestmark = [pytest.mark.xdist_group("slurm"), pytest.mark.process]

MANY = ["backend=ray", "launcher.nodes=2"]


def without_ray():
    if reason := why_not():
        pytest.skip(reason)


def left_of(place, directory, job):
    """Processes of a job's Ray and of its trials, and Ray's folder."""
    found = [str(path) for path in Path("/tmp").glob(f"hpo-{os.getuid()}-{job}-*")]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            called = (process / "cmdline").read_bytes()
            environment = (process / "environ").read_bytes()
        except OSError:
            continue
        ours = f"HPO_EXPERIMENT_DIR={directory}".encode() in environment or str(place.path).encode() in called
        if ours or f"hpo-{os.getuid()}-{job}-".encode() in called:
            found.append(f"{process.name} {called!r}")
    return found


@pytest.mark.long
def test_an_experiment_is_on_both_nodes_of_its_job_and_outlives_the_loss_of_one(tmp_path, cluster):  # noqa: F811
    without_ray()
    place = Slurm(tmp_path).prepare(cluster, seconds=0.5, arguments={"epochs": 40}, max_num_trials=8, n_workers=8)  # noqa: F811
    directory = place.directory("t")
    succeeded(place.launch(*MANY, "launcher.cpus_per_task=4"))
    job = place.record(directory)["job"]
    wait_until(
        lambda: {entry["node"] for entry in place.diary() if "epoch" in entry} == {"n1", "n2"}, 90, "both nodes at work"
    )
    cluster.call("scontrol", "update", "nodename=n2", "state=drain", "reason=test")
    try:
        cluster.call("scancel", "--signal=KILL", f"{job}.0")  # what ends a node that is powered off
        place.hurry()
        place.wait_for(directory, Phase.COMPLETE, 90)
    finally:
        cluster.call("scontrol", "update", "nodename=n2", "state=resume")
    experiment, rows = is_complete(directory)
    assert rows == {(trial, epoch) for trial in range(8) for epoch in range(1, 41)}
    entries = [entry for entry in place.diary() if "epoch" in entry]
    for one, other in combinations(entries, 2):
        if one["begin"] < other["end"] and other["begin"] < one["end"] and one["trial"] != other["trial"]:
            assert (one["node"], one["devices"]) != (other["node"], other["devices"])
    assert {entry["devices"] for entry in entries} <= {"0", "1", "2", "3"}
    assert any(event.kind == Kind.PLACED for event in experiment.events) if hasattr(Kind, "PLACED") else True
    assert "no difference" in succeeded(place.verb("replay", str(directory)))
    wait_until(lambda: not left_of(place, directory, job), what="the end of all that the job had started")
