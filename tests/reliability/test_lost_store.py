"""`events.db` is removed, replaced or truncated while an experiment runs: no acknowledged report is lost in silence."""

import contextlib
import random
import shutil
import sqlite3
import time

import pytest

from hpo.events.types import Kind
from hpo.results.experiment import load_experiment
from hpo.store.event_store import Store
from tests.reliability.harness import RUNS, Project, wait_until

MOMENTS = 20


def remove(path, _):
    path.unlink()


def remove_all(path, _):
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)


def remove_log(path, _):
    path.with_name(f"{path.name}-wal").unlink()


def replace(path, other):
    shutil.copyfile(other, path.with_name("other"))
    path.with_name("other").replace(path)


def overwrite(path, other):
    shutil.copyfile(other, path)


def truncate(path, _):
    path.write_bytes(b"")


def truncate_log(path, _):
    path.with_name(f"{path.name}-wal").write_bytes(b"")


DAMAGES = [remove, remove_all, remove_log, replace, overwrite, truncate, truncate_log]


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A whole event store of another experiment."""
    path = tmp_path_factory.mktemp("other") / "events.db"
    with contextlib.closing(Store(path)):
        pass
    return path


def stored(project):
    with contextlib.closing(sqlite3.connect(f"file:{project.directory}/events.db?mode=ro", uri=True)) as db:
        return db.execute("SELECT count(*) FROM events").fetchone()[0]


@pytest.mark.process
@pytest.mark.parametrize("damage", DAMAGES if RUNS else [remove_all, overwrite, truncate], ids=lambda d: d.__name__)
def test_acknowledged_reports_are_in_the_file_that_is_there(tmp_path, damage, other):
    project = Project(tmp_path, method="ASHA", workers=2, trials=60, seconds=0.02)
    process = project.start()
    rng = random.Random(damage.__name__)
    path = project.directory / "events.db"
    for _ in range(MOMENTS if RUNS else 3):  # of the suite all lie well before the end
        wait_until(lambda: project.truth() or process.poll() is not None)
        time.sleep(rng.uniform(0.05, 0.4))
        if process.poll() is not None:
            break
        with contextlib.suppress(FileNotFoundError):  # of the attack: the log is not there yet
            damage(path, other)
    assert process.wait(100) == 0, project.output()
    said = project.output()
    if damage in {remove, remove_all, replace}:  # after the others SQLite's log may still hold all events
        assert "events are written again, and the experiment continues" in said
    assert "Traceback" not in said
    experiment = load_experiment(project.directory)
    known = {(e.trial, e.resource, e.body["metrics"]["loss"]) for e in experiment.events if e.kind == Kind.REPORTED}
    lost = [report for report in project.truth() if (report[0], report[2], report[3]) not in known]
    assert lost == [], f"{len(lost)} acknowledged reports are not in the log"
    before = len(project.truth())
    assert project.finish() == 0
    assert len(project.truth()) == before, "it was complete"


@pytest.mark.process
def test_a_folder_that_is_deleted_is_what_the_sentence_names(tmp_path):
    project = Project(tmp_path, method="RS", workers=2, trials=1000, seconds=0.02)
    process = project.start()
    wait_until(lambda: len(project.truth()) > 5)
    (project.folder / "outputs").rename(project.folder / "bin")
    shutil.rmtree(project.folder / "bin", ignore_errors=True)
    assert process.wait(60) == 1
    (sentence,) = [line for line in project.output().splitlines() if "error" in line]
    assert f"{project.directory.relative_to(project.folder)}: the folder is gone" in sentence.replace(
        f"{tmp_path}/", ""
    )
    assert "free disk space" not in sentence


@pytest.mark.process
@pytest.mark.parametrize("damage", [remove, truncate])
def test_a_store_lost_after_the_end_does_not_train_everything_again(tmp_path, damage):
    project = Project(tmp_path, method="RS", trials=2, seconds=0.0)
    assert project.finish() == 0
    trained = len(project.truth())
    damage(project.directory / "events.db", None)
    assert project.finish() == 1
    (sentence,) = [line for line in project.output().splitlines() if "error" in line]
    assert "events.db: is gone or empty" in sentence
    assert "the 2 trial(s)" in sentence
    assert "overwrite=true" in sentence
    assert len(project.truth()) == trained
