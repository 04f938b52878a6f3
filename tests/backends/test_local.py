"""The local backend with real processes: reports, exits, a host that dies, attempts of earlier sessions."""

import errno
import json
import os
import signal
import time

import pytest
from inotify_simple import INotify

import hpo
from hpo.backends.gpus import GpuPool
from hpo.backends.local import LocalBackend
from hpo.backends.trial_program import Program
from hpo.config.reading import resolve
from hpo.errors import BackendError
from hpo.events.types import CommandSignal, Exit, Garbage, Placed, Report, Trial
from hpo.host import process_marks
from hpo.randomness import Randomness
from hpo.store.directory import ExperimentDirectory
from hpo.store.identity import mark_of

pytestmark = pytest.mark.process

SECONDS = 20.0


def make(folder, script, *, devices=(), per_trial=0, grace=5.0, **benchmark):
    (folder / "train.py").write_text(script)
    content = {
        "name": "b",
        "script": str(folder / "train.py"),
        "metric": "loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "epochs",
        "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
        "arguments": {"epochs": 9},
        "num_gpus_per_trial": per_trial,
        **benchmark,
    }
    config = resolve(hpo.load_config(content, "RS", random_seed=1))
    directory = folder / "experiment"
    directory.mkdir(exist_ok=True)
    program = Program(config, ExperimentDirectory(directory), Randomness(1, 0))
    return LocalBackend(program, GpuPool(list(devices), per_trial), grace)


@pytest.fixture
def backend(request, tmp_path):
    made = make(tmp_path, **request.param) if isinstance(request.param, dict) else make(tmp_path, request.param)
    yield made
    made.kill()
    made.close()
    assert process_marks.marked(mark_of(tmp_path / "experiment"), whole_experiment=True) == []


def collect(backend, until):
    """Events up to the first for which `until` holds."""
    events = []
    deadline = time.monotonic() + SECONDS
    while not any(until(event) for event in events):
        assert time.monotonic() < deadline, f"it did not happen; so far: {events}"
        events += backend.wait(1.0)
    return events


def is_exit(event):
    return isinstance(event, Exit)


REPORTS = "import hpo, sys\nfor e in range(1, 4): hpo.report(epoch=e, loss=0.5 / e, arguments=sys.argv[1:])"


@pytest.mark.parametrize("backend", [REPORTS], indirect=True)
def test_all_reports_come_before_the_exit_in_order(backend):
    backend.start(Trial(0, {"x": 0.25}), 0, 9)
    *reports, end = collect(backend, is_exit)
    assert [report.metrics["epoch"] for report in reports] == [1, 2, 3]
    assert reports[0].metrics["arguments"] == ["--x=0.25", "--epochs=9"]
    assert (end.trial_id, end.attempt, end.exit_code, end.error) == (0, 0, 0, None)


@pytest.mark.parametrize(
    "backend",
    [
        "import os, time\nopen(os.environ['HPO_REPORT_FILE'], 'a').write('{\"epoch\": 1, \"loss\": 2}\\n')\ntime.sleep(60)"
    ],
    indirect=True,
)
def test_a_bare_append_is_noticed_while_the_trial_goes_on(backend):
    backend.start(Trial(0, {"x": 0.1}), 0, 9)
    events = collect(backend, lambda event: isinstance(event, Report))
    assert events == [Report(0, 0, {"epoch": 1, "loss": 2}, 24)]


@pytest.mark.parametrize(
    "backend",
    [
        "import os\nopen(os.environ['HPO_REPORT_FILE'], 'ab').write(b'\\xff\\n[1]\\n{\"epoch\": 1}\\n{\"epoch\": 2, \"lo')"
    ],
    indirect=True,
)
def test_what_is_no_report_is_garbage_and_keeps_nothing_from_being_read(backend):
    backend.start(Trial(0, {"x": 0.1}), 0, 9)
    events = collect(backend, is_exit)
    assert [type(event) for event in events] == [Garbage, Garbage, Report, Garbage, Exit]


@pytest.mark.parametrize("backend", ["import sys\nfor i in range(40): print(i, file=sys.stderr)\n1/0"], indirect=True)
def test_a_failure_brings_the_last_lines_of_standard_error(backend):
    backend.start(Trial(0, {"x": 0.1}), 0, 9)
    (end,) = collect(backend, is_exit)
    assert end.exit_code == 1
    lines = end.error.splitlines()
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert len(lines) == 20


