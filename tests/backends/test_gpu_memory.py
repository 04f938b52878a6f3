"""GPUs whose memory is not free yet: whose listed pids count, with real processes and a stand-in for nvidia-ml-py."""

import subprocess
import sys
import types

import pytest

from hpo.backends import gpu_memory
from hpo.backends.gpu_memory import CleanGpus
from hpo.backends.gpus import GpuPool
from hpo.errors import BackendError
from hpo.host import process_marks

pytestmark = pytest.mark.process

EXPERIMENT = 1 << 61 | 77 << 24
"""A mark as `marks.experiment_mark` makes them; attempts have this plus 1, 2 and so on."""


class Listed(dict):
    """Pids that a stand-in for nvidia-ml-py lists, by device; and real processes to list."""

    def __init__(self):
        super().__init__()
        self.processes = []

    def process(self, mark=None):
        """A process that runs, of an attempt of the experiment or of somebody else."""
        self.processes.append(subprocess.Popen(["sleep", "600"]))
        if mark is not None:
            process_marks.set_mark(mark, self.processes[-1].pid)
        return self.processes[-1]

    def end(self, process):
        """End it; its number is nobody's then."""
        process.kill()
        process.wait()
        return process.pid


@pytest.fixture
def listed(monkeypatch):
    found = Listed()
    library = types.ModuleType("pynvml")
    library.NVMLError = type("NVMLError", (Exception,), {})
    library.nvmlInit = lambda: None
    library.nvmlDeviceGetHandleByIndex = str
    library.nvmlDeviceGetComputeRunningProcesses = lambda handle: [
        types.SimpleNamespace(pid=pid, usedGpuMemory=None) for pid in found.get(handle, ())
    ]
    monkeypatch.setitem(sys.modules, "pynvml", library)
    monkeypatch.setattr(gpu_memory, "_sees_all_processes", lambda: False)
    yield found
    for process in found.processes:
        found.end(process)


def ended_trial(gpus, listed, trial=0):
    """A trial on device 0 whose process has ended and is listed all the same; its pid."""
    mark = EXPERIMENT + 1 + trial
    assert gpus.acquire(trial, mark)[0] == "0"
    process = listed.process(mark)
    listed["0"] = {process.pid}
    gpus.learn_pids(trial)
    listed.end(process)
    gpus.release(trial)
    return process.pid


def test_a_gpu_is_handed_on_when_the_process_of_its_last_trial_is_listed_no_more(listed):
    gpus = CleanGpus(GpuPool(["0"], 1), EXPERIMENT)
    ended_trial(gpus, listed)
    assert gpus.acquire(1, EXPERIMENT + 2) is None
    assert 0 < gpus.shorten(None) <= 0.05
    listed["0"] = set()
    assert gpus.acquire(1, EXPERIMENT + 2) == ["0"]
    assert gpus.shorten(None) is None


def test_a_gpu_whose_memory_is_free_is_preferred(listed):
    gpus = CleanGpus(GpuPool(["0", "1", "2"], 1), EXPERIMENT)
    ended_trial(gpus, listed)
    assert [gpus.acquire(trial, EXPERIMENT + 1 + trial) for trial in (1, 2)] == [["1"], ["2"]]
    gpus.release(1)  # device 0 has been free longer
    assert gpus.acquire(3, EXPERIMENT + 4) == ["1"]


def test_a_living_process_holds_a_gpu_back_if_its_attempt_has_ended_and_not_if_it_runs(listed):
    gpus = CleanGpus(GpuPool(["0", "1"], 1), EXPERIMENT)
    gpus.acquire(0, EXPERIMENT + 1)
    running, over = listed.process(EXPERIMENT + 1), listed.process(EXPERIMENT + 9)
    listed["1"] = {running.pid, over.pid}
    assert gpus.acquire(1, EXPERIMENT + 2) is None
    listed["1"] = {running.pid}
    assert gpus.acquire(1, EXPERIMENT + 2) == ["1"]


def test_processes_of_others_hold_nothing_back(listed):
    gpus = CleanGpus(GpuPool(["0"], 1), EXPERIMENT)
    desktop, experiment = listed.process(), listed.process(EXPERIMENT + (1 << 24) + 1)
    listed["0"] = {desktop.pid, experiment.pid, 1, listed.end(listed.process())}
    for trial in range(3):
        assert gpus.acquire(trial, EXPERIMENT + 1 + trial) == ["0"]
        gpus.learn_pids(trial, at_once=True)
        gpus.release(trial)


def test_a_number_that_somebody_else_has_by_now_holds_nothing_back(listed):
    gpus = CleanGpus(GpuPool(["0"], 1), EXPERIMENT)
    gpus.acquire(0, EXPERIMENT + 1)
    process = listed.process(EXPERIMENT + 1)
    listed["0"] = {process.pid}
    gpus.learn_pids(0)
    process_marks.set_mark(-1, process.pid)  # as if the number were given to a new process
    gpus.release(0)
    assert gpus.acquire(1, EXPERIMENT + 2) == ["0"]


