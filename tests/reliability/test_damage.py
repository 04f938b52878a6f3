"""Files cut, overwritten or with flipped bits: what is before the damage goes on, or one sentence says what to do."""

import random
import shutil
import sqlite3
import struct
import subprocess
import sys

import pytest

from hpo.errors import HPOError, StoreError
from hpo.events.types import Event, Kind
from hpo.results.experiment import load_experiment
from hpo.store.event_store import Store
from hpo.store.store_repair import open_store
from tests.reliability.harness import RUNS, Project, wait_until

FLIPS = 100
OFFSETS = 200


def note(number):
    return Event(Kind.NOTED, float(number), 1e9 + number, body={"number": number, "text": f"event {number} " * 20})


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """A database of 200 events, closed in order: one file."""
    path = tmp_path_factory.mktemp("closed") / "events.db"
    store = Store(path)
    for number in range(0, 200, 2):
        store.append([note(number), note(number + 1)])
    store.close()
    return {"": path.read_bytes()}


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """What a killed tuner leaves: ten events in the database, thirty in the log beside it, two in each commit."""
    path = tmp_path_factory.mktemp("killed") / "events.db"
    store = Store(path)
    store.append([note(number) for number in range(10)])
    store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    ends = []
    for number in range(10, 40, 2):
        store.append([note(number), note(number + 1)])
        ends.append(path.with_name("events.db-wal").stat().st_size)
    left = {"": path.read_bytes(), "-wal": path.with_name("events.db-wal").read_bytes(), "ends": ends}
    store.close()
    return left


def recovered(folder, files):
    """How many events come back; 0 with one sentence. What comes back is what was written, and can be gone on with."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    path = folder / "events.db"
    for part in ("", "-wal"):
        if part in files:
            path.with_name(f"events.db{part}").write_bytes(files[part])
    sentence = None
    try:
        store = open_store(path)
    except StoreError as error:
        sentence = str(error)
    if sentence is not None:
        assert str(path) in sentence
        assert "\n" not in sentence
        assert "overwrite=true" in sentence or "update hpo" in sentence
        assert path.read_bytes()[100:] == files[""][100:], "what cannot be mended stays as it is"
        return 0
    found = list(store.read())
    assert found == [note(number) for number in range(len(found))]
    for again in range(2):  # a second and a third resume
        store.append([note(len(found) + again)])
        store.close()
        store = open_store(path)
        assert len(list(store.read())) == len(found) + again + 1
    store.close()
    return len(found)


@pytest.mark.timeout(3600)  # tens of thousands of commits to a disk, when every byte is tried
def test_a_log_cut_at_every_byte_of_its_last_two_commits_gives_back_all_commits_before_the_cut(tmp_path, killed):
    ends = killed["ends"]
    log = killed["-wal"]
    step = 1 if RUNS else 41
    cuts = sorted({*range(ends[-3], ends[-1], step), *ends[-3:], *(end - 1 for end in ends[-2:])})
    for cut in cuts:
        whole = sum(end <= cut for end in ends)
        assert recovered(tmp_path / "e", {**killed, "-wal": log[:cut]}) == 10 + 2 * whole, f"cut at byte {cut}"


def test_a_log_cut_anywhere_gives_back_all_commits_before_the_cut(tmp_path, killed):
    rng = random.Random(1)
    for _ in range(OFFSETS if RUNS else 40):
        cut = rng.randrange(len(killed["-wal"]))
        whole = sum(end <= cut for end in killed["ends"])
        files = {**killed, "-wal": killed["-wal"][:cut]}
        assert recovered(tmp_path / "e", files) == 10 + 2 * whole, f"cut at byte {cut}"


def test_flipped_bits_in_a_log_never_change_an_event(tmp_path, killed):
    rng = random.Random(2)
    for _ in range(FLIPS if RUNS else 30):
        log = bytearray(killed["-wal"])
        log[rng.randrange(len(log))] ^= 1 << rng.randrange(8)
        assert recovered(tmp_path / "e", {**killed, "-wal": bytes(log)}) >= 10


@pytest.mark.timeout(3600)
def test_a_database_cut_anywhere_gives_back_what_is_before_the_cut(tmp_path, closed):
    """SQLite keeps events in order in pages; those in whole pages before the cut are to be had."""
    data = closed[""]
    page = struct.unpack(">H", data[16:18])[0]
    rng = random.Random(3)
    last_two = len(data) - 2 * page
    cuts = [rng.randrange(len(data)) for _ in range(OFFSETS if RUNS else 40)]
    cuts += range(last_two, len(data), 1 if RUNS else 401)
    best = 0
    for cut in cuts:
        count = recovered(tmp_path / "e", {"": data[:cut]})
        best = max(best, count)
        pages = data[: cut // page * page]
        # Interior pages are few and may lie behind the cut; then nothing behind them can be found.
        if len(pages) > len(data) * 0.7:
            assert count >= 100, f"cut at byte {cut}"
    assert best >= 180


def test_flipped_bits_in_a_database_never_change_an_event(tmp_path, closed):
    rng = random.Random(4)
    counts = []
    for _ in range(FLIPS if RUNS else 40):
        data = bytearray(closed[""])
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        counts.append(recovered(tmp_path / "e", {"": bytes(data)}))
    assert sum(count > 0 for count in counts) > len(counts) * 0.8


def test_the_damaged_database_is_kept_and_the_warning_names_it(tmp_path, closed, caplog):
    data = bytearray(closed[""])
    where = data.rindex(b'{"number":150')
    data[where + 12] = ord("9")
    path = tmp_path / "events.db"
    path.write_bytes(data)
    store = open_store(path)
    assert len(list(store.read())) == 150
    store.close()
    (kept,) = tmp_path.glob("events.db.damaged-*")
    assert kept.read_bytes() == data
    assert "150 events" in caplog.text
    assert kept.name in caplog.text
    assert sorted(file.name for file in tmp_path.iterdir()) == ["events.db", kept.name], "nothing else is left"


KILLED_AT = """
import os, sys
from pathlib import Path
from hpo.store.store_repair import open_store
left = int(sys.argv[2])
def count(event, _arguments):
    global left
    if event in ("open", "os.rename", "os.link", "os.remove", "os.truncate", "os.mkdir", "os.rmdir", "sqlite3.connect"):
        left -= 1
        if left == 0:
            os._exit(9)
