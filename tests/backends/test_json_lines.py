"""Lines of JSON between two processes."""

import pytest

from hpo.backends.json_lines import JsonLines


@pytest.fixture
def lines():
    made = JsonLines()
    yield made
    made.theirs.close()
    made.close()


def test_messages_come_whole_however_they_were_cut(lines):
    lines.theirs.sendall(b'{"a": 1}\n{"b"')
    assert lines.receive() == [{"a": 1}]
    lines.theirs.sendall(b": 2")
    assert lines.receive() == []
    lines.theirs.sendall(b'}\n{"c": 3}\n')
    assert lines.receive() == [{"b": 2}, {"c": 3}]


def test_what_is_said_arrives_as_a_line(lines):
    lines.send({"x": "\ud800"})
    assert lines.theirs.recv(100) == b'{"x": "\\ud800"}\n'


def test_when_the_other_side_has_ended_that_is_heard_once_and_nothing_fails(lines):
    lines.theirs.close()
    lines.send({"too": "late"})
    assert lines.receive() is None
    assert not lines.alive
    lines.send({"much": "too late"})