def test_where_all_processes_are_seen_an_ended_one_that_came_with_the_trial_holds_its_gpu_back(listed, monkeypatch):
    monkeypatch.setattr(gpu_memory, "_sees_all_processes", lambda: True)
    gpus = CleanGpus(GpuPool(["0"], 1), EXPERIMENT)
    before = listed.process()
    listed["0"] = {before.pid}
    gpus.acquire(0, EXPERIMENT + 1)
    after = listed.process(EXPERIMENT + 1)
    listed["0"] = {listed.end(before), listed.end(after)}
    gpus.release(0)
    assert gpus.acquire(1, EXPERIMENT + 2) is None
    listed["0"] = {before.pid}
    assert gpus.acquire(1, EXPERIMENT + 2) == ["0"]


def test_a_gpu_in_quarantine_is_not_used_and_comes_back_when_it_is_free(listed, monkeypatch, caplog):
    monkeypatch.setattr(gpu_memory, "PATIENCE", 0.0)
    gpus = CleanGpus(GpuPool(["0", "1"], 1), EXPERIMENT)
    pid = ended_trial(gpus, listed, trial=4)
    assert gpus.acquire(1, EXPERIMENT + 2) == ["1"]
    assert gpus.acquire(2, EXPERIMENT + 3) is None
    assert gpus.capacity == 1
    assert gpus.shorten(None) > 1, "it is looked at seldom"
    assert gpus.acquire(2, EXPERIMENT + 3) is None
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert warnings[0].startswith("GPU 0 is in quarantine")
    assert f"process {pid} of trial 4" in warnings[0]
    listed["0"] = set()
    gpus.release(1)
    assert gpus.capacity == 2
    assert gpus.due
    assert {name for trial in (2, 3) for name in gpus.acquire(trial, EXPERIMENT + 3 + trial)} == {"0", "1"}


@pytest.mark.parametrize(("devices", "per_trial"), [("0", 1), ("01", 2)])
def test_when_too_few_gpus_are_left_for_a_trial_the_error_names_key_and_holder(listed, monkeypatch, devices, per_trial):
    monkeypatch.setattr(gpu_memory, "PATIENCE", 0.0)
    gpus = CleanGpus(GpuPool(list(devices), per_trial), EXPERIMENT)
    pid = ended_trial(gpus, listed)
    says = rf"num_gpus_per_trial={per_trial}: .*GPU 0: process {pid} of trial 0.*gpus_to_use"
    with pytest.raises(BackendError, match=says):
        gpus.acquire(1, EXPERIMENT + 2)


def test_memory_of_an_ended_process_that_was_perhaps_never_ours_delays_the_first_trial_and_no_more(
    listed, monkeypatch, caplog
):
    monkeypatch.setattr(gpu_memory, "_sees_all_processes", lambda: True)
    listed["0"] = {listed.end(listed.process())}
    gpus = CleanGpus(GpuPool(["0"], 1), EXPERIMENT)
    assert gpus.acquire(0, EXPERIMENT + 1) is None
    monkeypatch.setattr(gpu_memory, "PATIENCE", 0.0)
    assert gpus.acquire(0, EXPERIMENT + 1) == ["0"]
    assert "GPU 0 is used although" in caplog.text
    gpus.release(0)
    assert gpus.acquire(1, EXPERIMENT + 2) == ["0"]


def test_an_nvml_that_fails_holds_nothing_back(listed, monkeypatch):
    gpus = CleanGpus(GpuPool(["0"], 1), EXPERIMENT)
    ended_trial(gpus, listed)
    assert gpus.acquire(1, EXPERIMENT + 2) is None
    library = sys.modules["pynvml"]

    def fail(_handle):
        raise library.NVMLError("Not Supported")

    monkeypatch.setattr(library, "nvmlDeviceGetComputeRunningProcesses", fail)
    assert gpus.acquire(1, EXPERIMENT + 2) == ["0"]


def test_without_nvidia_ml_py_a_gpu_is_handed_on_at_once(listed, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    gpus = CleanGpus(GpuPool(["0"], 1), EXPERIMENT)
    ended_trial(gpus, listed)
    assert gpus.acquire(1, EXPERIMENT + 2) == ["0"]


def test_nvml_is_not_asked_for_trials_without_gpus(monkeypatch):
    library = types.ModuleType("pynvml")
    asked = []
    library.nvmlInit = lambda: asked.append("init")
    monkeypatch.setitem(sys.modules, "pynvml", library)
    gpus = CleanGpus(GpuPool([], 0), EXPERIMENT)
    assert gpus.acquire(0, EXPERIMENT + 1) == []
    gpus.learn_pids(0, at_once=True)
    gpus.release(0)
    assert asked == []
