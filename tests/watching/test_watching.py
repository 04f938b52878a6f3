"""`hpo watch`: what it shows follows from the event store, it follows what is new, and it is in nobody's way."""

import fcntl
import io
import os
import pty
import re
import select
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from hpo.config.reading import load_config, resolve
from hpo.errors import ConfigError, StoreError
from hpo.events.state import ExperimentState
from hpo.events.types import Event, Kind, Resume, Start
from hpo.history.follower import Follower, Snapshot
from hpo.history.live_board import Board
from hpo.history.rungs import rung_board
from hpo.results.experiment import load_experiment
from hpo.schedulers.replay import feed
from hpo.store.event_store import Store
from hpo.store.experiment_paths import find_experiments
from hpo.store.ownership import is_owned
from hpo.watching.frames import experiment_frame, sweep_frame
from hpo.watching.loop import Watch
from hpo.watching.progress import LiveTable
from tests.conftest import error_of, succeeded
from tests.support.fakes import OBJECTIVE, SPACE, Crash, FakeExperiment
from tests.support.terminal import lines_on_terminal

MAXIMUM = 9


def config_of(method, **keys):
    """A configuration that fits what `FakeExperiment` runs."""
    benchmark = {
        "name": "fake", "script": "train.py", "metric": OBJECTIVE.metric, "mode": OBJECTIVE.mode,
        "resource_attr": "epoch", "max_resource_attr": "epochs", "config_space": dict(SPACE),
        "arguments": {"epochs": MAXIMUM}, "n_workers": 4, "max_num_trials": 12, **keys,
    }  # fmt: skip
    return resolve(load_config(benchmark, method))


def board_after(method, events):
    return Board(config_of(method)).apply_all(events)


def text_of(frame, width=80):
    out = io.StringIO()
    Console(file=out, width=width).print(frame)
    return out.getvalue()


@pytest.fixture(scope="module", params=["ASHA", "HYPERBAND", "SYNC-HYPERBAND", "ASHA-STOP", "RS"])
def story(request):
    """A method, and the log of an experiment in which a trial fails and results tie with nothing."""
    experiment = FakeExperiment(request.param, backend={"faults": {2: [Crash(at=2)], 5: [Crash(at=1)]}})
    experiment.run()
    return request.param, experiment


def test_counts_and_time_of_workers_are_those_of_the_whole_log_at_every_moment(story):
    method, experiment = story
    events = experiment.log.events
    for end in range(1, len(events), 7):
        board = board_after(method, events[:end])
        assert board.state.counts() == Counter(trial.status for trial in board.state.trials.values())
        elapsed = board.state.elapsed
        if elapsed:
            overall, _ = board.utilisation(elapsed)
            assert overall == pytest.approx(board.state.busy_seconds() / (elapsed * 4))
        assert {row.state.trial.id for row in board.workers(elapsed) if row.state} == set(board.state.running)


def test_the_rung_board_counts_what_the_log_says(story):
    method, experiment = story
    board = board_after(method, experiment.log.events)
    rows = board.rungs.rows(board.state)
    if method == "RS":
        assert rows == []
        return
    assert [row.level for row in rows] == [1, 3, 9]
    resumed = [event for event in experiment.log.events if event.kind == Kind.RESUMED]
    if method != "ASHA-STOP":
        assert sum(row.promoted for row in rows) == len(resumed) > 0
        paused = sum(trial.status == "paused" for trial in board.state.trials.values())
        assert sum(row.waiting for row in rows) == paused
    if method == "ASHA":
        for row in rows:
            assert row.reached == sum(trial.resource >= row.level for trial in board.state.trials.values())
    if method == "ASHA-STOP":
        stopped = sum(trial.status == "stopped" for trial in board.state.trials.values())
        assert sum(row.stopped for row in rows) == stopped > 0
    losses = [event.body["metrics"][OBJECTIVE.metric] for event in experiment.log.events if event.resource == 9
              and event.kind == Kind.REPORTED]  # fmt: skip
    assert rows[-1].best == (min(losses) if losses else None)


