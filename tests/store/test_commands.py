"""The folder of commands: whole files in order, and nothing else is read, followed or waited for."""

import json
import os

import pytest

from hpo.errors import ConfigError, StoreError
from hpo.events.steering import Command
from hpo.store.commands import MOST_BYTES, CommandFolder, new_id


@pytest.fixture
def folder(tmp_path):
    return CommandFolder(tmp_path / "commands")


def test_commands_come_back_as_they_were_given_in_the_order_of_their_ids(folder):
    given = [Command(new_id(), "stop", {"trial": number}, "me") for number in range(3)]
    for command in reversed(given):
        folder.give(command)
    assert [folder.read(name) for name in folder.waiting()] == given
    assert folder.opened < given[0].id
    folder.remove(given[1].id)
    assert folder.waiting() == [given[0].id, given[2].id]
    assert {path.name for path in folder.path.iterdir()} == {f"{name}.json" for name in folder.waiting()}


def test_what_is_no_name_of_a_command_is_left_alone(folder):
    folder.path.mkdir()
    for name in ("notes.txt", ".0001.json.77.tmp", "..json", "a b.json", f"{'a' * 65}.json"):
        (folder.path / name).write_text("{}")
    assert folder.waiting() == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "Expecting value"),
        ("[1]", "not a JSON object"),
        ("[" * 3000, "nested too deeply"),
        ('{"command": 7}', "not of the form"),
        ('{"command": "stop", "arguments": [7]}', "not of the form"),
        (json.dumps({"command": "hold", "by": "x" * MOST_BYTES}), f"longer than {MOST_BYTES} bytes"),
    ],
)
def test_what_is_no_command_is_said_and_not_guessed_at(folder, content, said):
    folder.path.mkdir()
    (folder.path / "1.json").write_text(content)
    with pytest.raises(ValueError, match=said):
        folder.read("1")


def test_no_link_is_followed_and_no_pipe_waited_for(folder, tmp_path):
    folder.path.mkdir()
    (tmp_path / "elsewhere").write_text('{"command": "end"}')
    (folder.path / "1.json").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(folder.path / "2.json")
    (folder.path / "3.json").mkdir()
    for name in folder.waiting():
        with pytest.raises((OSError, ValueError)):
            folder.read(name)
    folder.remove("1")
    assert (tmp_path / "elsewhere").exists()


def test_a_command_that_is_too_long_and_a_folder_that_cannot_be_made_are_one_sentence_each(folder, tmp_path):
    with pytest.raises(ConfigError, match="4096 bytes"):
        folder.give(Command("1", "hold", {}, "x" * MOST_BYTES))
    (tmp_path / "commands").write_text("a file is here")
    with pytest.raises(StoreError, match=r"commands: .*File exists"):
        folder.give(Command("1", "hold"))


def test_a_link_in_the_place_of_the_folder_has_nothing_read_deleted_or_written_elsewhere(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "1.json").write_text('{"command": "end"}')
    folder.path.symlink_to(elsewhere)
    for work in (folder.waiting, lambda: folder.read("1"), lambda: folder.remove("1")):
        with pytest.raises(OSError, match="Not a directory"):
            work()
    with pytest.raises(StoreError, match="Not a directory"):
        folder.give(Command("2", "hold"))
    assert [path.name for path in elsewhere.iterdir()] == ["1.json"]
