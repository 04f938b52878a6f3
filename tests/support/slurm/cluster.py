"""A private Slurm of two pretended nodes with four pretended GPUs each. To see it: `python -m tests.support.slurm.cluster`.

munged, slurmctld and one slurmd per node run in this machine, on free ports and in one temporary folder; nothing outside
it is touched, and `stop` ends all processes. Root is needed: slurmd starts jobs
for others, and the GPUs are device nodes. There is no accounting, so `sacct` is of no use: what is built here is the
least that a cluster can offer.
"""

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support import debian

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "sinfo")
NODES = ("n1", "n2")
GPUS = 4

CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1,sched_min_interval=0,batch_sched_delay=0,defer_batch
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
KillWait=20
MinJobAge=10
JobRequeue=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=4 RealMemory=8000 Gres=gpu:{gpus} State=UNKNOWN
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=4 RealMemory=8000 Gres=gpu:{gpus} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10
"""


def install() -> str | None:
    """Have Slurm installed. Returns why it cannot be had, None when it is there."""
    if os.geteuid() != 0:
        return "a private Slurm needs root: slurmd starts jobs, and pretended GPUs are device nodes"
    return debian.install(PROGRAMS, ("slurm-wlm", "munge"))


class Cluster:
    """The daemons, and the environment in which Slurm's commands speak to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf")}
        self._daemons: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start everything and wait until both nodes take jobs."""
        (self.folder / "state").mkdir(parents=True)
        self._configure()
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        names = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        self._daemon("munged", "-F", "-f", *(f"--{option}={self.folder}/munge.{end}" for option, end in names.items()))
        wait_until((self.folder / "munge.socket").exists, what="munged's socket")
        self._daemon("slurmctld", "-D", "-c")
        for node in NODES:
            self._daemon("slurmd", "-D", "-c", "-N", node)
        wait_until(lambda: self.states() == {"idle"}, what=f"Slurm ({self.folder}/slurmctld.log)")

    def stop(self) -> None:
        """End all jobs and daemons."""
        with contextlib.suppress(subprocess.SubprocessError):
            self.call("scancel", "--full", "--signal=KILL", "--user=root")
            self.call("scancel", "--user=root")
            wait_until(lambda: not self.call("squeue", "-h").strip(), seconds=10, what="the end of the jobs")
        for daemon in reversed(self._daemons):
            daemon.terminate()
        for daemon in reversed(self._daemons):
            try:
                daemon.wait(timeout=10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def call(self, *command: str) -> str:
        """Run one of Slurm's commands."""
        environment = {**os.environ, **self.environment}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=30).stdout

    def states(self) -> set[str]:
        """What sinfo says of the nodes; empty while nobody answers."""
        try:
            return set(self.call("sinfo", "-h", "-N", "-p", "main", "-o", "%T").split())
        except subprocess.SubprocessError:
            return set()

    def _configure(self) -> None:
        for index in range(GPUS):
            device = self.folder / f"gpu{index}"
            os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))  # /dev/null under another name
        text = CONFIGURATION.format(folder=self.folder, host=socket.gethostname(), ports=free_ports(3), gpus=GPUS)
        (self.folder / "slurm.conf").write_text(text)
        devices = f"{self.folder}/gpu[0-{GPUS - 1}]"
        (self.folder / "gres.conf").write_text(f"NodeName=n[1-2] Name=gpu File={devices}\n")
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n")

    def _daemon(self, *command: str) -> None:
        # The daemons end with this process, however it ends.
        bound = ["setpriv", "--pdeathsig", "TERM", *command]
        with (self.folder / f"{command[0]}.out").open("ab") as log:
            daemon = subprocess.Popen(
                bound,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._daemons.append(daemon)


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def wait_until(condition, seconds=30.0, what="it"):
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not come about in {seconds} s"
        time.sleep(0.05)
    return found


@contextlib.contextmanager
def private_slurm() -> Iterator[Cluster]:
    """A cluster in a folder of its own under /tmp, for paths of sockets must be short."""
    with tempfile.TemporaryDirectory(prefix="hpo-slurm-", dir="/tmp") as folder:
        cluster = Cluster(Path(folder))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


if __name__ == "__main__":
    reason = install()
    if reason is not None:
        sys.exit(reason)
    with private_slurm() as shown:
        sys.stdout.write(f"export SLURM_CONF={shown.environment['SLURM_CONF']}\n" + shown.call("sinfo", "-N", "-l"))
        sys.stdout.flush()
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
