"""`kill -9` of whatever takes part in an experiment on a Ray cluster: nothing lost, nothing doubled, nothing left behind."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.reliability.harness import RUNS, Project, alive, wait_until
from tests.reliability.test_kill import check, decisions
from tests.support import forking
from tests.support.marks import or_slow
from tests.support.ray_cluster import RayCluster, why_not

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("ray"), pytest.mark.timeout(1800)]

VICTIMS = [(victim, workers) for workers in (2, 1) for victim in ("node", "tuner", "driver", "actor", "host")]

LEFT = 15.0
"""Seconds after which nothing of ours may be left."""


def works_for(folder, place):
    """Is a working directory the project's, or an unpacked copy of its code?"""
    copied = place / "program" / "conf" / "benchmark" / "truth.yaml"
    return place.is_relative_to(folder) or (copied.is_file() and f"{folder}/" in copied.read_text())


def ours(folder):
    """(pid, command line) of all living processes that work for a project: tuner, driver, slots, hosts, trials."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if works_for(folder, (process / "cwd").readlink()) and alive(int(process.name)):
                line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found.append((int(process.name), line.strip()))
        except OSError:
            continue
    return found


def parent_of(pid):
    """None of a process that is gone by now: trials come and go."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


def find(folder, role):
    """The pids of those that have a role; a host's forks, the trials, are none."""
    marks = {"driver": "hpo.ray.driver", "actor": "ray::", "host": "hpo.host.host"}
    actors = [pid for pid, line in ours(folder) if line.startswith("ray::")]
    pids = [pid for pid, line in ours(folder) if marks[role] in line]
    return [pid for pid in pids if parent_of(pid) in actors] if role == "host" else pids


class RayProject(Project):
    """A user's folder whose experiment runs on a cluster."""

    def __init__(self, folder, cluster, *, stored=False, **options):
        overrides = ["backend=ray", f"backend.address={cluster.address}", "grace_period_seconds=3"]
        if stored:
            overrides += [f"backend.storage=file://{folder}/outputs/storage", "backend.sync_seconds=0.1"]
        super().__init__(folder, overrides=overrides, **options)

    def is_at_work(self):
        return len(self.truth()) > 0

    def is_deserted(self):
        return not ours(self.folder)


