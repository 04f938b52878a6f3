"""T11, two hosts: a shared file system on which the kernel lock of one host does not reach the other.

Two FUSE mounts of one folder are such a file system: each has its own locks. The second host is a process with a host
name and a boot id of its own. Only the time between signs of life is shorter than a user's.
"""

import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

from hpo.results.experiment import load_experiment
from tests.reliability.harness import RUNS, Project, wait_until
from tests.support import debian

BEAT = 0.5
TUNER = (
    "import sys; from hpo.store import ownership; ownership.BEAT = float(sys.argv.pop(1)); "
    "from hpo.__main__ import main; main()"
)
SECOND = 'hostname second && mount --bind "$1" /proc/sys/kernel/random/boot_id && shift && exec "$@"'


def refusal(output):
    """(host, pid) of the owner that a refusal names."""
    found = re.search(r"hpo: error: .*another tuner works here \(host (\S+), pid (\d+), since [^)]+\)", output)
    assert found is not None, output
    return found[1], int(found[2])


class Hosts:
    """Two hosts that see one folder, each through a mount of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.names = [os.uname().nodename, "second"]
        self.mounts = [folder / "first", folder / "second"]
        self.boot_id = folder / "boot_id"
        self.boot_id.write_text("another machine\n")
        (folder / "real").mkdir()
        for mount in self.mounts:
            mount.mkdir()
            subprocess.run(["bindfs", "-o", "subtype=bindfs", folder / "real", mount], check=True, capture_output=True)
        overrides = ["method=RS", "benchmark.arguments.epochs=100000", "grace_period_seconds=1"]
        self.project = Project(self.mounts[0] / "user", trials=1, overrides=overrides)
        self.directory = folder / "real" / "user" / "outputs" / "t" / "truth" / "RS" / "seed_0"
        self.started = []

    def start(self, host, beat=BEAT):
        """The command on one of the hosts."""
        command = [sys.executable, "-c", TUNER, str(beat), "--config-dir", "conf", *self.project.overrides]
        if host == 1:
            command = ["unshare", "--mount", "--uts", "sh", "-c", SECOND, "sh", str(self.boot_id), *command]
        with (self.folder / f"output.{len(self.started)}").open("wb") as log:
            tuner = subprocess.Popen(command, cwd=self.mounts[host] / "user", stdout=log, stderr=log)
        self.started.append(tuner)
        return tuner

    def output(self, tuner):
        """All that a tuner has printed."""
        return (self.folder / f"output.{self.started.index(tuner)}").read_text()

    def attempts(self):
        """How many attempts of the trial there are."""
        return len(list(self.directory.glob("trials/*/attempt_*/reports.jsonl")))

    def begun(self, host, beat=BEAT):
        """A tuner on one of the hosts that has begun an attempt of the trial."""
        before = self.attempts()
        tuner = self.start(host, beat)
        wait_until(lambda: self.attempts() > before or tuner.poll() is not None, 60, "an attempt")
        assert tuner.poll() is None, self.output(tuner)
        return tuner

    def close(self):
        """End all tuners and unmount."""
        for tuner in self.started:
            tuner.kill()
            tuner.wait()
        for mount in self.mounts:  # trials of a killed tuner are still there for a moment
            wait_until(
                lambda mount=mount: subprocess.run(["umount", mount], capture_output=True, check=False).returncode == 0,
                30,
                "the end of all that uses the mount",
            )


@pytest.fixture
def hosts(tmp_path):
    """Two hosts."""
    if missing := debian.install(["bindfs", "unshare", "mount"], ["bindfs", "util-linux", "mount"]):
        pytest.skip(missing)
    can = subprocess.run(["unshare", "--mount", "--uts", "hostname", "second"], capture_output=True, check=False)
    if can.returncode != 0 or not os.access("/dev/fuse", os.W_OK):
        pytest.skip("this user may not mount FUSE file systems or have host names of its own")
    made = Hosts(tmp_path)
    try:
        yield made
    finally:
        made.close()
    shutil.rmtree(tmp_path / "real")


@pytest.mark.timeout(900)
def test_an_owner_on_another_host_is_found_alive_or_gone(hosts):
    """Alive: the second host is refused. Killed: it starts, after it has looked for signs of life. Both ways round."""
    owner = hosts.begun(0)
    for run in range(RUNS or 1):
        here, there = run % 2, 1 - run % 2
        second = hosts.start(there)
        assert second.wait(60) == 1
        assert refusal(hosts.output(second)) == (hosts.names[here], owner.pid)
        assert owner.poll() is None
        owner.kill()
        owner.wait()
        owner = hosts.begun(there)
    owner.terminate()
    assert owner.wait(60) == 143
    opened = [e.body["host"] for e in load_experiment(hosts.directory).events if e.kind == "opened"]
    assert opened == [hosts.names[n % 2] for n in range((RUNS or 1) + 1)], "one after the other, none that was refused"


@pytest.mark.timeout(600)
def test_nobody_waits_for_an_owner_that_ended_in_order_or_was_of_the_same_host(hosts):
    """An hour between signs of life: whoever waits for one does not begin in this test's time."""
    first = hosts.begun(0, beat=3600)
    first.terminate()
    assert first.wait(60) == 143
    second = hosts.begun(1, beat=3600)
    second.kill()
    second.wait()
    hosts.begun(1, beat=3600)


@pytest.mark.timeout(600)
def test_an_owner_that_was_held_up_and_overtaken_ends_at_once(hosts):
    first = hosts.begun(0)
    first.send_signal(signal.SIGSTOP)
    second = hosts.begun(1)
    first.send_signal(signal.SIGCONT)
    assert first.wait(60) == 1
    output = hosts.output(first)
    assert f"host second, pid {second.pid} works here, too" in output
    assert "Traceback" not in output
    assert second.poll() is None


@pytest.mark.timeout(600)
def test_of_two_that_begin_at_the_same_time_one_goes_on(hosts):
    for run in range(RUNS // 2 or 1):  # the first time in an empty directory, then in one that its owner was killed in
        both = [hosts.start(0), hosts.start(1)]
        wait_until(lambda both=both: any(tuner.poll() is not None for tuner in both), 60, "the end of one")
        loser, owner = sorted(both, key=lambda tuner: tuner.poll() is None)
        assert loser.poll() == 1, hosts.output(loser)
        assert refusal(hosts.output(loser)) == (hosts.names[both.index(owner)], owner.pid)
        wait_until(lambda run=run: hosts.attempts() == run + 1, 30, "an attempt of the one that goes on")
        assert owner.poll() is None
        owner.kill()
        owner.wait()
    last = hosts.begun(0)
    last.terminate()
    assert last.wait(60) == 143
    assert load_experiment(hosts.directory).state.sessions == run + 2, "of each pair one has worked in the directory"