@pytest.mark.parametrize("backend", ["import time; time.sleep(60)"], indirect=True)
def test_stopping_ends_the_attempt_and_waking_ends_the_wait(backend):
    backend.start(Trial(0, {"x": 0.1}), 0, 9)
    backend.wake()
    assert list(backend.wait(SECONDS)) == []
    backend.stop(0)
    (end,) = collect(backend, is_exit)
    assert end.signal == signal.SIGTERM


@pytest.mark.parametrize("backend", ["pass"], indirect=True)
def test_a_file_that_appears_in_a_folder_that_is_attended_to_ends_the_wait(backend, tmp_path):
    folder = tmp_path / "commands"
    folder.mkdir()
    assert backend.attend(folder)
    assert not [event for event in backend.wait(0.0) if isinstance(event, CommandSignal)]
    (folder / ".aside").write_text("{}")
    (folder / ".aside").rename(folder / "1.json")
    began = time.monotonic()
    assert collect(backend, lambda event: isinstance(event, CommandSignal))
    assert time.monotonic() - began < 1.0


@pytest.mark.parametrize("backend", ["pass"], indirect=True)
def test_stopping_a_trial_that_does_not_run_does_nothing(backend):
    backend.stop(17)
    assert list(backend.wait(0.0)) == []


@pytest.mark.parametrize("backend", ["import time; time.sleep(60)"], indirect=True)
def test_when_the_host_dies_its_trials_are_lost_and_a_new_host_runs_the_next(backend, tmp_path):
    for trial_id in range(2):
        backend.start(Trial(trial_id, {"x": 0.1}), 0, 9)
    time.sleep(0.5)
    backend._host.process.send_signal(signal.SIGKILL)
    events = collect(backend, is_exit)
    while len(events) < 2:
        events += backend.wait(1.0)
    assert [(event.trial_id, event.lost) for event in events] == [(0, True), (1, True)]
    assert process_marks.marked(mark_of(tmp_path / "experiment"), whole_experiment=True) == []
    (tmp_path / "train.py").write_text(REPORTS)
    backend.start(Trial(0, {"x": 0.1}), 1, 9)
    assert collect(backend, is_exit)[-1].exit_code == 0


@pytest.mark.parametrize("backend", [{"script": "pass", "preload": ["not_a_module_anywhere"]}], indirect=True)
def test_a_module_that_cannot_be_preloaded_is_one_sentence(backend):
    backend.start(Trial(0, {"x": 0.1}), 0, 9)
    with pytest.raises(BackendError, match=r"benchmark\.preload: not_a_module_anywhere cannot be imported"):
        collect(backend, is_exit)


SHOW_DEVICES = (
    "import os, time, hpo\nhpo.report(epoch=1, loss=0, devices=os.environ['CUDA_VISIBLE_DEVICES'])\n"
    "while not os.path.exists(os.path.join(os.environ['HPO_EXPERIMENT_DIR'], 'go')): time.sleep(.01)"
)


@pytest.mark.parametrize("backend", [{"script": SHOW_DEVICES, "devices": "0123", "per_trial": 2}], indirect=True)
def test_trials_get_whole_devices_that_are_free_again_when_they_are_gone(backend, tmp_path):
    assert backend.capacity == 2
    for trial_id in range(2):
        backend.start(Trial(trial_id, {"x": 0.1}), 0, 9)
    held = {}
    while len(held) < 2:
        held |= {e.trial_id: e.metrics["devices"] for e in backend.wait(1.0) if isinstance(e, Report)}
    assert held == {0: "0,1", 1: "2,3"}
    backend.stop(1)
    collect(backend, is_exit)
    backend.start(Trial(2, {"x": 0.1}), 0, 9)
    *placed, report = collect(backend, lambda event: isinstance(event, Report))
    assert report.metrics["devices"] == "2,3"
    assert placed == [Placed(2, 0, ["2", "3"])]
    (tmp_path / "experiment" / "go").touch()


@pytest.mark.parametrize(
    "backend", [{"script": "import os; print(repr(os.environ['CUDA_VISIBLE_DEVICES']))"}], indirect=True
)
def test_a_trial_without_gpus_sees_none(backend, tmp_path):
    backend.start(Trial(0, {"x": 0.1}), 0, 9)
    collect(backend, is_exit)
    assert (tmp_path / "experiment/trials/0/attempt_0/stdout.log").read_text() == "''\n"