def test_what_comes_next_is_what_the_scheduler_proposes(story):
    method, experiment = story
    scheduler, board = experiment.scheduler(), Board(config_of(method))
    state = board.state
    promotions = 0
    for event in experiment.log.events:
        feed(scheduler, state, event)
        board.apply(event)
        proposed = scheduler.propose()
        expected = proposed if isinstance(proposed, Resume) and method != "SYNC-HYPERBAND" else None
        assert board.rungs.next_promotion() == expected
        promotions += expected is not None
        if isinstance(proposed, Start) and state.finished is None and len(state.trials) < 12:
            unknown = method == "SYNC-HYPERBAND"
            assert board.next_text() == (
                "a promotion or a new trial, as the method decides" if unknown else "a new trial"
            )
    assert (promotions > 0) == (method in ("ASHA", "HYPERBAND"))


def test_a_run_shows_the_events_of_a_turn_though_its_state_is_ahead_of_them(story):
    method, experiment = story
    events = experiment.log.events
    display, state = LiveTable(config_of(method)), ExperimentState(OBJECTIVE)
    display.on_open(state)
    state.apply_all(events)
    for event in events:
        display.on_event(event)
    display.on_close()
    behind, together = display._board, board_after(method, events)
    assert behind.state.counts() == together.state.counts()
    assert behind.rungs.rows(behind.state) == together.rungs.rows(together.state)


def test_a_scheduler_of_somebody_else_is_not_imported_and_has_no_board():
    config = config_of("ASHA")
    config.method.scheduler["_target_"] = "surely_not_there.Scheduler"
    assert rung_board(config).steps == []
    config.method.scheduler["_target_"] = "hpo.schedulers.NoLongerThere"
    assert rung_board(config).steps == []


def test_failures_are_shown_with_their_reason(story):
    method, experiment = story
    text = text_of(
        experiment_frame(Snapshot(board_after(method, experiment.log.events), "running", "", 60.0), 100, 60), 100
    )
    assert "trial 5 failed: " in text


def gpu_events(*steps):
    opened = Event(Kind.OPENED, 0.0, 0.0, body={"host": "h", "gpus": ["4", "5", "6", "7"]})
    return [opened, *steps]


def start_of(trial, elapsed=0.0):
    return Event(Kind.STARTED, elapsed, 0.0, trial, 0, body={"configuration": {"x": 0.5}, "until": 9})


def end_of(trial, elapsed):
    return Event(Kind.ENDED, elapsed, 0.0, trial, 0, body={"status": "completed", "usage": {}})


def test_what_a_script_says_does_nothing_to_the_terminal():
    failed = Event(
        Kind.ENDED, 1.0, 0.0, 0, 0, body={"status": "failed", "error": "x\nbad \x1b[2J\x1b]0;title\x07 luck"}
    )
    board = Board(config_of("RS")).apply_all([start_of(0), failed])
    text = text_of(experiment_frame(Snapshot(board, "running", "", 2.0), 100, 60), 100)
    assert "trial 0 failed: bad" in text
    assert "\x1b" not in text
    assert "\x07" not in text


def placed(trial, *devices, **further):
    body = {"text": "", "devices": list(devices), **further}
    return Event(Kind.NOTED, 1.0, 0.0, trial, 0, body=body)


def test_devices_are_those_that_the_log_says_were_handed_out():
    config = config_of("ASHA", num_gpus_per_trial=1)
    started = [start_of(i) for i in range(4)]
    given = [placed(0, "4"), placed(1, "5"), placed(2, "6"), placed(3, "7")]
    events = gpu_events(*started, *given, end_of(2, 1.0), end_of(0, 1.0), start_of(4, 1.0))
    board = Board(config).apply_all(events)
    devices = {row.state.trial.id: row.devices for row in board.workers(2.0) if row.state}
    assert devices == {1: "5", 3: "7", 4: ""}, "trial 4 waits for a device whose memory is free"
    board.apply(placed(4, "6"))
    devices = {row.state.trial.id: row.devices for row in board.workers(2.0) if row.state}
    assert devices == {1: "5", 3: "7", 4: "6"}
    assert sorted(board.gpus) == ["5", "6", "7"]
    seen = Snapshot(board, "running", "", 2.0, {"5": 93, "6": 1})
    text = text_of(experiment_frame(seen, 100, 60), 100)
    for part in ("gpu", "5:93%", "6:1%", "idle"):
        assert part in text


