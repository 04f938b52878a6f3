"""The file of earlier results: what is written is read, and what is not such a file is said to be none."""

from dataclasses import replace

import pytest

from hpo.earlier.results import from_lines, read_copy, sha256_of, to_lines
from hpo.errors import ConfigError, StoreError
from tests.earlier.making import earlier, new

FIRST = earlier(({"lr": 0.01, "layers": 2}, 9, 0.5), ({"lr": 0.02, "layers": 1}, 1, float("nan")))


def test_what_is_written_is_read(tmp_path):
    content = to_lines([FIRST, earlier(source="empty")])
    again = from_lines(content, tmp_path)
    assert to_lines(again) == content
    assert [experiment.source for experiment in again] == ["first", "empty"]
    assert again[0].results[0] == FIRST.results[0]
    assert list(again[0].losses())[1] == float("inf")


@pytest.mark.parametrize("text", ["[1]", '{"source": 1}', '{"trial": 0}', "{", "\xff", '{"source": "a", "b": 1}'])
def test_what_is_no_such_file_is_one_sentence(tmp_path, text):
    with pytest.raises(ConfigError, match=r"is no warm_start.jsonl as hpo writes it"):
        from_lines(text.encode("latin-1"), tmp_path / "x.jsonl")


def test_a_copy_that_is_gone_or_altered_is_refused(tmp_path):
    content = to_lines([FIRST])
    config = replace(new(), warm_start_sha256=sha256_of(content))
    with pytest.raises(
        StoreError, match="is gone, and the experiment has started from its earlier results; put it back"
    ):
        read_copy(config, tmp_path)
    (tmp_path / "warm_start.jsonl").write_bytes(content.replace(b"0.5", b"0.4"))
    with pytest.raises(StoreError, match="is not what the experiment has started from"):
        read_copy(config, tmp_path)
    (tmp_path / "warm_start.jsonl").write_bytes(content)
    assert to_lines(read_copy(config, tmp_path)) == content