@pytest.mark.parametrize("backend", ["pass"], indirect=True)
def test_reports_that_an_earlier_session_did_not_take_in_are_found(backend, tmp_path):
    folder = tmp_path / "experiment" / "trials" / "3" / "attempt_0"
    folder.mkdir(parents=True)
    lines = [json.dumps({"epoch": epoch, "loss": 0.0}) + "\n" for epoch in (1, 2, 3)]
    (folder / "reports.jsonl").write_text("".join(lines) + '{"epo')
    found = backend.left_over(3, 0, len(lines[0]))
    assert [event.metrics["epoch"] for event in found if isinstance(event, Report)] == [2, 3]
    assert isinstance(found[-1], Garbage)
    assert backend.left_over(4, 0, 0) == ()


@pytest.mark.parametrize("backend", ["pass"], indirect=True)
def test_a_forgotten_checkpoint_is_gone(backend, tmp_path):
    backend.start(Trial(0, {"x": 0.1}), 0, 9)
    collect(backend, is_exit)
    folder = tmp_path / "experiment" / "trials" / "0" / "checkpoint"
    (folder / "weights").write_text("1")
    backend.forget_checkpoint(0)
    backend.forget_checkpoint(0)
    assert not folder.exists()


@pytest.mark.parametrize("backend", [{"script": REPORTS, "preload": None}], indirect=True)
def test_without_preloading_each_trial_is_a_fresh_interpreter(backend):
    backend.start(Trial(0, {"x": 0.1}), 0, 9)
    assert [type(event) for event in collect(backend, is_exit)] == [Report, Report, Report, Exit]


@pytest.mark.parametrize("missing", ["instance", "watch"])
def test_without_inotify_reports_are_still_found(tmp_path, monkeypatch, caplog, missing):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(INotify, "__init__" if missing == "instance" else "add_watch", refuse)
    backend = make(tmp_path, REPORTS)
    try:
        for trial_id in (0, 1):
            backend.start(Trial(trial_id, {"x": 0.1}), 0, 9)
            assert [type(event) for event in collect(backend, is_exit)] == [Report, Report, Report, Exit]
    finally:
        backend.close()
    assert caplog.text.count("no inotify") == 1


def test_what_an_earlier_session_left_running_is_ended_first(tmp_path):
    first = make(
        tmp_path, "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)", grace=0.3
    )
    first.start(Trial(0, {"x": 0.1}), 0, 9)
    time.sleep(0.5)
    mark = mark_of(tmp_path / "experiment")
    assert len(process_marks.marked(mark, whole_experiment=True)) >= 2
    os.kill(first._host.process.pid, signal.SIGSTOP)  # a host that cannot clean up
    second = make(tmp_path, "pass", grace=0.3)
    alive = process_marks.marked(mark, whole_experiment=True)
    assert first._host.process.pid not in alive
    second.close()
    first._host.process.wait()
    first.close()
    assert process_marks.marked(mark, whole_experiment=True) == []


@pytest.mark.parametrize("backend", [REPORTS], indirect=True)
def test_a_timeout_of_decades_is_no_error(backend):
    backend.start(Trial(0, {"x": 0.1}), 0, 9)
    assert len(backend.wait(1e12)) >= 1


WRITING_HERE = """
import os, hpo
from pathlib import Path
seen = Path("seen").read_text() if Path("seen").exists() else ""
Path("seen").write_text(seen + "x")
hpo.report(epoch=len(seen) + 1, loss=1.0, where=os.getcwd())
"""


@pytest.mark.parametrize("backend", [{"script": WRITING_HERE, "working_directory": "trial"}], indirect=True)
def test_a_trial_may_have_a_folder_of_its_own_that_is_kept_and_counted_as_its_checkpoint(backend, tmp_path):
    events = []
    for attempt, trial_id in ((0, 0), (1, 0), (0, 1)):
        backend.start(Trial(trial_id, {"x": 0.5}), attempt, 9)
        events += collect(backend, lambda event: isinstance(event, Exit))
    reports = [event.metrics for event in events if isinstance(event, Report)]
    assert [report["epoch"] for report in reports] == [1, 2, 1]
    folders = [str(ExperimentDirectory(tmp_path / "experiment").checkpoint(trial)) for trial in (0, 0, 1)]
    assert [report["where"] for report in reports] == folders
    assert backend.checkpoint_bytes(0) > 0