sys.addaudithook(count)
open_store(Path(sys.argv[1])).close()
"""


def test_mending_that_is_killed_before_any_of_its_file_operations_loses_nothing(tmp_path, closed):
    """The damage is in the database, the newest event in the log beside it."""
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "events.db").write_bytes(closed[""])
    store = Store(whole / "events.db")
    store.append([note(200)])
    log = (whole / "events.db-wal").read_bytes()
    store.close()
    data = bytearray(closed[""])
    data[data.rindex(b'{"number":150') + 12] = ord("9")
    operation, codes = 0, [9]
    while codes[-1] == 9:
        operation += 1
        folder = tmp_path / str(operation)
        folder.mkdir()
        (folder / "events.db").write_bytes(data)
        (folder / "events.db-wal").write_bytes(log)
        command = [sys.executable, "-c", KILLED_AT, folder / "events.db", str(operation)]
        codes.append(subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode)
        store = open_store(folder / "events.db")
        assert list(store.read()) == [note(number) for number in range(150)], f"killed before operation {operation}"
        store.close()
        kept = next(folder.glob("events.db.damaged-*[0-9]"))
        parts = [path.read_bytes() for path in folder.glob(f"{kept.name}*")]
        assert any(b"event 200 " in part for part in parts), "what is behind the damage is kept too"
        assert not [*folder.glob(".salvage"), *folder.glob("*.mended")]
    assert codes[-1] == 0
    assert operation > 10


def test_a_log_of_the_first_schema_is_read_and_gone_on_with(tmp_path):
    path = tmp_path / "events.db"
    old = sqlite3.connect(path)
    old.executescript(
        "CREATE TABLE events (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, elapsed REAL NOT NULL, time REAL NOT NULL, "
        "trial INTEGER, attempt INTEGER, resource INTEGER, body TEXT NOT NULL); PRAGMA user_version = 1;"
        "INSERT INTO events VALUES (1, 'noted', 0.5, 2.0, NULL, NULL, NULL, '{}');"
    )
    old.close()
    first = Event(Kind.NOTED, 0.5, 2.0)
    reader = Store(path, read_only=True)
    assert list(reader.read()) == [first]
    reader.close()
    store = open_store(path)
    store.append([note(1)])
    assert list(store.read()) == [first, note(1)]
    store.close()


# ---------------------------------------------------------------------------------------------- whole experiments


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """An experiment whose tuner was killed in the middle."""
    folder = tmp_path_factory.mktemp("project")
    project = Project(folder / "p", trials=6, seconds=0.02)
    tuner = project.start()
    events = project.directory / "events.db"

    def reports():
        try:
            return load_experiment(project.directory).state.reports
        except HPOError:
            return 0

    wait_until(lambda: events.exists() and reports() >= 10, what="ten reports")
    tuner.kill()
    tuner.wait()
    return project


def mixed_or_lost(project):
    """Every stored report was made by the configuration it is stored under, once."""
    experiment = load_experiment(project.directory)
    rows = [
        (
            event.trial,
            experiment.state.trials[event.trial].trial.configuration["x"],
            event.resource,
            event.body["metrics"],
        )
        for event in experiment.events
        if event.kind == Kind.REPORTED
    ]
    assert len({(trial, epoch) for trial, _, epoch, _ in rows}) == len(rows)
    assert all(metrics["loss"] == (x - 0.3) ** 2 + 1 / epoch for _, x, epoch, metrics in rows)
    return len(rows)


def copy_of(project, folder):
    """The project, elsewhere; its paths are made those of the copy."""
    shutil.copytree(project.folder, folder, ignore=shutil.ignore_patterns(".lock", ".tag.lock", ".seed.lock"))
    for path in (folder / "conf" / "benchmark" / "truth.yaml", *folder.glob("outputs/**/experiment.yaml")):
        path.write_text(path.read_text().replace(str(project.folder), str(folder)))
    other = object.__new__(Project)
    other.folder, other.overrides = folder, project.overrides
    other.directory = folder / "outputs" / "t" / "truth" / "ASHA" / "seed_0"
    (folder / "output").write_text("")
    return other


def cut(share):
    def damage(path):
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    return damage


def unfinished(path):
    """Cut in the middle of a list: a cut elsewhere can leave a shorter file that is whole."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + b"\nkey: [1, ")


def garbage(path):
    path.write_bytes(random.Random(5).randbytes(3000))


def empty(path):
    path.write_bytes(b"")


def torn(path):
    with path.open("ab") as file:
        file.write(b'\x00\xff\n{"epoch": 3, "lo')


GOES_ON = [
    ("events.db-wal", cut(0.5)),
    ("events.db-wal", garbage),
    ("events.db-shm", garbage),
    ("metadata.json", cut(0.5)),
    ("metadata.json", garbage),
    ("metadata.json", empty),
    ("../../../tag.json", garbage),
    ("../../../tag.json", cut(0.3)),
    ("trials/*/attempt_*/reports.jsonl", torn),
    ("trials/*/attempt_*/reports.jsonl", garbage),
    ("trials/*/attempt_*/reports.jsonl", empty),
    (".owner.json", garbage),
]
IS_SAID = [
    ("events.db", garbage),
    ("experiment.yaml", garbage),
    ("experiment.yaml", unfinished),
    ("experiment.yaml", empty),
]


def name(value):
    return value if isinstance(value, str) else getattr(value, "__name__", "")


@pytest.mark.parametrize(("pattern", "damage"), GOES_ON, ids=name)
def test_the_same_command_goes_on_with_a_damaged_file(tmp_path, interrupted, pattern, damage):
    project = copy_of(interrupted, tmp_path / "p")
    for path in sorted(project.directory.glob(pattern)):
        damage(path)
    for _ in range(3 if RUNS else 1):
        assert project.finish() == 0, project.output()
    assert "Traceback" not in project.output()
    assert mixed_or_lost(project) >= 10
    experiment = load_experiment(project.directory)
    assert experiment.metadata["status"] == "complete"
    assert len(experiment.state.trials) == 6


@pytest.mark.parametrize(("pattern", "damage"), IS_SAID, ids=name)
def test_a_file_that_cannot_be_done_without_is_one_sentence(tmp_path, interrupted, pattern, damage):
    project = copy_of(interrupted, tmp_path / "p")
    path = project.directory / pattern
    path.with_name("events.db-wal").unlink() if pattern == "events.db" else None
    damage(path)
    before = path.read_bytes()
    assert project.finish() == 1
    errors = [line for line in project.output().splitlines() if "error" in line]
    assert len(errors) == 1, project.output()
    assert "Traceback" not in project.output()
    assert pattern in errors[0]
    assert path.read_bytes() == before
    if pattern == "experiment.yaml":
        path.unlink()  # what the sentence says
        assert project.finish() == 0, project.output()
        assert mixed_or_lost(project) >= 10
