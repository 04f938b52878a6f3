"""Files that are replaced whole."""

import json
import os
import subprocess
import sys
import time

import pytest

from hpo.store.atomic_files import replacing, write_atomically


def test_a_replaced_file_is_the_old_one_or_the_new_one_and_nothing_stays_beside_it(tmp_path):
    path = tmp_path / "a.json"
    write_atomically(path, b"{}")
    with pytest.raises(TypeError), replacing(path) as temporary, temporary.open("w") as file:
        json.dump(["half", object()], file)
    assert path.read_text() == "{}"
    with replacing(path) as temporary:
        temporary.write_text("[]")
        assert path.read_text() == "{}"
    assert path.read_text() == "[]"
    assert list(tmp_path.iterdir()) == [path]


WRITING_WHEN_TOLD = """
import sys
from pathlib import Path
from hpo.store.atomic_files import replacing
with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_text("begun")
    print(temporary, flush=True)
    sys.stdin.readline()
"""


@pytest.mark.process
@pytest.mark.parametrize("killed", [True, False])
def test_what_a_killed_writer_left_is_removed_and_what_another_is_writing_is_not(tmp_path, killed):
    path = tmp_path / "a.json"
    others = [tmp_path / name for name in (".a.json.best.tmp", ".b.json.7.7.tmp", "a.json.7.7.tmp")]
    for other in others:
        other.touch()
    with subprocess.Popen(
        [sys.executable, "-c", WRITING_WHEN_TOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        left = tmp_path / process.stdout.readline().strip()
        if killed:
            process.kill()
            process.wait()
        assert left.read_text() == "begun"
        write_atomically(path, b"{}")
        assert left.exists() != killed
        if not killed:
            process.communicate("go on\n", timeout=60)
            assert path.read_text() == "begun"
    assert sorted(tmp_path.iterdir()) == sorted([path, *others])


@pytest.mark.parametrize(("age", "kept"), [(0, True), (7200, False)])
def test_what_another_machine_writes_is_left_alone_for_an_hour_for_its_lock_may_not_be_seen(
    tmp_path, monkeypatch, age, kept
):
    path = tmp_path / "a.json"
    with replacing(path) as theirs:
        theirs.write_text("theirs")
        os.utime(theirs, times=(time.time() - age,) * 2)
        monkeypatch.setattr("hpo.store.atomic_files.machine", lambda: "another")
        monkeypatch.setattr("fcntl.flock", lambda *_: None)
        write_atomically(path, b"ours")
        assert theirs.exists() == kept
        theirs.touch()
    assert path.read_text() == ("theirs" if kept else "")


def test_writers_of_one_number_on_two_hosts_do_not_write_to_the_same_file(tmp_path, monkeypatch):
    monkeypatch.setattr("os.getpid", lambda: 7)
    path = tmp_path / "a.json"
    with replacing(path) as one, replacing(path) as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one", "what ends last is what stays"
    assert list(tmp_path.iterdir()) == [path]
