"""What runs in a Slurm job: `python -m hpo.slurm.worker FOLDER` runs the attempts that the tuner has ordered, one by one.

waiting/NAME     the tuner: this attempt is to run; its order is orders/NAME/order.json
claims/NAME      a job: this attempt is mine. It is created by one job only.
control/NAME     the tuner: this attempt is to stop
waiting/closed   the tuner has ended: so do workers that have nothing to do
workers/JOB      a job has begun

SIGUSR2  the time limit is near          -> the trial gets its grace and goes on in another job
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
"""Seconds between two looks whether a running attempt is to stop."""
EAGER, EAGER_LOOK = 3.0, 0.05
"""So long after an attempt its worker looks for the next one so often: the tuner is just deciding."""


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker is told."""

    trials: int | None
    """Attempts after which it ends; None is no limit."""
    idle_seconds: float
    """Seconds without an attempt after which it ends."""
    look_seconds: float
    """Seconds between two looks for an attempt."""

    def to_json(self) -> bytes:
        """Return the settings as `from_json` reads them."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, text: bytes) -> "WorkerSettings":
        """Return the settings that a text holds."""
        return cls(**json.loads(text))


class Worker:
    """Runs attempts in one job.

    Args:
        root: Folder that the tuner and all workers see.
        work: Folder of this job alone, for the trials' files.
        job: The job as Slurm names it.
        node: The machine.
    """

    def __init__(self, root: Path, work: Path, job: str, node: str) -> None:
        self._place, self._names, self._job = FolderPlace(root), ObjectNames(""), job
        self._settings = WorkerSettings.from_json((root / WORKER).read_bytes())
        self._slot = JobSlot(read_config(root / EXPERIMENT), self._place, self._names, work, node=f"{node} (job {job})")
        self._leaving = False

    def leave(self, *_: object) -> None:
        """End the running attempt, after its trial has had its grace, and take no other."""
        self._leaving = True
        self._slot.stop()

    def run(self) -> None:
        """Run attempts until there is nothing to do, or the job has to end.

        Raises:
            HPOError: Attempts cannot be run here.
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
        """Return an attempt that is now this job's, if one waits."""
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
    """Be a worker. Returns the exit code."""
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