def replays(project):
    done = forking.run("replay", str(project.directory), cwd=project.folder, env=dict(os.environ))
    return done.returncode == 0


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What one worker decides in a local run that nobody disturbs."""
    project = Project(tmp_path_factory.mktemp("local"))
    assert project.finish() == 0, project.output()
    return decisions(project.directory)


def test_one_worker_decides_on_a_cluster_what_it_decides_here(tmp_path, ray_environment, undisturbed):
    project = RayProject(tmp_path / "p", ray_environment)
    assert project.finish() == 0, project.output()
    check(project)
    assert decisions(project.directory) == undisturbed
    assert replays(project)
    assert not [path for path in project.directory.iterdir() if path.name.startswith((".shared", "host", "ray"))]
    wait_until(project.is_deserted, LEFT, "the end of all processes")


@pytest.mark.parametrize(("victim", "workers"), or_slow(VICTIMS if RUNS else VICTIMS[:2], VICTIMS[1:2]))
def test_after_kill_9_nothing_is_lost_or_doubled_or_left(tmp_path, ray_environment, undisturbed, victim, workers):
    kill(victim, workers, tmp_path, ray_environment, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["node", "tuner", "actor"] if RUNS else ["node"])
def test_the_same_holds_where_nodes_do_not_see_the_directory(tmp_path, ray_environment, undisturbed, victim):
    kill(victim, 1, tmp_path, ray_environment, undisturbed, stored=True)


def kill(victim, workers, tmp_path, ray_environment, undisturbed, **options):
    rng = random.Random(f"{victim} {workers}")
    for number in range(RUNS or 1):
        project = RayProject(tmp_path / str(number), ray_environment, workers=workers, **options)
        tuner = project.start()
        wait_until(project.is_at_work, 60, "the first report")
        time.sleep(rng.random())
        if victim == "tuner":
            tuner.kill()
            tuner.wait()
            wait_until(project.is_deserted, LEFT, f"the end of all processes: {ours(project.folder)}")
            tuner = project.start()
        elif victim == "node":
            ray_environment.remove(ray_environment.nodes[0])
            ray_environment.add(num_cpus=2, num_gpus=2)
        else:
            for pid in find(project.folder, victim)[:1]:
                os.kill(pid, signal.SIGKILL)
        assert tuner.wait(120) == 0, project.output()
        wait_until(project.is_deserted, LEFT, f"the end of all processes: {ours(project.folder)}")
        check(project)
        assert replays(project), project.output()
        if workers == 1:
            assert decisions(project.directory) == undisturbed


@pytest.mark.slow  # Ray waits a minute for its head
def test_when_the_head_is_gone_the_experiment_says_so_and_goes_on_with_another_cluster(
    tmp_path, monkeypatch, undisturbed
):
    if reason := why_not():
        pytest.skip(reason)
    with RayCluster() as cluster:
        for name, value in cluster.environment.items():
            monkeypatch.setenv(name, value)
        cluster.add(num_cpus=2)
        project = RayProject(tmp_path / "p", cluster)
        tuner = project.start()
        wait_until(project.is_at_work, 60, "the first report")
        os.kill(cluster.gcs, signal.SIGKILL)
        begin = time.monotonic()
        tuner.wait(120)
        if tuner.returncode != 0:  # else it was over before Ray noticed
            assert tuner.returncode == 1
            assert "no Ray cluster answers there" in project.output()
            assert time.monotonic() - begin < 90
        wait_until(project.is_deserted, 90, f"the end of all processes: {ours(project.folder)}")
    project.overrides = [word for word in project.overrides if not word.startswith("backend")]
    project.overrides += ["backend=ray", "backend.address=local"]
    assert project.finish() == 0, project.output()
    check(project)
    assert decisions(project.directory) == undisturbed
    assert replays(project)
    wait_until(project.is_deserted, LEFT, f"the end of all processes: {ours(project.folder)}")


QUICK_HEALTH_CHECKS = {
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "500",
    "RAY_health_check_failure_threshold": "4",
}


@pytest.mark.slow  # a cluster of its own, which must be new
@pytest.mark.parametrize("stored", [False, True])
def test_a_node_that_is_silent_is_taken_for_dead_and_does_no_harm_when_it_comes_back(
    tmp_path, monkeypatch, undisturbed, stored
):
    if reason := why_not():
        pytest.skip(reason)
    for name, value in QUICK_HEALTH_CHECKS.items():
        monkeypatch.setenv(name, value)
    with RayCluster() as cluster:
        for name, value in cluster.environment.items():
            monkeypatch.setenv(name, value)
        node = cluster.add(num_cpus=1)
        for number in range(RUNS or 1):
            project = RayProject(tmp_path / str(number), cluster, stored=stored, seconds=0.1)
            node = silence(project, cluster, node)
            assert decisions(project.directory) == undisturbed


def silence(project, cluster, node):
    """Stop the node's raylet while the project's only trial is there. Returns the node that takes its place."""
    tuner = project.start()
    wait_until(project.is_at_work, 60, "the first report")
    os.kill(node["pid"], signal.SIGSTOP)  # its trial goes on, and reports to nobody
    other = cluster.add(num_cpus=1)
    wait_until(lambda: "slots are lost" in project.output(), 90, "the loss of the slot")
    os.kill(node["pid"], signal.SIGCONT)  # it hears that it is dead, and ends
    assert tuner.wait(120) == 0, project.output()
    wait_until(project.is_deserted, 90, f"the end of all processes: {ours(project.folder)}")
    check(project)
    assert replays(project), project.output()
    cluster.nodes.remove(node)
    return other
