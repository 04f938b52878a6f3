"""Files that are replaced whole."""

import json
import subprocess
import sys

import pytest

from hpo.store.replacing import replacing, write_atomically


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
from hpo.store.replacing import replacing
with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_text("begun")
    print(temporary, flush=True)
    sys.stdin.readline()
"""


@pytest.mark.process
@pytest.mark.parametrize("killed", [True, False])
def test_what_a_killed_writer_left_is_removed_and_what_another_is_writing_is_not(tmp_path, killed):
    path = tmp_path / "a.json"
    others = [tmp_path / name for name in (".a.json.best.tmp", ".b.json.7.tmp", "a.json.7.tmp")]
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
