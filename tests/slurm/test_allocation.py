"""`launcher=slurm launcher.nodes=2 backend=ray`: a Ray cluster in a job, on a private Slurm; see tests/support/slurm."""

import contextlib
import os
import subprocess
from itertools import combinations
from pathlib import Path

import pytest

from hpo.config.reading import load_config, resolve
from hpo.errors import ConfigError
from hpo.events.types import Kind
from hpo.launchers.remote import Phase
from hpo.slurm.job import read_note
from hpo.slurm.launcher import SlurmLauncher
from tests.conftest import succeeded
from tests.support.ray_cluster import why_not
from tests.support.slurm.cluster import wait_until
from tests.support.slurm.workplace import Slurm, is_complete

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


@pytest.mark.slow
@pytest.mark.long
def test_a_job_of_two_nodes_goes_on_after_its_time_limit_and_leaves_nothing_behind_when_it_is_cancelled(
    tmp_path, cluster
):
    without_ray()
    place = Slurm(tmp_path).prepare(
        cluster, seconds=0.5, arguments={"epochs": 60}, max_num_trials=4, n_workers=4, num_gpus_per_trial=2
    )
    directory = place.directory("t")
    succeeded(place.launch(*MANY, "launcher.cpus_per_task=4"))
    job = place.record(directory)["job"]

    def both_at_work(since):
        entries = [entry for entry in place.diary()[since:] if "epoch" in entry]
        return {entry["trial"] for entry in entries} == set(range(4)) and {entry["node"] for entry in entries} == both

    both = {"n1", "n2"}
    wait_until(lambda: both_at_work(0), 90, "both nodes at work")
    cluster.call("scancel", "--batch", "--signal=USR2", job)  # as before the time limit
    place.wait_for(directory, Phase.WAITING)
    assert sorted(entry["trial"] for entry in place.diary() if "grace" in entry) == [0, 1, 2, 3]
    wait_until(lambda: not left_of(place, directory, job), what="the end of the first session")
    seen = len(place.diary())
    wait_until(lambda: both_at_work(seen), 120, "the second session")
    assert read_note(directory)["restarts"] == 1
    cluster.call("scancel", job)
    wait_until(lambda: not left_of(place, directory, job), what="the end of all that the job had started")
    graces = [entry["trial"] for entry in place.diary()[seen:] if "grace" in entry]
    assert set(graces) == {0, 1, 2, 3}
    assert max(graces.count(trial) for trial in graces) <= 2, "Slurm and the host may each tell one"
    wait_until(lambda: "t-RS-0" not in place.jobs(), what="the end of the job as Slurm sees it")
    place.hurry()
    succeeded(place.launch(*MANY, "launcher.cpus_per_task=4", "launcher.wait=true"))
    experiment, rows = is_complete(directory)
    assert rows == {(trial, epoch) for trial in range(4) for epoch in range(1, 61)}
    assert sum(event.kind == Kind.OPENED for event in experiment.events) == 3
    assert succeeded(place.verb("replay", str(directory))).endswith(" 0 different\n")


@pytest.mark.slow
@pytest.mark.long
def test_an_experiment_is_on_both_nodes_of_its_job_and_outlives_the_loss_of_one(tmp_path, cluster):
    without_ray()
    place = Slurm(tmp_path).prepare(cluster, seconds=0.5, arguments={"epochs": 40}, max_num_trials=8, n_workers=8)
    directory = place.directory("t")
    succeeded(place.launch(*MANY, "launcher.cpus_per_task=4"))
    job = place.record(directory)["job"]
    wait_until(
        lambda: {entry["node"] for entry in place.diary() if "epoch" in entry} == {"n1", "n2"}, 90, "both nodes at work"
    )
    cluster.call("scontrol", "update", "nodename=n2", "state=down", "reason=test")
    try:
        cluster.call("scancel", "--signal=KILL", f"{job}.0")  # what ends a node that is powered off
        place.hurry()
        place.wait_for(directory, Phase.COMPLETE, 90)
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):  # it may have come back by itself
            cluster.call("scontrol", "update", "nodename=n2", "state=resume")
        wait_until(lambda: cluster.states() == {"idle"}, what="the return of the node")
    experiment, rows = is_complete(directory)
    assert rows == {(trial, epoch) for trial in range(8) for epoch in range(1, 41)}
    entries = [entry for entry in place.diary() if "epoch" in entry]
    for one, other in combinations(entries, 2):
        if one["begin"] < other["end"] and other["begin"] < one["end"] and one["trial"] != other["trial"]:
            assert (one["node"], one["devices"]) != (other["node"], other["devices"])
    assert {entry["devices"] for entry in entries} <= {"0", "1", "2", "3"}
    ends = [event.body["status"] for event in experiment.events if event.kind == Kind.ENDED]
    assert ends.count("completed") == 8
    assert "interrupted" in ends, "the trials of the lost node went on elsewhere"
    assert "failed" not in ends
    assert succeeded(place.verb("replay", str(directory))).endswith(" 0 different\n")
    wait_until(lambda: not left_of(place, directory, job), what="the end of all that the job had started")


