"""Reports found in a table or JSON lines of the program's own: half rows, new columns, files that begin again."""

import json
import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.host.appended_reports import Appended
from hpo.host.report_assembly import Gathering


class Reading:
    """A file that is read while it is written here."""

    def __init__(self, folder, path, *, table=True, resource="epoch", first=1):
        self.reports = folder / f"reports{time.monotonic_ns()}.jsonl"
        self.reports.write_bytes(b"")
        gathering = Gathering(reports=str(self.reports), metric="loss", resource=resource, first=first, names=[])
        self.appended = Appended(path=str(path), metric="loss", table=table, gathering=gathering)

    def look(self):
        """All that has been reported by now."""
        while self.appended.look():
            pass
        return [json.loads(line) for line in self.reports.read_text().splitlines()]

    def end(self, by_itself=True):
        found = self.appended.finish(by_itself=by_itself)
        self.appended.close()
        return found


@pytest.fixture
def file(tmp_path):
    return tmp_path / "metrics.csv"


@pytest.fixture
def read(tmp_path, file):
    made = []

    def read(path=file, **keys):
        made.append(Reading(tmp_path, path, **keys))
        return made[-1]

    return read


def append(file, text):
    with file.open("ab") as opened:
        opened.write(text.encode())


def test_a_file_that_comes_later_is_read_row_by_row_once_each_row_has_ended(read, file):
    reading = read()
    assert reading.look() == []
    append(file, "epoch,loss,note\n1,0.5,a\n2,0.2")
    assert reading.look() == [{"epoch": 1, "loss": 0.5, "note": "a"}]
    append(file, '5,"b, c"\n')
    assert reading.look()[1:] == [{"epoch": 2, "loss": 0.25, "note": "b, c"}]
    assert reading.end()["counts"] == {"epoch": 2, "loss": 2, "note": 2}


def test_cells_that_are_empty_are_filled_by_other_rows_of_the_same_resource(read, file):
    """As Lightning writes training and validation, each in rows of its own."""
    reading = read(first=0)
    append(file, "epoch,train,loss\n0,0.9,\n0,,0.5\n1,0.8,\n1,,0.4\n")
    assert reading.look() == [{"epoch": 1, "train": 0.9, "loss": 0.5}, {"epoch": 2, "train": 0.8, "loss": 0.4}]


def test_a_table_that_is_written_again_with_another_column_reports_nothing_twice(read, file):
    reading = read()
    append(file, "epoch,loss\n1,0.5\n2,0.4\n")
    assert len(reading.look()) == 2
    file.write_text("epoch,loss,extra\n1,0.5,\n2,0.4,\n3,0.3,7\n")
    assert reading.look()[2:] == [{"epoch": 3, "loss": 0.3, "extra": 7}]
    append(file, "4,0.2,\n")
    assert reading.look()[3:] == [{"epoch": 4, "loss": 0.2}]


def test_so_does_one_whose_rows_are_counted(read, file):
    reading = read(resource=None)
    append(file, "loss\n0.5\n0.5\n")
    assert reading.look() == [{"loss": 0.5}, {"loss": 0.5}]
    file.write_text("loss,extra\n0.5,\n0.5,\n0.3,7\n")
    assert reading.look()[2:] == [{"loss": 0.3, "extra": 7}]


def test_a_file_that_is_replaced_by_another_is_read_from_its_beginning(read, file):
    reading = read()
    append(file, "epoch,loss\n1,0.5\n")
    assert len(reading.look()) == 1
    other = file.with_suffix(".new")
    other.write_text("epoch,loss\n1,0.5\n2,0.4\n")
    other.replace(file)
    assert reading.look()[1:] == [{"epoch": 2, "loss": 0.4}]


def test_what_an_earlier_attempt_wrote_is_not_reported_again(read, file):
    append(file, "epoch,loss\n1,0.5\n2,0.")
    reading = read()
    assert reading.look() == []
    append(file, "2,0.4\n3,0.3\n")  # the half row of one that was killed takes the next one with it
    assert reading.look() == [{"epoch": 3, "loss": 0.3}]


def test_a_file_that_a_later_attempt_begins_again_is_read(read, file):
    append(file, "epoch,loss\n1,0.5\n2,0.4\n")
    reading = read()
    file.write_text("epoch,loss\n1,0.5\n")
    assert reading.look() == [{"epoch": 1, "loss": 0.5}]


def test_of_several_files_the_newest_is_read(read, tmp_path):
    old, new = tmp_path / "version_0", tmp_path / "version_1"
    for folder in (old, new):
        folder.mkdir()
    append(old / "metrics.csv", "epoch,loss\n1,0.5\n")
    os.utime(old / "metrics.csv", (1, 1))
    reading = read(tmp_path / "version_*" / "metrics.csv")
    assert reading.look() == []
    append(new / "metrics.csv", "epoch,loss\n2,0.4\n")
    assert reading.look() == [{"epoch": 2, "loss": 0.4}]


@pytest.mark.parametrize("mark", [";", "\t"])
def test_cells_may_be_parted_otherwise_and_lines_end_as_on_windows(read, file, mark):
    reading = read()
    append(file, f"\ufeffepoch{mark}loss\r\n1{mark}0.5\r\n")
    assert reading.look() == [{"epoch": 1, "loss": 0.5}]


def test_a_header_may_come_again(read, file):
    reading = read()
    append(file, "epoch,loss\n1,0.5\nloss,epoch\n0.4,2\n")
    assert reading.look() == [{"epoch": 1, "loss": 0.5}, {"loss": 0.4, "epoch": 2}]


def test_json_lines_are_reports_and_null_is_nothing(read, file):
    reading = read(table=False)
    append(
        file,
        '{"epoch": 1, "train": [1]}\n\n{"epoch": 1, "train": null, "loss": 0.5}\n{"epoch": 2, "loss": NaN}\n{"epoch"',
    )
    one, two = reading.look()
    assert one == {"epoch": 1, "train": [1], "loss": 0.5}
    assert two["loss"] != two["loss"]
    append(file, ': 3, "loss": 0.25}')
    reading.end()
    assert reading.reports.read_text().splitlines()[-1] == '{"epoch": 3, "loss": 0.25}'


def test_of_a_program_that_was_killed_half_a_line_is_nothing(read, file):
    reading = read()
    append(file, "epoch,loss\n1,0.1")
    reading.end(by_itself=False)
    assert reading.reports.read_text() == ""


@pytest.mark.parametrize("line", ["words", "[1]", '{"loss": -nan}', "[" * 3000, '{"a":' * 3000])
def test_a_line_that_is_no_json_object_is_left_to_the_reader_of_reports(read, file, line):
    reading = read(table=False)
    append(file, line + "\n")
    reading.appended.look()
    assert reading.reports.read_text() == line + "\n"


def test_a_line_longer_than_any_row_is_passed_over(read, file):
    reading = read()
    append(file, "epoch,loss\n" + "x" * (3 << 20) + "\n1,0.5\n")
    assert reading.look() == [{"epoch": 1, "loss": 0.5}]


@given(data=st.binary(max_size=200), table=st.booleans())
def test_no_bytes_are_an_error(tmp_path_factory, data, table):
    folder = tmp_path_factory.mktemp("appended")
    file = folder / "metrics"
    reading = Reading(folder, file, table=table)
    file.write_bytes(data)
    while reading.appended.look():
        pass
    append(file, "\n")
    reading.end()
