"""Changes to an experiment's directory that somebody makes who may write there, and wants to stall, to read or to crash."""

import contextlib
import os
import random
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

from hpo.exporting.portable import MANIFEST
from tests.reliability.fuzzing import mutated, page_swapped

SECRET = "xK9-what-nobody-who-looks-may-see"
FILES = (
    *("experiment.yaml", "metadata.json", "events.db", "events.db-wal", "events.db-shm", "events.db-journal"),
    *(".owner.json", ".lock", "launch.json", "hpo.log", "commands", "trials", "trials/0", "trials/0/attempt_0"),
    *("trials/0/attempt_0/stdout.log", "../../../tag.json"),
)
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
ROW = "i AS seq, 'noted' AS kind, 0.0 AS elapsed, 0.0 AS time, NULL AS trial, NULL AS attempt, NULL AS resource, '{}' AS body"
BARE = "DROP VIEW reports; DROP VIEW trials; "
SCHEMAS = (
    f"{BARE} DROP TABLE events; CREATE VIEW events AS SELECT {ROW}, NULL AS crc FROM ({ENDLESS})",
    f"{BARE} DROP TABLE events; CREATE VIEW events AS SELECT {ROW}, NULL AS crc FROM ({ENDLESS}) WHERE i < 0",
    f"{BARE} DROP TABLE events; CREATE VIEW events AS SELECT {ROW}, 1 AS crc FROM (SELECT 1 AS i) "
    f"ORDER BY ({ENDLESS} LIMIT -1)",
    f"DROP VIEW reports; CREATE VIEW reports AS {ENDLESS}",
    "CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM events; END",
    f"{BARE} DROP TABLE events; CREATE VIRTUAL TABLE events USING fts5(seq, kind, elapsed, time, trial, body)",
    f"{BARE} DROP TABLE events; CREATE TABLE events (seq INTEGER PRIMARY KEY, kind, elapsed, time, trial, attempt, resource, "
    "crc, body AS (hex(zeroblob(500000000)))); INSERT INTO events VALUES (1, 'noted', 0, 0, 0, 0, 0, 0)",
    "UPDATE events SET body = '{\"a\": ' || hex(zeroblob(30000000)) || '}'",
    "UPDATE events SET body = '[' || replace(hex(zeroblob(100000)), '0', '[') WHERE seq = 1",
    "UPDATE events SET kind = 'nobody', trial = 'x'",
    "DELETE FROM events WHERE seq = 2",
    "PRAGMA user_version = 99",
)


def _linked(path: Path, rng: random.Random, secret: Path) -> str:
    target = rng.choice(
        [secret, Path("/dev/zero"), Path("/dev/random"), Path("/etc"), Path("nowhere"), Path(path.name)]
    )
    path.symlink_to(target)
    return f"link to {target.name}"


def _piped(path: Path, _rng: random.Random, _secret: Path) -> str:
    os.mkfifo(path)
    return "pipe"


def _folder(path: Path, _rng: random.Random, _secret: Path) -> str:
    path.mkdir()
    return "folder"


def _large(path: Path, rng: random.Random, _secret: Path) -> str:
    kind = rng.choice(["sparse", "yaml", "deep", "json", "lists"])
    match kind:
        case "sparse":
            path.touch()
            os.truncate(path, 3 << 30)
        case "yaml":
            path.write_text("a:\n" + "- {x: 1.5, y: b}\n" * rng.choice([1000, 300_000]))
        case "deep":
            path.write_text(rng.choice(["[", "{a: ", "- "]) * 200_000)
        case "json":
            path.write_text('{"a":' * 100_000)
        case _:
            path.write_text("[" + "[]," * 1_000_000 + "[]]")
    return f"large: {kind}"


def _noise(path: Path, rng: random.Random, _secret: Path) -> str:
    path.write_bytes(rng.randbytes(rng.choice([0, 1, 100, 5000])))
    return "noise"


KINDS: tuple[Callable[[Path, random.Random, Path], str], ...] = (_linked, _linked, _piped, _folder, _large, _noise)


def mutate(directory: Path, rng: random.Random, secret: Path) -> str:
    """Change a directory. Returns what was done, in words."""
    kind = rng.randrange(10)
    database = directory / "events.db"
    if kind < 2:
        data = database.read_bytes()
        database.write_bytes(page_swapped(rng, data) if rng.random() < 0.3 else mutated(rng, data))
        return "damaged pages"
    if kind < 4:
        script = rng.choice(SCHEMAS)
        with contextlib.closing(sqlite3.connect(database)) as db:
            db.executescript(f"{script}; ")
        return f"schema: {script[:60]}"
    name = rng.choice(FILES)
    path = directory / name
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    return f"{name}: {rng.choice(KINDS)(path, rng, secret)}"


def bundle(directory: Path, place: str, file: Path, rng: random.Random) -> None:
    """A file as `hpo export` writes it, of what is left of an experiment; some are damaged themselves."""
    content = f'{{"format": 1, "hpo": "0", "experiments": ["{place}"], "tags": {{}}}}'
    if rng.random() < 0.1:
        content = rng.choice(["[" * 100_000, "[" + "[]," * 3_000_000 + "[]]", '{"experiments": 1}', "9" * 10_000])
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(MANIFEST, content)
        for name in ("experiment.yaml", "metadata.json", "events.db", "hpo.log"):
            path = directory / name
            if path.is_file() and not path.is_symlink() and path.stat().st_size < 100 << 20:
                archive.write(path, f"{place}/{name}")
        if rng.random() < 0.1:
            with archive.open(f"{place}/host.log", "w") as packed:
                for _ in range(200):
                    packed.write(bytes(1 << 20))
    if rng.random() < 0.2:
        file.write_bytes(mutated(rng, file.read_bytes()))
