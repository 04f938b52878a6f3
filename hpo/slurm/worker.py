"""The worker inside a Slurm job: `python -m hpo.slurm.worker FOLDER` runs the attempts that the tuner orders, one by one.

waiting/NAME     by the tuner: this attempt waits for a worker; its order is orders/NAME/order.json
claims/NAME      by a job: this job runs the attempt. Only one job can create the file.
control/NAME     by the tuner: this attempt must stop
waiting/closed   by the tuner: it has ended, so idle workers end too
workers/JOB      by a job: it has begun

SIGUSR2  the time limit is near          -> the trial gets its grace and continues in another job
SIGTERM  pre-emption, scancel            -> the same
"""

import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from hpo.backends.jobs.folder_place import FolderPlace
from hpo.backends.jobs.job_slot import JobSlot
from hpo.backends.jobs.object_names import ObjectNames
from hpo.config.reading import read_config
from hpo.errors import HPOError, print_error

log = logging.getLogger("hpo.slurm.worker")  # also if this module is __main__

EXPERIMENT, WORKER = "experiment.yaml", "worker.json"
CLOSED = "closed"
LOOK_AT_CONTROL = 0.5
"""Seconds between two checks whether a running attempt must stop."""
EAGER, EAGER_LOOK = 3.0, 0.05
"""Seconds after an attempt in which a worker looks for the next one more often, and seconds between two such looks."""


@dataclass(frozen=True)
class WorkerSettings:
    """Limits and intervals that the tuner gives to a worker."""

    trials: int | None
    """Number of attempts after which the worker ends; None is no limit."""
    idle_seconds: float
    """Seconds without an attempt after which the worker ends."""
    look_seconds: float
    """Seconds between two looks for a waiting attempt."""

    def to_json(self) -> bytes:
        """Return the settings as JSON for `from_json`."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, text: bytes) -> "WorkerSettings":
        """Return the settings that `to_json` wrote."""
        return cls(**json.loads(text))


class Worker:
    """A process that runs the attempts of one Slurm job.

    Args:
        root: Folder that the tuner and all workers share.
        work: Folder of this job alone, for the trials' files.
        job: Slurm's name of the job.
        node: Name of the machine.
    """

    def __init__(self, root: Path, work: Path, job: str, node: str) -> None:
        self._place, self._names, self._job = FolderPlace(root), ObjectNames(""), job
        self._settings = WorkerSettings.from_json((root / WORKER).read_bytes())
        self._slot = JobSlot(read_config(root / EXPERIMENT), self._place, self._names, work, node=f"{node} (job {job})")
        self._leaving = False

    def leave(self, *_: object) -> None:
        """Stop the running attempt, after its trial's grace period, and start no other."""
        self._leaving = True
        self._slot.stop()

    def run(self) -> None:
        """Run attempts until there is nothing to do, or the job must end.

        Raises:
            HPOError: Attempts cannot be run on this node.
        """
        self._place.write(f"workers/{self._job}", b"")
        taken, idle_since = 0, time.monotonic()
        with self._slot:
            while not self._leaving and taken != self._settings.trials:
                idle = time.monotonic() - idle_since
                if (name := self._claim()) is not None:
                    self._attempt(name)
                    taken, idle_since = taken + 1, time.monotonic()
                elif name is None and (idle > self._settings.idle_seconds or self._closed):
                    return
                else:
                    time.sleep(min(EAGER_LOOK if idle < EAGER else 1.0, self._settings.look_seconds))

    def _claim(self) -> str | None:
        """Claim a waiting attempt for this job and return its name; None if none waits."""
        names = [item.key.partition("/")[2] for item in self._place.list("waiting/")]
        self._closed = CLOSED in names
        for name in sorted(names):
            if name != CLOSED and not self._leaving:
                mine = self._place.create(f"claims/{name}", self._job.encode())
                self._place.remove([f"waiting/{name}"])
                if mine:
                    return name
        return None

    def _attempt(self, name: str) -> None:
        log.info("attempt %s begins", name)
        order = json.loads(self._place.read(f"{self._names.order(name)}order.json"))
        control = f"control/{name}"
        end = self._slot.run(order, asked=lambda: any(self._place.list(control)), look=LOOK_AT_CONTROL)
        log.info("attempt %s has ended with exit code %s, signal %s", name, end.exit_code, end.signal)


def main(root: Path) -> int:
    """Run a worker in the shared folder and return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    work = Path(tempfile.mkdtemp(prefix=f"hpo-{job}-"))
    try:
        worker = Worker(root, work, job, os.environ.get("SLURMD_NODENAME", ""))
        for number in (signal.SIGTERM, signal.SIGUSR2, signal.SIGINT):
            signal.signal(number, worker.leave)
        worker.run()
    except HPOError as error:
        print_error(error)
        return 1
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    code = main(Path(sys.argv[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a thread that still copies an older checkpoint is not waited for
