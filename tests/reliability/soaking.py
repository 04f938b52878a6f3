"""What a soak needs: an experiment on a disk of its own whose processes can be found, hurt, measured and checked."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from hpo.events.types import Kind
from hpo.host import process_marks
from hpo.results.experiment import load_experiment
from hpo.store.identity import mark_of
from tests.reliability.harness import TRUTHFUL, Project, wait_until

GRACE = 1.0
DISK = 64 << 20

WITH_A_WORKER = (
    """
import os, signal, time
if (worker := os.fork()) == 0:  # as a data loader's: it lives as long as somebody wants it to
    time.sleep(600)
    os._exit(0)
"""
    + TRUTHFUL
    + """
os.kill(worker, signal.SIGKILL)
os.waitpid(worker, 0)
"""
)

CLOCK = '''
"""Wall-clock time that jumps when somebody writes another offset into a file."""
import os, time
def moved(real, unit):
    def now():
        try:
            with open(os.environ["SOAK_CLOCK"]) as file:
                return real() + unit(file.read() or 0)
        except (OSError, ValueError):
            return real()
    return now
time.time = moved(time.time, float)
time.time_ns = moved(time.time_ns, lambda text: int(float(text)) * 10**9)
'''


@dataclass
class Growth:
    """Memory and descriptors of a process over a session, a quarter of a second apart."""

    megabytes: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def look(self, pid: int) -> None:
        """One more sample; none where the process is gone."""
        with contextlib.suppress(OSError):
            count = len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            if pages:
                self.megabytes.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
                self.descriptors.append(count)


def first_and_last(values: list) -> tuple[float, float]:
    """The medians of the first and of the last third."""
    third = max(len(values) // 3, 1)
    return median(values[:third]), median(values[-third:])


class SoakedProject(Project):
    """An experiment that is run in many sessions.

    Args:
        folder: a new one.
        rng: of the soak.
    """

    def __init__(self, folder: Path, rng: random.Random):
        super().__init__(
            *(folder, WITH_A_WORKER),
            workers=2,
            trials=1_000_000,
            seconds=0.03,
            overrides=[f"grace_period_seconds={GRACE}", f"random_seed={rng.randrange(1000)}"],
        )
        self.overrides.remove("random_seed=7")
        self.outputs = folder / "outputs"
        self.outputs.mkdir()
        self.has_own_disk = os.geteuid() == 0 and self._mount()
        (folder / "clock").mkdir()
        (folder / "clock" / "sitecustomize.py").write_text(CLOCK)
        self.offset = folder / "offset"
        self.offset.write_text("0")
        self.directory.mkdir(parents=True)
        self.mark = mark_of(self.directory)

    def _mount(self) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", str(self.outputs)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def unmount(self) -> None:
        """Give the disk back."""
        if self.has_own_disk:
            subprocess.run(["umount", "-l", str(self.outputs)], check=True)

    def start(self) -> subprocess.Popen:
        """The command, with the clock that jumps."""
        path = os.pathsep.join(filter(None, [str(self.folder / "clock"), os.environ.get("PYTHONPATH")]))
        command = [sys.executable, "-m", "hpo", "--config-dir", "conf", *self.overrides]
        with (self.folder / "output").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": path, "SOAK_CLOCK": str(self.offset)},
            )

    # ------------------------------------------------------------------ its processes

    def host(self, tuner: subprocess.Popen) -> int | None:
        """The trial host of a session; None before it is up."""
        return next((pid for pid in self._marked() if parent(pid) == tuner.pid), None)

    def trials(self) -> list[int]:
        """The main processes of running trials."""
        found = {pid: process_marks.get_mark(pid) for pid in self._marked()}
        return [pid for pid, mark in found.items() if mark != self.mark and found.get(parent(pid)) == self.mark]

    def grandchildren(self) -> list[int]:
        """Processes that trials have started."""
        trials = set(self.trials())
        return [pid for pid in self._marked() if parent(pid) in trials]

    def _marked(self) -> list[int]:
        return process_marks.marked(self.mark, whole_experiment=True)

    def wait_for_no_process(self) -> None:
        """Assert that nothing is left running."""
        wait_until(lambda: not self._marked(), 30 + GRACE, "the end of all processes")

    def fill_disk(self) -> None:
        """Not a byte more fits."""
        with (self.outputs / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * (1 << 16))

    def free_disk(self) -> None:
        """As it was before."""
        (self.outputs / "filler").unlink()

    # ------------------------------------------------------------------ what is stored

    def acknowledged(self) -> int:
        """A number that grows with every acknowledged report."""
        path = self.folder / "truth"
        return path.stat().st_size if path.exists() else 0

    def check(self, *, complete: bool = False) -> Counter:
        """Assert that what is stored is true, once there and in order; when complete, that nothing is missing."""
        if not (self.directory / "events.db").exists():
            return Counter()
        experiment = load_experiment(self.directory)
        configurations = {e.trial: e.body["configuration"] for e in experiment.events if e.kind == Kind.STARTED}
        rows = [
            (event.trial, configurations[event.trial]["x"], event.resource, event.body["metrics"]["loss"])
            for event in experiment.events
            if event.kind == Kind.REPORTED
        ]
        twice = [key for key, count in Counter((trial, epoch) for trial, _, epoch, _ in rows).items() if count > 1]
        assert twice == [], "reports are stored twice"
        mixed = [row for row in rows if row[3] != (row[1] - 0.3) ** 2 + 1 / row[2]]
        assert mixed == [], "values under a configuration that did not make them"
        elapsed = [event.elapsed for event in experiment.events]
        assert elapsed == sorted(elapsed), "the experiment's time went backwards"
        counted = Counter(reports=len(rows), trials=len(configurations), acknowledged=0)
        if complete:
            assert experiment.metadata["status"] == "complete"
            assert experiment.state.running == {}
            truth = self.truth()
            lost = set(truth) - set(rows)
            assert lost == set(), "acknowledged reports are lost"
            counted["acknowledged"] = len(truth)
        return counted

    def trials_started(self) -> int:
        """How many trials there are, by their folders."""
        folder = self.directory / "trials"
        return len(os.listdir(folder)) if folder.is_dir() else 0  # noqa: PTH208


def parent(pid: int) -> int | None:
    """Of a process; None where it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def send(pid: int, number: int) -> bool:
    """Signal a process, if it still exists."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def pause(pid: int, seconds: float) -> bool:
    """Hold a process still for a while."""
    if not send(pid, signal.SIGSTOP):
        return False
    time.sleep(seconds)
    return send(pid, signal.SIGCONT)