def test_a_log_of_before_that_does_not_say_who_has_which_device_shows_none():
    board = Board(config_of("ASHA", num_gpus_per_trial=1)).apply_all(gpu_events(start_of(0)))
    assert board.gpus == []
    assert "gpu" not in text_of(experiment_frame(Snapshot(board, "running", "", 2.0), 100, 60), 100)


def test_time_left_of_a_time_budget_is_exact_and_of_trials_an_estimate():
    board = Board(config_of("RS", max_wallclock_time=200, max_num_trials=None))
    board.apply_all([start_of(0)])
    progress = board.progress(50.0)
    assert (progress.share, progress.seconds_left) == (0.25, 150.0)
    board = Board(config_of("RS", max_num_trials=10))
    board.apply_all([start_of(0), start_of(1), end_of(0, 5.0)])
    progress = board.progress(10.0)
    assert (progress.share, progress.seconds_left) == (0.1, 90.0), "one of ten took ten seconds"
    assert "1 of 10 trials" in progress.budget


@pytest.mark.parametrize("target", [0.125, 0.0, None])
def test_a_target_is_shown_beside_the_best_value(target):
    config = replace(config_of("RS"), target_value=target)
    board = Board(config).apply_all([start_of(0)])
    text = text_of(experiment_frame(Snapshot(board, "running", "", 1.0), 100, 60), 100)
    assert [line.partition("; ")[2] for line in text.splitlines() if line.startswith("best ")] == (
        [""] if target is None else [f"target {target:g}"]
    )


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("height", [10, 24, 50])
def test_a_frame_fits_its_terminal(story, width, height):
    method, experiment = story
    board = board_after(method, experiment.log.events[:60])
    lines = text_of(experiment_frame(Snapshot(board, "running", "", 30.0), width, height), width).splitlines()
    assert all(len(line) <= width for line in lines)
    if width >= 80:
        assert len(lines) <= height
        assert "best" in "\n".join(lines)


def test_a_sweep_shows_those_at_work_first_and_counts_the_rest(story):
    method, experiment = story
    board = board_after(method, experiment.log.events)
    seen = [Snapshot(board, "complete", "", 30.0)] * 30 + [Snapshot(board, "running", "", 30.0)]
    lines = text_of(sweep_frame(seen, 80, 30)).splitlines()
    assert len(lines) <= 30
    assert lines[0].startswith("31 experiments (1 running, 30 complete)")
    assert "running" in lines[3]
    assert any("more: " in line and "complete" in line for line in lines)


# ---------------------------------------------------------------------- following a store


@pytest.fixture
def directory(tmp_path, story):
    """An experiment's directory with an empty store, and the events to come."""
    from hpo.config.reading import to_yaml

    method, experiment = story
    (tmp_path / "experiment.yaml").write_text(to_yaml(config_of(method)))
    return tmp_path, experiment.log.events


def test_a_follower_takes_in_each_event_once(directory):
    path, events = directory
    follower = Follower(path)
    assert follower.advance() == 0
    store, heard = Store(path / "events.db"), []
    follower.on_event = heard.append
    assert follower.advance() == 0
    for begin in range(0, len(events), 10):
        store.append(events[begin : begin + 10])
        assert follower.advance() == len(events[begin : begin + 10])
        assert follower.advance() == 0
    store.close()
    assert follower.sequence == len(events)
    assert [event.kind for event in heard] == [event.kind for event in events[10:]], "the first look is history"
    assert follower.state.counts() == ExperimentState(OBJECTIVE).apply_all(events).counts()


def test_a_follower_begins_anew_when_the_experiment_does(directory):
    path, events = directory
    store = Store(path / "events.db")
    store.append(events)
    store.close()
    follower = Follower(path)
    follower.advance()
    for file in path.glob("events.db*"):
        file.unlink()
    store = Store(path / "events.db")
    store.append([Event(Kind.OPENED, 0.0, 12345.0, body={"host": "h"}), start_of(0)])
    follower.advance()
    store.close()
    assert follower.sequence == 2
    assert follower.board.state.counts() == {"running": 1}


