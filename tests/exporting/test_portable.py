"""What `hpo import` unpacks of a file that somebody else has made: not without measure, and nothing that acts when read."""

import json
import tracemalloc
import zipfile

import pytest

from hpo.errors import ConfigError
from hpo.exporting.portable import MANIFEST, unpack

PLACE = "t/b/ASHA/seed_0"


def made(path, files, *, way=zipfile.ZIP_DEFLATED, manifest=None):
    with zipfile.ZipFile(path, "w", way) as archive:
        content = {"format": 1, "hpo": "0", "experiments": [PLACE], "tags": {}}
        archive.writestr(MANIFEST, json.dumps(content) if manifest is None else manifest)
        for name, size in files.items():
            with archive.open(f"{PLACE}/{name}", "w", force_zip64=True) as file:
                for _ in range(size >> 20):
                    file.write(bytes(1 << 20))
    return path


def refused(path, tmp_path, match, **keys):
    with pytest.raises(ConfigError, match=match):
        unpack(path, tmp_path / "outputs", **keys)
    left = tmp_path / "outputs"
    assert not left.exists() or list(left.iterdir()) == []


def test_a_small_file_does_not_become_a_large_experiment(tmp_path):
    path = made(tmp_path / "bomb.zip", {"hpo.log": 300 << 20})
    assert path.stat().st_size < 1 << 20
    refused(path, tmp_path, "becomes more than 0.067 GB .* --largest-gigabytes")


def test_what_a_file_says_of_its_size_is_not_believed(tmp_path):
    path = made(tmp_path / "bomb.zip", {"hpo.log": 300 << 20})
    data = path.read_bytes()
    true = (300 << 20).to_bytes(8, "little")
    short = (300 << 20).to_bytes(4, "little")
    assert true in data or short in data
    path.write_bytes(
        data.replace(true, (1 << 10).to_bytes(8, "little")).replace(short, (1 << 10).to_bytes(4, "little"))
    )
    refused(path, tmp_path, "becomes more than|cannot be unpacked")


def test_who_expects_a_large_experiment_allows_it(tmp_path):
    path = made(tmp_path / "large.zip", {"hpo.log": 100 << 20})
    refused(path, tmp_path, "becomes more than 0.1 GB", most=100_000_000)
    refused(path, tmp_path, "is damaged", most=200_000_000)  # it goes on to look at what it has unpacked


def test_a_manifest_that_has_no_end_takes_no_memory(tmp_path):
    path = made(tmp_path / "bomb.zip", {}, manifest=b"[" + bytes(400 << 20))
    tracemalloc.start()
    try:
        refused(path, tmp_path, "no sound hpo-export.json in it: it has more than 4,194,304 bytes")
        assert tracemalloc.get_traced_memory()[1] < 50 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("way", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_ways_of_packing_that_hpo_does_not_use_are_refused(tmp_path, way):
    refused(made(tmp_path / "odd.zip", {}, way=way), tmp_path, "packed in a way that hpo export does not use")


@pytest.mark.parametrize("end", ["-journal", "-wal", "-shm"])
def test_no_journal_comes_with_a_database(tmp_path, end):
    """SQLite plays a journal back as soon as somebody writes: what it says is done to the database, and to other files."""
    path = made(tmp_path / "odd.zip", {f"events.db{end}": 0})
    refused(path, tmp_path, f"holds '{PLACE}/events.db{end}', which hpo export does not write")
