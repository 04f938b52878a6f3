"""A trial waits in the local backend until the memory of its GPU is free: real processes, pretended GPUs."""

import contextlib
import json
import logging
import signal
import subprocess
import sys
import threading

import pytest

import hpo
from hpo.backends import gpu_memory
from hpo.backends.gpus import GpuPool
from hpo.backends.local import LocalBackend
from hpo.backends.trial_program import Program
from hpo.config.reading import resolve
from hpo.events.types import Exit, Kind, Placed, Report, Trial
from hpo.history.live_board import Board
from hpo.host import process_marks
from hpo.randomness import Randomness
from hpo.store.directory import ExperimentDirectory
from hpo.store.identity import mark_of
from tests.reliability.harness import wait_until
from tests.reliability.pretended_gpus import TRIAL, pretend

pytestmark = pytest.mark.process


def never(trial):
    return None


@pytest.fixture
def gpus(tmp_path, monkeypatch):
    """Pretends GPUs in this process; returns a benchmark that uses them, and their driver."""

    def make(devices, linger=never):
        driver = pretend(monkeypatch, tmp_path, "gpus", devices, linger)
        monkeypatch.syspath_prepend(tmp_path / "library")
        monkeypatch.delitem(sys.modules, "pynvml", raising=False)
        (tmp_path / "train.py").write_text(TRIAL)
        content = {
            **{"name": "b", "script": str(tmp_path / "train.py"), "metric": "loss", "mode": "min"},
            **{"resource_attr": "epoch", "max_resource_attr": "epochs", "num_gpus_per_trial": 1},
            "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
            "arguments": {"epochs": 9, "seconds": 0.02},
        }
        return content, driver

    yield make
    sys.modules.pop("pynvml", None)


@pytest.fixture
def backend(tmp_path, gpus):
    """Makes a backend in this process, with a driver that never lets go by itself."""
    with contextlib.ExitStack() as after:

        def make(devices):
            content, driver = gpus(devices)
            directory = tmp_path / "experiment"
            directory.mkdir(exist_ok=True)
            config = resolve(hpo.load_config(content, "RS", random_seed=1))
            program = Program(config, ExperimentDirectory(directory), Randomness(1, 0))
            made = LocalBackend(program, GpuPool(list(devices), 1), 0.2)
            after.callback(made.close)
            after.callback(made.kill)
            return made, driver

        yield make


def collect(backend, until, seconds=30.0):
    """Events up to the first for which `until` holds."""
    events = []

    def came():
        events.extend(backend.wait(0.5))
        return any(until(event) for event in events)

    wait_until(came, seconds, "the event")
    return events


def run_to_its_end(backend, trial_id):
    backend.start(Trial(trial_id, {"x": 0.5}), 0, 1)
    return collect(backend, lambda event: isinstance(event, Exit))


def test_while_one_trial_waits_for_memory_reports_of_another_are_taken_in(backend):
    backend, driver = backend("01")
    run_to_its_end(backend, 0)
    backend.start(Trial(1, {"x": 0.5}), 0, 10_000)  # on device 1
    backend.start(Trial(2, {"x": 0.5}), 0, 1)
    reports = []
    wait_until(lambda: reports.extend(backend.wait(0.5)) or len(reports) >= 50, 60, "fifty reports")
    assert reports.pop(0) == Placed(1, 0, ["1"])
    assert {(type(event), event.trial_id) for event in reports} == {(Report, 1)}
    assert [trial for trial, _, _ in driver.begun()] == [0, 1]
    for path in driver.folder.glob("0-*.json"):
        path.unlink()
    later = collect(backend, lambda event: isinstance(event, Report) and event.trial_id == 2)
    assert [event for event in later if isinstance(event, Placed)] == [Placed(2, 0, ["0"])]
    assert driver.begun()[-1] == (2, "0", [])