def test_a_follower_leaves_nothing_behind(directory):
    path, events = directory
    store = Store(path / "events.db")
    store.append(events)
    Follower(path).advance()
    store.close()
    assert sorted(file.name for file in path.iterdir()) == ["events.db", "experiment.yaml"]


def test_a_closing_writer_merges_its_log_though_a_reader_has_the_file_open(directory):
    path, events = directory
    store = Store(path / "events.db")
    store.append(events)
    reader = Store(path / "events.db", read_only=True)
    list(reader.read())
    store.close()
    copied = sqlite3.connect(f"{(path / 'events.db').as_uri()}?immutable=1", uri=True)  # the file alone, as after cp
    assert copied.execute("SELECT count(*) FROM events").fetchone() == (len(events),)
    copied.close()
    reader.close()


@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
@pytest.mark.long
def test_a_writer_is_never_refused_beside_a_reader_that_looks_without_pause(directory, journal):
    path, events = directory
    store = Store(path / "events.db")
    store._db.execute(f"PRAGMA journal_mode={journal}")
    store.append(events[:1])
    follower, ended, failures = Follower(path), threading.Event(), []

    def look():
        while not ended.is_set():
            try:
                follower.advance()
            except Exception as error:
                failures.append(error)
                return

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for event in events[1:]:
            store.append([event])  # raises where it is refused
    finally:
        ended.set()
        thread.join()
        store.close()
    assert failures == []
    follower.advance()
    assert follower.sequence == len(events)


