"""JSON objects read from files of an experiment."""

import pytest

from hpo.store.directory import json_object, read_json


def test_a_json_object_is_read(tmp_path):
    (tmp_path / "a").write_text('{"a": [1]}')
    assert read_json(tmp_path / "a") == {"a": [1]}


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "null", "\N{BYTE ORDER MARK}{}", "[" * 100_000], ids=lambda text: text[:2]
)
def test_what_is_no_json_object_is_nothing_or_an_error_as_one_likes(tmp_path, text):
    (tmp_path / "a").write_text(text)
    assert read_json(tmp_path / "a") == {}
    with pytest.raises(ValueError, match=r"."):
        json_object(text)


def test_a_file_that_is_not_there_or_no_text_holds_nothing(tmp_path):
    assert read_json(tmp_path / "a") == {}
    assert read_json(tmp_path) == {}
    (tmp_path / "a").write_bytes(b"\xff\xfe")
    assert read_json(tmp_path / "a") == {}
