"""The state that a SageMaker job leaves for its successor: whole, never ahead of the database, or not used at all."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hpo.backends.checkpoint_archive import CHECKPOINT, unpack
from hpo.config.reading import load_config, resolve, to_yaml
from hpo.events.types import Event, Kind
from hpo.results.experiment import load_experiment
from hpo.sagemaker import bootstrap as sagemaker_bootstrap
from hpo.sagemaker.job import PULSE, lost_reports
from hpo.sagemaker.mirror import Mirror
from hpo.sagemaker.results import PROGRESS, is_whole
from hpo.store.event_store import Store


def started(trial, at):
    body = {"configuration": {"x": trial / 10}, "until": 9}
    return Event(Kind.STARTED, at, at, trial, 0, None, body)


def reported(trial, epoch, at, position=0, attempt=0):
    body = {"metrics": {"loss": 1 / epoch, "epoch": epoch}, "position": position, "decision": "CONTINUE"}
    return Event(Kind.REPORTED, at, at, trial, attempt, epoch, body)


@pytest.fixture
def place(tmp_path):
    """(experiment directory of two running trials with checkpoints, empty mirror folder)."""
    work, kept = tmp_path / "hpo" / "experiment", tmp_path / "checkpoints"
    work.mkdir(parents=True)
    kept.mkdir()
    content = {
        "name": "b",
        "script": "t.py",
        "metric": "loss",
        "mode": "min",
        "resource_attr": "epoch",
        "config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}},
    }
    (work / "experiment.yaml").write_text(to_yaml(resolve(load_config(content, "RS", random_seed=0))))
    store = Store(work / "events.db")
    store.append([started(0, 1.0), started(1, 2.0), reported(0, 1, 3.0, 10), reported(1, 1, 4.0, 10)])
    store.close()
    for trial in (0, 1):
        write_checkpoint(work, trial, "epoch 1")
        attempt = work / "trials" / str(trial) / "attempt_0"
        attempt.mkdir()
        (attempt / "reports.jsonl").write_text('{"a": 1}\n\n')
    return work, kept


def write_checkpoint(work, trial, text):
    folder = work / "trials" / str(trial) / "checkpoint"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("model.pt", "optimizer.pt"):
        (folder / f".{name}").write_text(text)
        (folder / f".{name}").replace(folder / name)


def append(work, *events):
    store = Store(work / "events.db")
    store.append(events)
    store.close()


def restored(kept, tmp_path, name="again"):
    work = tmp_path / name / "experiment"
    return Mirror(work, kept).restore(), work


def checkpoint_of(work, trial):
    folder = work / "trials" / str(trial) / "checkpoint"
    return sorted(path.read_text() for path in folder.glob("*.pt"))


def test_what_was_copied_comes_back(place, tmp_path):
    work, kept = place
    Mirror(work, kept).copy(final=True)
    found, again = restored(kept, tmp_path)
    assert (found.trials, found.reports) == (2, 2)
    assert found.from_checkpoint == [0, 1]
    assert checkpoint_of(again, 1) == ["epoch 1", "epoch 1"]
    assert load_experiment(again).events == load_experiment(work).events
    assert not list(kept.rglob("*-wal"))


def test_an_empty_mirror_is_a_new_experiment(tmp_path):
    assert restored(tmp_path, tmp_path)[0] is None


def test_the_copy_of_a_running_database_is_one_whole_file(place, tmp_path):
    work, kept = place
    store = Store(work / "events.db")  # stays open, with a log beside it
    store.append([reported(0, 2, 5.0, 20)])
    Mirror(work, kept).copy(final=True)
    copy = sqlite3.connect(f"file:{kept / 'events.db'}?mode=ro", uri=True)
    assert copy.execute("SELECT count(*) FROM events").fetchone() == (5,)
    assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    copy.close()
    store.close()


def test_a_checkpoint_brings_the_database_that_knows_of_it(place, tmp_path):
    work, kept = place
    mirror = Mirror(work, kept)
    mirror.copy(final=True)
    old = (kept / "events.db").read_bytes()
    write_checkpoint(work, 0, "epoch 5")
    append(work, *(reported(0, epoch, 5.0 + epoch, 10 * epoch) for epoch in range(2, 6)))
    mirror.copy(final=True)
    (kept / "events.db").write_bytes(old)  # the service had uploaded the checkpoint only
    found, again = restored(kept, tmp_path)
    assert found.reports == 6
    assert found.from_checkpoint == [0, 1]
    assert checkpoint_of(again, 0) == ["epoch 5", "epoch 5"]


def test_a_database_ahead_of_the_checkpoint_is_fine(place, tmp_path):
    work, kept = place
    mirror = Mirror(work, kept)
    mirror.copy(final=True)
    before = {path: path.read_bytes() for path in kept.rglob("*") if path.is_file() and path.name != "events.db"}
    write_checkpoint(work, 0, "epoch 2")
    append(work, reported(0, 2, 5.0, 20))
    mirror.copy(final=True)
    for path, data in before.items():
        path.write_bytes(data)
    found, again = restored(kept, tmp_path)
    assert found.reports == 3
    assert found.from_checkpoint == [0, 1]
    assert checkpoint_of(again, 0) == ["epoch 1", "epoch 1"]


@pytest.mark.parametrize("damage", ["cut", "missing", "garbage"])
def test_a_damaged_archive_costs_one_trial_its_checkpoint_and_nothing_else(place, tmp_path, damage):
    work, kept = place
    Mirror(work, kept).copy(final=True)
    file = kept / "trials" / "0" / CHECKPOINT
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:700] if damage == "cut" else b"garbage" * 1000)
    found, again = restored(kept, tmp_path)
    assert (found.from_scratch, found.from_checkpoint) == ([0], [1])
    assert checkpoint_of(again, 0) == []


def test_a_fetched_checkpoint_lies_where_the_trial_finds_it(place, tmp_path):
    work, kept = place
    Mirror(work, kept).copy(final=True)
    unpack(kept / "trials" / "1" / CHECKPOINT, tmp_path / "here" / "trials" / "1" / "checkpoint")
    assert checkpoint_of(tmp_path / "here", 1) == ["epoch 1", "epoch 1"]


def test_what_belongs_to_a_future_that_was_lost_is_left_behind(place, tmp_path):
    work, kept = place
    mirror = Mirror(work, kept)
    mirror.copy(final=True)
    append(work, started(2, 9.0))
    write_checkpoint(work, 2, "of another configuration")
    (work / "trials" / "2" / "attempt_0").mkdir()
    (work / "trials" / "2" / "attempt_0" / "reports.jsonl").write_text('{"epoch": 7, "loss": 0}\n')
    (work / "trials" / "0" / "attempt_0" / "reports.jsonl").write_text('{"a": 1}\n\n{"epoch": 2, "loss": 0}\n')
    lost = tmp_path / "lost"
    Mirror(work, lost).copy(final=True)
    for name in ("trials/2/attempt_0/reports.jsonl", "trials/0/attempt_0/reports.jsonl"):
        (kept / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(lost / name, kept / name)  # uploaded; the databases were not
    _, again = restored(kept, tmp_path)
    assert not (again / "trials" / "2").exists()
    assert (again / "trials" / "0" / "attempt_0" / "reports.jsonl").read_text() == '{"a": 1}\n\n'
    # The successor starts another trial of that number. The archive of the first turns up, but is not its own.
    append(again, started(2, 20.0))
    Mirror(again, kept).copy(final=True)
    shutil.copyfile(lost / "trials" / "2" / CHECKPOINT, kept / "trials" / "2" / CHECKPOINT)
    found, third = restored(kept, tmp_path, "third")
    assert found.from_scratch == [2]
    assert checkpoint_of(third, 2) == []


@pytest.mark.long
def test_a_checkpoint_that_is_being_written_is_copied_later(place, tmp_path, monkeypatch):
    work, kept = place
    # A slow disk lets a write take a second. What tells here that a checkpoint is whole is the report that follows it.
    monkeypatch.setattr("hpo.backends.checkpoint_archive.SETTLED", 600.0)
    mirror = Mirror(work, kept)
    over = threading.Event()

    def train():
        epoch = 0
        while not over.is_set():
            epoch += 1
            folder = work / "trials" / "0" / "checkpoint"
            for name in ("model.pt", "optimizer.pt"):  # not atomically: as bad as scripts are
                (folder / name).write_text(f"epoch {epoch}")
                time.sleep(0.04)
            with (work / "trials" / "0" / "attempt_0" / "reports.jsonl").open("a") as file:
                file.write("\n")
            time.sleep(0.06)

    thread = threading.Thread(target=train)
    thread.start()
    seen = set()
    for number in range(15):
        mirror.copy()
        texts = set(checkpoint_of(restored(kept, tmp_path, f"r{number}")[1], 0))
        assert len(texts) <= 1, "both files are of the same epoch, or none is there"
        seen |= texts
        time.sleep(0.03)
    over.set()
    thread.join()
    assert len(seen) > 1, "some are caught while it trains"
    mirror.copy(final=True)
    assert len(set(checkpoint_of(restored(kept, tmp_path, "last")[1], 0))) == 1


def test_a_script_that_saves_after_it_reports_is_waited_for(place, monkeypatch):
    work, kept = place
    monkeypatch.setattr("hpo.backends.checkpoint_archive.SETTLED", 60.0)
    time.sleep(0.05)
    write_checkpoint(work, 0, "saved late")
    mirror = Mirror(work, kept)
    mirror.copy()
    assert not (kept / "trials" / "0" / CHECKPOINT).exists()
    monkeypatch.setattr("hpo.backends.checkpoint_archive.SETTLED", 0.01)
    time.sleep(0.05)
    mirror.copy()
    assert (kept / "trials" / "0" / CHECKPOINT).exists()


def test_removed_checkpoints_are_removed_there(place, tmp_path):
    work, kept = place
    mirror = Mirror(work, kept)
    mirror.copy(final=True)
    shutil.rmtree(work / "trials" / "0" / "checkpoint")
    (work / "trials" / "0" / "checkpoint").mkdir()
    mirror.copy(final=True)
    assert not (kept / "trials" / "0" / CHECKPOINT).exists()
    assert (kept / "trials" / "1" / CHECKPOINT).exists()


def test_only_what_has_changed_is_written_again(place):
    work, kept = place
    mirror = Mirror(work, kept)
    mirror.copy(final=True)

    def stamps():
        return {path: path.stat().st_mtime_ns for path in (kept / "trials").rglob("*") if path.is_file()}

    before = stamps()
    mirror.copy(final=True)
    assert stamps() == before


def test_a_full_disk_is_a_warning_and_the_next_round_does_it(place, monkeypatch, caplog):
    work, kept = place
    mirror = Mirror(work, kept)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        mirror.copy(final=True)
    assert "could not be copied" in caplog.text
    mirror.copy(final=True)
    assert (kept / "events.db").is_file()


def test_copies_are_made_while_it_runs_and_at_the_end(place):
    work, kept = place
    with Mirror(work, kept, 0.05).running():
        deadline = time.monotonic() + 10
        while not (kept / PROGRESS).exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        append(work, reported(0, 2, 5.0, 20))
    assert "3 reports" in json.loads((kept / PROGRESS).read_text())["counts"]


def test_whoever_brings_results_can_tell_whether_all_were_uploaded(place, tmp_path):
    work, kept = place
    (work / "metadata.json").write_text("{}")
    mirror = Mirror(work, kept)
    mirror.copy()
    assert not is_whole(kept, checkpoints=False), "it still runs"
    mirror.copy(final=True)
    assert is_whole(kept, checkpoints=True)
    for name in ("events.db", "metadata.json", "trials/0/attempt_0/reports.jsonl", PROGRESS):
        partly = tmp_path / name.replace("/", "-")
        shutil.copytree(kept, partly)
        (partly / "trials" / "1" / CHECKPOINT).unlink()
        assert is_whole(partly, checkpoints=False)
        assert not is_whole(partly, checkpoints=True)
        (partly / name).unlink()
        assert not is_whole(partly, checkpoints=False), name
    with (kept / "events.db").open("ab") as file:
        file.write(b"of another moment")
    assert not is_whole(kept, checkpoints=False)


@pytest.mark.long
def test_random_mixtures_of_uploads_lose_no_more_than_what_is_missing(place, tmp_path):
    work, kept = place
    rng = random.Random(0)
    mirror = Mirror(work, kept)
    s3 = tmp_path / "s3"
    s3.mkdir()
    epoch = 1
    for attempt in range(30):
        for _ in range(rng.randrange(3)):
            epoch += 1
            write_checkpoint(work, 0, f"epoch {epoch}")
            append(work, reported(0, epoch, 5.0 + epoch, 0))
        mirror.copy(final=True)
        files = [path for path in kept.rglob("*") if path.is_file()]
        for path in files if attempt == 0 else rng.sample(files, rng.randrange(len(files))):
            target = s3 / path.relative_to(kept)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        _, again = restored(s3, tmp_path, f"r{attempt}")
        known = load_experiment(again).state.trials[0].resource
        (text,) = set(checkpoint_of(again, 0))
        assert int(text.split()[1]) <= known


def test_the_pulse_says_what_a_copy_lacks(place, tmp_path):
    work, kept = place
    Mirror(work, kept).copy(final=True)
    found, _ = restored(kept, tmp_path)
    assert lost_reports(kept, found) == 0
    (kept / PULSE).write_text("9")
    assert lost_reports(kept, found) == 7
    (kept / PULSE).write_text("half")
    assert lost_reports(kept, found) == 0


# ---------------------------------------------------------------------- the bootstrap


def bootstrap(tmp_path, code, **environment):
    """Run a statement with the bootstrap's module, whose /opt/ml is a folder of ours."""
    text = f"import hpo.sagemaker.bootstrap as b; b.FAILURE = b.Path({str(tmp_path / 'failure')!r})\n{code}"
    environment = {**os.environ, "PIP_NO_INDEX": "1", **environment}
    done = subprocess.run([sys.executable, "-c", text], cwd=tmp_path, env=environment, capture_output=True, text=True)
    failure = tmp_path / "failure"
    return done, failure.read_text() if failure.exists() else ""