def test_a_damaged_store_is_one_sentence(directory):
    path, _ = directory
    (path / "events.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match=r"events\.db"):
        Follower(path).advance()


@pytest.mark.process
def test_experiments_are_found_without_walking_through_trials(complete, monkeypatch):
    monkeypatch.chdir(complete.path)
    expected = sorted(Path("outputs/l/longer").glob("*/seed_0"))
    assert find_experiments("l") == expected
    assert find_experiments("outputs/l/longer/RS") == [Path("outputs/l/longer/RS/seed_0")]
    walked = []
    monkeypatch.setattr(Path, "rglob", lambda *_: walked.append(1))
    assert find_experiments("outputs/l/longer/RS/seed_0") == [Path("outputs/l/longer/RS/seed_0")]
    assert walked == []


@pytest.mark.process
def test_an_interval_that_makes_no_sense_is_one_sentence(complete, monkeypatch):
    monkeypatch.chdir(complete.path)
    with pytest.raises(ConfigError, match=r"--interval 0: use seconds"):
        Watch("l", 0.0)


def test_whether_a_tuner_works_in_a_directory_is_seen_without_its_lock(tmp_path):
    from hpo.store.directory import ExperimentDirectory
    from hpo.store.ownership import owned

    files = ExperimentDirectory(tmp_path)
    assert not is_owned(files)
    with owned(files):
        assert is_owned(files)
    files.owner.write_text('{"pid": 999999999}')
    assert not is_owned(files)


# ---------------------------------------------------------------------- the verb


@pytest.mark.process
def test_one_frame_of_a_sweep_names_each_experiment_and_its_best(complete):
    out = succeeded(complete.verb("watch", "l", "--once"))
    for method in ("RS", "ASHA"):
        experiment = load_experiment(complete.directory("l", method, benchmark="longer"))
        (line,) = [line for line in out.splitlines() if line.startswith(f"{method} seed 0")]
        assert "complete" in line
        assert f"{experiment.best['loss']:.5g}" in line
    assert "\x1b" not in out, "no colours where there is no terminal"


@pytest.mark.process
def test_watching_what_is_complete_ends_by_itself_with_plain_lines(complete):
    out = succeeded(complete.verb("watch", "t"))
    assert "mine RS seed 0: complete" in out
    assert "3 trials (3 completed)" in out


@pytest.mark.process
def test_nothing_to_watch_is_one_sentence(workplace):
    assert "outputs/" in error_of(workplace.verb("watch", "nothing"))


@pytest.mark.process
def test_watching_follows_a_run_to_its_end_and_does_not_touch_it(workplace):
    workplace.benchmark(arguments={"epochs": 150, "sleep": 0.04}, max_num_trials=1)  # each epoch is the best so far
    with workplace.start("benchmark=mine", "method=RS", "experiment_tag=t") as run:
        _wait_for(lambda: (workplace.directory("t") / "events.db").exists())
        out = succeeded(workplace.verb("watch", "t", "--interval", "0.1"))
        assert run.wait(timeout=60) == 0
        run.communicate()
    lines = out.splitlines()
    assert all(line.startswith("mine RS seed 0: ") for line in lines)
    assert "complete" in lines[-1]
    assert load_experiment(workplace.directory("t")).state.reports == 150
    assert any(" best loss=" in line for line in lines[1:]), "improvements are told as they come"


@pytest.mark.process
def test_an_interrupted_experiment_is_shown_as_one_and_ctrl_c_ends_watching(workplace):
    workplace.benchmark(arguments={"epochs": 1000, "sleep": 0.03})
    with workplace.start("benchmark=mine", "method=RS", "experiment_tag=t") as run:
        _wait_for(lambda: list(workplace.directory("t").glob("trials/*")))
        assert "running" in succeeded(workplace.verb("watch", "t", "--once")).splitlines()[0]
        run.kill()
        run.communicate(timeout=60)
    assert "interrupted" in succeeded(workplace.verb("watch", "t", "--once")).splitlines()[0]
    command = [sys.executable, "-m", "hpo", "watch", "t"]
    with subprocess.Popen(
        command, cwd=workplace.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as look:
        assert "interrupted" in look.stdout.readline()
        look.send_signal(signal.SIGINT)
        _, err = look.communicate(timeout=30)
    assert look.returncode == 130
    assert "Traceback" not in err


@pytest.mark.process
def test_plain_lines_say_when_a_run_is_interrupted_and_why_and_go_on_with_it(workplace):
    workplace.benchmark(arguments={"epochs": 60, "sleep": 0.1}, max_num_trials=2)
    command = [sys.executable, "-m", "hpo", "watch", "t", "--interval", "0.1"]
    with workplace.start("benchmark=mine", "method=RS", "experiment_tag=t") as run:
        _wait_for(lambda: list(workplace.directory("t").glob("trials/*")))
        with subprocess.Popen(command, cwd=workplace.path, stdout=subprocess.PIPE, text=True) as look:
            try:
                assert "running" in look.stdout.readline()
                run.send_signal(signal.SIGINT)
                run.communicate(timeout=60)
                line = next(line for line in look.stdout if ": interrupted: " in line)
                assert line == "mine RS seed 0: interrupted: its command resumes it\n"
                succeeded(workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t"))
                rest, _ = look.communicate(timeout=60)
            finally:
                look.kill()
    assert rest.splitlines()[-1].startswith("mine RS seed 0: complete: ")
    assert ": interrupted: " not in rest


@pytest.mark.parametrize("no_color", ["", "1"])
@pytest.mark.process
def test_on_a_terminal_the_frame_is_drawn_in_place(complete, no_color):
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24", "NO_COLOR": no_color}
    if not no_color:
        del environment["NO_COLOR"]
    command = [sys.executable, "-m", "hpo", "watch", "l"]
    with subprocess.Popen(command, cwd=complete.path, env=environment, stdout=theirs, stdin=theirs) as look:
        os.close(theirs)
        shown = _read_all(ours)
        assert look.wait(timeout=30) == 0
    text = shown.decode("utf-8", "replace")
    assert "ASHA seed 0" in text
    assert "2 complete" in text
    assert ("\x1b[32m" in text) == (not no_color), "green where colours are wanted"


def _on_terminal(command, folder, width):
    """The lines that stay on a terminal of that width when a command has run there, and its exit code."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    keys = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "env": {**environment, "TERM": "xterm-256color"}}
    with subprocess.Popen(command, cwd=folder, **keys) as run:
        os.close(theirs)
        written = _read_all(ours)
        return lines_on_terminal(written, width), run.wait(timeout=30)


@pytest.mark.process
def test_trials_that_fail_leave_whole_lines_above_the_live_view_and_nothing_of_it_below(workplace):
    workplace.write(
        "fail.py",
        "import sys, time\nfrom hpo import report\nfor epoch in (1, 2):\n    time.sleep(0.3)\n"
        "    report(epoch=epoch, loss=1 / epoch)\nsys.exit('one sentence about a loss that was not finite')\n",
    )
    workplace.benchmark("failing", script=str(workplace.path / "fail.py"), max_num_trials=6, n_workers=2)
    command = workplace.command("benchmark=failing", "method=RS", "experiment_tag=f", "max_failures=99")
    lines, _ = _on_terminal(command, workplace.path, 200)
    failed = [line for line in lines if "failed: " in line]
    logs = [f"outputs/f/failing/RS/seed_0/trials/{trial}/attempt_0/stderr.log" for trial in range(6)]
    assert sorted(failed) == [
        f"hpo: trial {trial} failed: one sentence about a loss that was not finite (see {log})"
        for trial, log in enumerate(logs)
    ]
    (summary,) = [line for line in lines if line.startswith("failing · RS · seed 0")]
    assert lines.index(summary) > max(map(lines.index, failed))
    assert not any("running" in line or "█" in line for line in lines)


@pytest.mark.process
def test_what_a_callback_prints_stands_above_the_live_view(workplace):
    workplace.write(
        "talking.py",
        "from hpo.events.callback import Callback\n\nclass Talk(Callback):\n    def on_event(self, event):\n"
        "        if event.kind == 'ended':\n            print(f'trial {event.trial} is over')\n",
    )
    workplace.benchmark("slow", arguments={"epochs": 3, "sleep": 0.2}, max_num_trials=3)
    keys = ("+callbacks.talk._target_=talking.Talk", "trusted_modules=[talking]", "experiment_tag=t")
    lines, _ = _on_terminal(workplace.command("benchmark=slow", "method=RS", *keys), workplace.path, 100)
    assert sorted(line for line in lines if "is over" in line) == [f"trial {trial} is over" for trial in range(3)]
    assert not any("running" in line or "█" in line for line in lines)


@pytest.mark.process
def test_a_terminal_gets_the_summary_broken_between_words(workplace):
    space = {f"rather_long_{i}": {"type": "choice", "values": ["a_long_value"]} for i in range(6)}
    workplace.write("one.py", "from hpo import report\nreport(epoch=1, loss=1.0)\n")
    workplace.benchmark("wide", script=str(workplace.path / "one.py"), config_space=space, max_num_trials=1)
    command = workplace.command("benchmark=wide", "method=RS", "experiment_tag=w", "random_seed=1")
    lines, code = _on_terminal(command, workplace.path, 80)
    assert code == 0
    pairs = [f"rather_long_{i}=a_long_value" for i in range(6)]
    shown = [line for line in lines if "a_long" in line]
    assert len(shown) > 1
    assert [word for line in shown for word in line.split() if "=a_l" in word] == pairs
    assert all(line.startswith(" " * 11) for line in shown[1:])


def _read_all(descriptor):
    data = b""
    while select.select([descriptor], [], [], 60)[0]:
        try:
            piece = os.read(descriptor, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        data += piece
    os.close(descriptor)
    return data


def _wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_nodes_are_shown_where_there_are_several(tmp_path):
    config = config_of("ASHA")
    begun = [start_of(0), placed(0, node="n1"), start_of(1)]
    board = Board(config).apply_all(gpu_events(*begun, placed(1, node="n1")))
    assert {row.node for row in board.workers(2.0)} == {""}
    board = Board(config).apply_all(gpu_events(*begun, placed(1, node="ip-10-0-0-2.us-west-2.compute")))
    rows = {row.state.trial.id: row.node for row in board.workers(2.0) if row.state}
    assert rows == {0: "n1", 1: "ip-10-0-0-2.us-west-2.compute"}
    text = text_of(experiment_frame(Snapshot(board, "running", "", 2.0), 120, 60), 120)
    assert re.search(r"worker +node +busy", text)
    assert re.search(r"0 +n1 +", text)
    assert re.search(r"1 +ip-10-0-0-2 +", text), "a domain is the same for all"
    board.apply(end_of(0, 2.0))
    board.apply(Event(Kind.RESUMED, 2.0, 0.0, 0, 1, body={"until": 9}))
    assert board.state.running[0].node is None, "the next attempt may be elsewhere"