def request(tmp_path, backend, num_gpus_per_trial=0, n_workers=8, **keys):
    options = {"n_workers": n_workers, "num_gpus_per_trial": num_gpus_per_trial, "backend": backend}
    experiment = resolve(load_config("mlp_digits", "RS", experiment_tag="t", **options))
    launcher = SlurmLauncher(**keys)
    return launcher.request(experiment, tmp_path)["sbatch"], launcher.describe(experiment, tmp_path)


@pytest.mark.parametrize(
    ("backend", "gpus", "nodes", "expected"),
    [
        ({"name": "ray"}, 0, 2, {"nodes": 2, "cpus-per-task": 4, "no-kill": True}),
        ({"name": "ray", "cpus": 2}, 0, 2, {"nodes": 2, "cpus-per-task": 8}),
        ({"name": "ray"}, 1, 3, {"nodes": 3, "gres": "gpu:3", "cpus-per-task": 12}),
        ({"name": "ray", "cpus": 8}, 1, 4, {"nodes": 4, "gres": "gpu:2", "cpus-per-task": 16}),
        ({"name": "ray"}, 1, None, {"nodes": 1, "gres": "gpu:8", "cpus-per-task": 32}),
        ({"name": "ray", "address": "h:1"}, 0, None, {"nodes": 1, "cpus-per-task": 8}),
        ({"name": "local"}, 1, 1, {"nodes": 1, "gres": "gpu:8", "no-kill": None}),
    ],
)
def test_each_node_gets_what_its_share_of_the_workers_needs(tmp_path, backend, gpus, nodes, expected):
    made, described = request(tmp_path, backend, gpus, nodes=nodes)
    assert {key: made.get(key) for key in expected} == expected
    assert described.gpus == (nodes or 1) * int(str(expected.get("gres", "gpu:0")).rpartition(":")[2])
    assert (f"{nodes} nodes, each" in described.machine) == ((nodes or 1) > 1)


@pytest.mark.parametrize(
    ("backend", "keys", "words"),
    [
        (
            {"name": "auto"},
            {"nodes": 2},
            "launcher.nodes=2: only backend=ray has trials on more than one machine; add back",
        ),
        ({"name": "ray", "address": "h:1"}, {"nodes": 2}, "launcher.nodes=2, backend.address=h:1: .* leave one of the"),
        ({"name": "ray"}, {"nodes": 0}, "launcher.nodes=0: use a positive whole number"),
        (
            {"name": "ray", "cpus": 4},
            {"nodes": 2, "cpus_per_task": 2},
            "launcher.cpus_per_task=2: a trial needs backend",
        ),
        ({"name": "ray", "cpus": "x"}, {"nodes": 2}, "backend.cpus=x: give it a positive number"),
        ({"name": "ray"}, {"sbatch": {"nodes": 2}}, "launcher.sbatch.nodes=2: use launcher.nodes"),
    ],
)
def test_nodes_that_cannot_be_meant_are_one_sentence(tmp_path, backend, keys, words):
    with pytest.raises(ConfigError, match=words):
        request(tmp_path, backend, **keys)