@pytest.mark.parametrize("end", [lambda backend: backend.stop(1), LocalBackend.kill], ids=["stop", "kill"])
def test_a_trial_that_waits_for_memory_can_be_stopped(backend, end):
    backend, driver = backend("0")
    run_to_its_end(backend, 0)
    backend.start(Trial(1, {"x": 0.5}), 3, 1)
    assert list(backend.wait(0.2)) == []  # and the kernel has told all it had to tell of the first trial
    end(backend)
    assert list(backend.wait(None)) == [Exit(1, 3, None, lost=True)]
    driver.free()
    run_to_its_end(backend, 2)
    assert [trial for trial, _, _ in driver.begun()] == [0, 2]


def marked_process(folder, key):
    """A process of an attempt, and what waits for its end: a dead child that nobody waits for would still be listed."""
    process = subprocess.Popen(["sleep", "600"])
    process_marks.set_mark(mark_of(folder / "experiment") + key, process.pid)
    reaper = threading.Thread(target=process.wait)
    reaper.start()
    return process, reaper


def list_it(folder, process):
    """Have NVML list a process on device 0."""
    path = folder / "gpus" / f"0-{process.pid}.json"
    path.write_text(json.dumps({"pid": process.pid, "trial": 0}))
    return path


def test_memory_of_trials_that_died_with_their_host_is_waited_for(backend, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(gpu_memory, "_sees_all_processes", lambda: False)
    backend, driver = backend("0")
    backend.start(Trial(0, {"x": 0.5}), 0, 10_000)
    collect(backend, lambda event: isinstance(event, Report))
    driver.free()
    late, reaper = marked_process(tmp_path, 1)
    listed = list_it(tmp_path, late)
    backend._host.process.send_signal(signal.SIGKILL)
    assert [e.lost for e in collect(backend, lambda event: isinstance(event, Exit)) if isinstance(e, Exit)] == [True]
    reaper.join()
    backend.start(Trial(0, {"x": 0.5}), 1, 1)
    assert f"GPU 0 is not used yet: it lists memory of process {late.pid} of trial 0" in caplog.text
    assert list(backend.wait(0.2)) == []
    listed.unlink()
    collect(backend, lambda event: isinstance(event, Exit))
    assert driver.begun() == [(0, "0", [])] * 2


def test_memory_of_processes_that_an_earlier_session_left_behind_is_waited_for(backend, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(gpu_memory, "_sees_all_processes", lambda: False)
    (tmp_path / "gpus").mkdir()
    (tmp_path / "experiment").mkdir()
    left_behind, reaper = marked_process(tmp_path, 5)
    listed = list_it(tmp_path, left_behind)
    backend, driver = backend("0")  # sweeps it
    reaper.join()
    assert left_behind.returncode == -signal.SIGTERM
    backend.start(Trial(0, {"x": 0.5}), 0, 1)
    assert f"GPU 0 is not used yet: it lists memory of process {left_behind.pid}" in caplog.text
    assert list(backend.wait(0.2)) == []
    assert driver.begun() == []
    listed.unlink()
    collect(backend, lambda event: isinstance(event, Exit))
    assert driver.begun() == [(0, "0", [])]


def test_the_log_and_its_watchers_know_which_gpu_each_trial_is_on(gpus, tmp_path, caplog):
    content, driver = gpus("01", linger=lambda trial: None if trial == 0 else 0.0)
    config = hpo.load_config(content, "RS", random_seed=1, n_workers=1, max_num_trials=4)
    with driver.at_work():
        hpo.run_experiment(config, tmp_path / "experiment")
    events = hpo.load_experiment(tmp_path / "experiment").events
    notes = [event for event in events if event.kind == Kind.NOTED]
    assert [(note.trial, note.attempt, note.body["devices"]) for note in notes] == [
        (trial, 0, [device]) for trial, device, _ in driver.begun()
    ]
    assert [device for _, device, _ in driver.begun()] == ["0", "1", "1", "1"], (
        "device 0 has been free longest, not clean"
    )
    assert notes[2].body["text"] == "trial 2 is on GPU 1"
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    board = Board(config)
    for event in events:
        board.apply(event)
        if event in notes:
            (row,) = board.workers(event.elapsed)
            assert (row.state.trial.id, row.devices) == (event.trial, *event.body["devices"])
        elif event.kind == Kind.ENDED:
            assert board.gpus == []
