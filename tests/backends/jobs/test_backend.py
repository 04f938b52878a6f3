"""A third platform, as somebody would add it: a job is a process of this machine, the place a folder."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import hpo
from hpo.backends.jobs.backend import JobBackend, Platform
from hpo.backends.jobs.folder_place import FolderPlace
from hpo.backends.jobs.job_slot import JobSlot
from hpo.backends.jobs.object_names import ObjectNames
from hpo.backends.jobs.protocols import Intervals, JobPhase, JobRequest, JobStatus, Refused, Submitted
from hpo.config.reading import load_config, read_config, resolve, to_yaml
from hpo.config.schema import BACKENDS
from hpo.events.types import Exit, Placed, Report, Trial
from hpo.store.directory import ExperimentDirectory
from tests.backends.test_backends import SCRIPT
from tests.reliability.test_kill import decisions
from tests.support import backend_contract
from tests.support.backend_contract import BackendContract, listen, resources

pytestmark = pytest.mark.process

# ------------------------------------------------------------------ the adapter: what a platform has to write


class Processes:
    """A job service whose jobs are processes of this machine, at most `quota` of them."""

    def __init__(self, root: Path, quota: int) -> None:
        self._root, self._quota = root, quota
        self._jobs: dict[str, subprocess.Popen[bytes]] = {}

    def submit(self, requests: Sequence[JobRequest]) -> Iterator[Submitted | Refused]:
        """Start processes; a file tells whether an earlier session has started one."""
        for request in requests:
            started = self._root / f"{request.name(0)}.started"
            if started.exists():
                yield Submitted(str(started), new=False, status=self._status(str(started)))
            elif sum(job.poll() is None for job in self._jobs.values()) >= self._quota:
                yield Refused("all processes are in use")
            else:
                command = [sys.executable, "-m", __spec__.name, str(self._root), request.order]
                job = self._jobs[str(started)] = subprocess.Popen(command, cwd=Path(hpo.__file__).parents[1])
                started.write_text(str(job.pid))
                yield Submitted(str(started), new=True, status=JobStatus(JobPhase.RUNNING))

    def describe(self, jobs: Sequence[str]) -> Mapping[str, JobStatus]:
        """Look whether the processes are there."""
        return {job: self._status(job) for job in jobs}

    def _status(self, job: str) -> JobStatus:
        own = self._jobs.get(job)
        running = own.poll() is None if own is not None else Path(f"/proc/{Path(job).read_text()}").exists()
        return JobStatus(JobPhase.RUNNING) if running else JobStatus(JobPhase.ENDED, "its process is gone")

    def stop(self, job: str) -> None:
        """Send SIGTERM."""
        if self._status(job).phase == JobPhase.RUNNING:
            os.kill(int(Path(job).read_text()), signal.SIGTERM)

    def release(self, job: str) -> None:
        """Nothing is known of a job that could be forgotten."""

    def close(self) -> None:
        """Wait for the processes that were stopped."""
        for job in self._jobs.values():
            job.wait(20)


class ProcessBackend(JobBackend):
    """Runs each attempt in a process of its own."""

    options = ("quota",)

    @classmethod
    def open(cls, config, files, *, quota: int = 8):
        """See `Backend.open`."""
        made = cls(config, files, Intervals(look=0.1, silence=1.0, refusal=0.3, checkpoint=0.5))
        made.quota = quota
        return made

    def connect(self, whose: str) -> Platform:
        """The folder of the experiment, and processes that work there."""
        root = self._files.path / whose[:8]
        root.mkdir(parents=True, exist_ok=True)
        local = {"name": "local", "_target_": BACKENDS["local"]}
        (root / "experiment.yaml").write_text(to_yaml(replace(self._config, backend=local, n_workers=1)))
        order = {"sync_seconds": self._intervals.checkpoint}
        return Platform(Processes(root, self.quota), FolderPlace(root), ObjectNames(""), order)


def run_job(root: Path, order: str) -> None:
    """What a job does."""
    place = FolderPlace(root)
    told = json.loads(place.read(f"{order}order.json"))
    config = read_config(root / "experiment.yaml")
    with JobSlot(config, place, ObjectNames(""), root / "work" / told["name"]) as slot:
        signal.signal(signal.SIGTERM, slot.stop)
        slot.run(told)


if __name__ == "__main__":
    run_job(Path(sys.argv[1]), sys.argv[2])

# ------------------------------------------------------------------ its tests


def config_of(folder, script=SCRIPT, *, method="RS", backend=(), **keys):
    (folder / "train.py").write_text(script)
    benchmark = {
        "name": "b",
        "script": str(folder / "train.py"),
        "metric": "loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "epochs",
        "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
        "arguments": {"epochs": 9},
        "num_gpus_per_trial": 0,
    }
    spec = {"name": "mine", "_target_": f"{__name__}.ProcessBackend", **dict(backend)}
    keys = {"random_seed": 1, "grace_period_seconds": 5.0, "trusted_modules": ["tests"], **keys}
    return resolve(load_config(benchmark, method, backend=spec, **keys))


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Opens backends whose jobs are ended with the test."""
    monkeypatch.setattr(backend_contract, "PATIENCE", 60.0)
    made = []

    def open_one(script=SCRIPT, quota=8):
        made.append(ProcessBackend.open(config_of(tmp_path, script), ExperimentDirectory(tmp_path / "e"), quota=quota))
        return made[-1]

    yield open_one
    for backend in made:
        backend.kill()
        backend.close()