@pytest.mark.process
def test_the_bootstrap_needs_the_standard_library_alone():
    path = Path(sagemaker_bootstrap.__file__)
    code = f"import runpy, sys; runpy.run_path({str(path)!r}, run_name='x'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    tops = {name.partition(".")[0] for name in done.stdout.split()}
    assert tops <= sys.stdlib_module_names | {"__main__"}


def test_requirements_that_are_met_are_not_installed(tmp_path):
    requirements = tmp_path / "r.txt"
    requirements.write_text("numpy>=1\nnothing>=3; sys_platform == 'plan9'\n")
    assert sagemaker_bootstrap.satisfied(requirements)
    for line in ("numpy<1", "no-such-thing", "-r other.txt", "numpy[all]>=1", "numpy @ https://example.org/x.whl"):
        requirements.write_text(line + "\n")
        assert not sagemaker_bootstrap.satisfied(requirements)


@pytest.mark.process
def test_pip_s_reason_is_the_job_s(tmp_path):
    (tmp_path / "r.txt").write_text("no-such-thing-at-all>=3\n")
    code = f"b.WORK = b.CODE = b.Path({str(tmp_path)!r}); b.install(b.Path('r.txt').absolute())"
    done, failure = bootstrap(tmp_path, code)
    assert done.returncode == 1
    assert "requirements could not be installed" in failure
    assert "no-such-thing-at-all" in failure
    assert "Traceback" not in done.stderr


@pytest.mark.process
def test_an_old_python_is_one_sentence(tmp_path):
    done, failure = bootstrap(tmp_path, "b.OLDEST_PYTHON = (9, 9); b.main()")
    assert done.returncode == 1
    assert "framework_version" in failure


@pytest.mark.parametrize("reason", ["x" * 5000, "ü" * 1000, "\ud800 surrogate"])
def test_a_reason_fits_into_what_the_service_takes(tmp_path, monkeypatch, reason):
    monkeypatch.setattr(sagemaker_bootstrap, "FAILURE", tmp_path / "output" / "failure")
    sagemaker_bootstrap.write_failure(reason)
    data = (tmp_path / "output" / "failure").read_bytes()
    assert 0 < len(data) <= 1024
    data.decode()


@pytest.mark.process
def test_sigterm_while_it_prepares_ends_it(tmp_path):
    code = (
        "b.OLDEST_PYTHON = (3, 0); b.tarfile.open = lambda p: __import__('time').sleep(60); print('up', flush=True); "
    )
    code += f"b.CODE = b.Path({str(tmp_path / 'code')!r}); b.main()"
    text = f"import hpo.sagemaker.bootstrap as b\n{code}"
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "up\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 143
