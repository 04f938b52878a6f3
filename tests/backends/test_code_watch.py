"""Which version of a script and of the sources beside it is there, at each look."""

import hashlib
import os
import time

import pytest

from hpo.backends import code_watch
from hpo.backends.code_watch import CodeWatch
from hpo.events.code import changed_files

OLD = time.time_ns() - 3600 * 10**9
"""An hour ago."""


def digest(data):
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def settle():
    """Wait until any further change gives a file another signature."""
    time.sleep(0.12)


@pytest.fixture
def folder(tmp_path):
    for name, text in {
        "train.py": "one",
        "model.py": "a",
        "notes.txt": "n",
        "conf.yaml": "y",
        "lib/part.py": "p",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    settle()
    return tmp_path


def test_a_version_is_the_script_the_sources_beside_it_and_what_else_is_known(folder):
    watch = CodeWatch(folder / "train.py", tracked=["conf.yaml", "notes.txt"], facts={"commit": "abc"})
    code = watch.look()
    assert code["script"] == str(folder / "train.py")
    assert code["digest"] == digest(b"one")
    assert dict(code["sources"]) == {
        "train.py": digest(b"one"),
        "model.py": digest(b"a"),
        "lib/part.py": digest(b"p"),
        "conf.yaml": digest(b"y"),
    }
    assert code["tracked"] == ["conf.yaml"]
    assert code["commit"] == "abc"
    assert watch.touched == []


def test_it_is_the_same_object_until_something_changes(folder):
    watch = CodeWatch(folder / "train.py")
    first = watch.look()
    assert watch.look() is first
    (folder / "notes.txt").write_text("more")
    (folder / "run.log").write_text("out")
    assert watch.look() is first
    (folder / "train.py").write_text("two")
    second = watch.look()
    assert second is not first
    assert changed_files(first, second) == ["train.py"]
    assert watch.touched == [("train.py", True)]


@pytest.mark.parametrize("name", ["train.py", "model.py", "lib/part.py"])
def test_a_change_of_equal_length_that_hides_its_time_is_seen(folder, name):
    """The time of the last change is the kernel's alone."""
    path = folder / name
    os.utime(path, ns=(OLD, OLD))
    settle()
    watch = CodeWatch(folder / "train.py")
    first = watch.look()
    path.write_text("z" * len(path.read_text()))
    os.utime(path, ns=(OLD, OLD))
    assert changed_files(first, watch.look()) == [name]


def test_two_changes_within_a_tick_of_the_clock_are_both_seen(folder):
    """A file that was written a moment ago is read at each look, for its signature need not tell of the next change."""
    script = folder / "train.py"
    script.write_text("two")
    watch = CodeWatch(script)
    for text in ("three", "four!", "five?"):
        script.write_text(text)
        assert watch.look()["digest"] == digest(text.encode())


def test_a_file_that_is_written_with_what_it_had_is_touched_and_unchanged(folder):
    watch = CodeWatch(folder / "train.py")
    first = watch.look()
    (folder / "model.py").write_text("a")
    assert watch.look() is first
    assert watch.touched == [("model.py", False)]


def test_a_file_that_is_replaced_removed_or_put_back_is_seen(folder):
    watch = CodeWatch(folder / "train.py")
    first = watch.look()
    (folder / "new").write_text("b")
    (folder / "new").rename(folder / "model.py")
    second = watch.look()
    assert second["sources"]["model.py"] == digest(b"b")
    (folder / "model.py").unlink()
    third = watch.look()
    assert "model.py" not in third["sources"]
    assert changed_files(second, third) == ["model.py"]
    (folder / "model.py").write_text("a")
    fourth = watch.look()
    assert changed_files(first, fourth) == []
    assert [name for name, _ in watch.touched] == ["model.py"] * 3


def test_a_script_that_is_gone_has_no_digest(folder):
    watch = CodeWatch(folder / "train.py")
    assert watch.script_signature is not None
    (folder / "train.py").unlink()
    assert watch.look()["digest"] is None
    assert watch.script_signature is None


def test_the_signature_is_that_of_the_content_that_was_read(folder):
    script = folder / "train.py"
    watch = CodeWatch(script)
    status = script.stat()
    expected = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
    assert watch.script_signature == expected
    script.write_text("other")
    assert watch.script_signature == expected, "nothing was looked at since"
    watch.look()
    assert watch.script_signature != expected


def test_a_new_source_belongs_to_the_version_and_is_no_change_of_one(folder):
    watch = CodeWatch(folder / "train.py")
    first = watch.look()
    (folder / "more.py").write_text("m")
    assert watch.look() is first, "a folder is searched only if a known file has changed"
    (folder / "model.py").write_text("b")
    second = watch.look()
    assert second["sources"]["more.py"] == digest(b"m")
    assert changed_files(first, second) == ["model.py"]


def test_of_a_folder_with_too_many_files_only_the_script_is_watched(folder, monkeypatch):
    monkeypatch.setattr(code_watch, "files_beside", lambda _: None)
    watch = CodeWatch(folder / "train.py")
    first = watch.look()
    assert first["sources"] is None
    assert first["all"] is None
    (folder / "model.py").write_text("b")
    assert watch.look() is first
    (folder / "train.py").write_text("two")
    assert changed_files(first, watch.look()) == ["train.py"]


def test_files_that_have_not_changed_are_not_read_again(folder, monkeypatch):
    watch = CodeWatch(folder / "train.py")
    monkeypatch.setattr(code_watch, "_read", lambda path: pytest.fail(f"{path} was read"))
    watch.look()