@pytest.mark.slow  # a process for each job takes a second to begin; the suite runs the contract on Slurm and SageMaker
class TestAThirdPlatform(BackendContract):
    @pytest.fixture
    def backend(self, opened):
        return opened()

    @pytest.fixture
    def configuration(self):
        return {"x": 0.5}


def test_its_adapter_is_short():
    lines = Path(__file__).read_text().split("# " + "-" * 66)[1].splitlines()
    assert len([line for line in lines if line.strip()]) <= 150


def test_a_whole_experiment_decides_as_a_local_run_does(tmp_path):
    keys = {"max_num_trials": 3, "n_workers": 1, "method": "ASHA"}
    config = config_of(tmp_path, **keys)
    hpo.run_experiment(config, tmp_path / "there")
    local = {"name": "local", "_target_": BACKENDS["local"]}
    hpo.run_experiment(replace(config, backend=local), tmp_path / "here")
    assert decisions(tmp_path / "there") == decisions(tmp_path / "here")


def test_an_attempt_whose_job_dies_is_lost_and_the_next_goes_on_from_what_was_saved(opened):
    backend, trial = opened(SCRIPT.replace("0.02", "0.4")), Trial(0, {"x": 0.5})
    backend.start(trial, 0, None)
    events = []
    while len(resources(events)) < 3:
        events += backend.wait(1.0)
    placed = next(event for event in events if isinstance(event, Placed))
    os.kill(int(Path(placed.node).read_text()), signal.SIGKILL)
    events += listen(backend)
    assert (events[-1].lost, events[-1].error) == (True, "its process is gone")
    backend.start(trial, 1, 9)
    again = resources(listen(backend))
    assert 1 < again[0] <= resources(events)[-1] + 1
    assert again[-1] == 9


def test_trials_wait_while_there_is_no_room_and_a_later_session_adopts_those_that_run(opened):
    slowly = SCRIPT.replace("0.02", "0.3")
    first = opened(slowly, quota=1)
    for trial_id in range(2):
        first.start(Trial(trial_id, {"x": 0.5}), 0, 4)
    events = []
    while not (resources(events) and first.waiting_for_capacity):
        events += first.wait(1.0)
    assert [first.holds(trial_id) for trial_id in range(2)] == [False, True]
    known = next(event for event in events if isinstance(event, Report))
    first._attempts._by_name.clear()  # as if it were killed: nothing of its jobs is stopped
    first._attempts._by_trial.clear()
    second = opened(slowly)
    assert second.adopt(Trial(0, {"x": 0.5}), 0, 4, known.position)
    events = listen(second)
    assert resources(events) == [2, 3, 4]
    assert [event.exit_code for event in events if isinstance(event, Exit)] == [0]
