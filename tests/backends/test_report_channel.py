"""The report channel: whatever a trial writes, in whatever pieces, is read once, whole and in order."""

import itertools
import json
import math
import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.backends.report_channel import DEEPEST, Channel
from hpo.events.types import Garbage, Report

PREFIX = "[tune-metric]: "

plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(), max_size=10)
metrics = st.dictionaries(st.text(st.characters(), max_size=8), plain, max_size=4)
object_lines = metrics.map(lambda m: (json.dumps(m).encode(), m))
utf8_lines = (
    st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3)
    .map(lambda m: (json.dumps(m, ensure_ascii=False).encode(), m))
    .filter(lambda pair: b"\n" not in pair[0])
)
blank_lines = st.sampled_from([b"", b" ", b"\t", b"\r"]).map(lambda line: (line, None))
garbage_lines = st.sampled_from(
    [b"[1, 2]", b"3", b'"text"', b"null", b"true", b"NaN", b"epoch 1: 0.5", b"{", b'{"a": 1', b"\xff\xfe", b"{}}", b"["]
).map(lambda line: (line, Garbage))
lines = st.lists(object_lines | utf8_lines | blank_lines | garbage_lines, max_size=12)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "reports.jsonl"
    path.touch()
    return path


def append(path, data):
    with path.open("ab") as file:
        file.write(data)


def read_all(path, **options):
    channel = Channel(path, 3, 1, **options)
    return channel.finish()


def outcome(events):
    """Metrics of reports, `Garbage` for the others."""
    return [event.metrics if isinstance(event, Report) else Garbage for event in events]


@settings(max_examples=200)
@given(lines=lines, cuts=st.lists(st.floats(0, 1), max_size=8), last_end=st.booleans())
def test_any_split_of_the_bytes_into_writes_gives_the_same_reports(lines, cuts, last_end):
    data = b"".join(line + b"\n" for line, _ in lines)
    wanted = [meaning for _, meaning in lines if meaning is not None]
    if not last_end:
        data += b'{"half": 1'
        wanted.append(Garbage)
    places = sorted({int(cut * len(data)) for cut in cuts} | {0, len(data)})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reports.jsonl"
        path.touch()
        channel = Channel(path, 3, 1)
        events = []
        for begin, end in itertools.pairwise(places):
            append(path, data[begin:end])
            events += channel.read()
        events += channel.finish()
        assert outcome(events) == wanted
        assert all((event.trial_id, event.attempt) == (3, 1) for event in events)
        for event in events:
            if isinstance(event, Report):  # its position is the end of its own line
                assert data[: event.position].endswith(b"\n")
                line = data[: event.position].splitlines()[-1]
                assert json.loads(line) == event.metrics


@settings(max_examples=100)
@given(lines=lines, share=st.floats(0, 1))
def test_reading_goes_on_exactly_from_the_position_of_any_report(lines, share):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reports.jsonl"
        path.write_bytes(b"".join(line + b"\n" for line, _ in lines))
        events = read_all(path)
        reports = [event for event in events if isinstance(event, Report)]
        if not reports:
            return
        chosen = reports[int(share * (len(reports) - 1))]
        assert read_all(path, position=chosen.position) == events[events.index(chosen) + 1 :]


def test_half_a_line_waits_for_its_other_half(file):
    channel = Channel(file, 0, 0)
    append(file, b'{"loss": 0.')
    assert channel.read() == []
    assert channel.position == 0
    append(file, b"25}")
    assert channel.read() == []
    append(file, b"\n")
    assert channel.read() == [Report(0, 0, {"loss": 0.25}, 15)]
    assert channel.finish() == []


def test_half_a_line_that_nobody_completes_is_garbage(file):
    append(file, b'{"loss": 1}\n{"loss": 0.')
    first, second = read_all(file)
    assert first == Report(3, 1, {"loss": 1}, 12)
    assert second == Garbage(3, 1, '{"loss": 0.')


def test_a_character_cut_in_two_is_put_together_again(file):
    line = '{"name": "Größe"}\n'.encode()
    cut = line.index("ö".encode()) + 1
    channel = Channel(file, 0, 0)
    append(file, line[:cut])
    assert channel.read() == []
    append(file, line[cut:])
    assert outcome(channel.read()) == [{"name": "Größe"}]


def test_bytes_that_are_not_utf_8_are_replaced_and_never_an_error(file):
    append(file, b'{"name": "\xff\xfe", "loss": 1}\n\xff\xfe\xfd\n')
    assert outcome(read_all(file)) == [{"name": "��", "loss": 1}, Garbage]


def test_nan_and_infinities_are_numbers(file):
    append(file, b'{"a": NaN, "b": Infinity, "c": -Infinity}\n')
    (report,) = read_all(file)
    assert math.isnan(report.metrics["a"])
    assert report.metrics["b"] == math.inf
    assert report.metrics["c"] == -math.inf


WRITTEN = {
    math.nan: "nan -nan NAN NaN -NaN nan(0x8000000000000) -nan(ind) nan(snan) 1.#QNAN -1.#IND00 1.#QNAN0 -1.#J",
    math.inf: "inf +inf INF Inf Infinity +Infinity infinity 1.#INF 1.#INF00 1e999",
    -math.inf: "-inf -INF -Infinity -1.#INF -1.#INF00 -1E999",
    0.5: ".5 +.5 +0.5 5.D-1 0.5D0 0.05d+01",
    -2.0: "-2. -2.0D0 -2E0",
}
"""A number, and how C (of Windows too), Fortran, awk, R, Go and Lua print it."""


def same(a, b):
    return a == b or (a != a and b != b)


@pytest.mark.parametrize(
    ("number", "text"), [(number, text) for number, texts in WRITTEN.items() for text in texts.split()]
)
@pytest.mark.parametrize("prefixed", [False, True])
def test_a_number_is_read_as_any_language_prints_it(file, number, text, prefixed):
    line = f'{{"epoch": 3, "loss": {text}, "all":[{text},{text}],"in": {{"it":{text}}}}}'
    append(file, f"{PREFIX if prefixed else ''}{line}\n".encode())
    (report,) = read_all(file, prefixed=prefixed)
    found = report.metrics
    assert found["epoch"] == 3
    assert isinstance(found["epoch"], int)
    assert all(same(value, number) for value in (found["loss"], *found["all"], found["in"]["it"])), found


def test_what_stands_in_a_text_is_never_a_number(file):
    told = {"inf": 'nan, -nan: [.5, inf] "inf" \\', "-nan": "1.#QNAN", "x": "{nan"}
    append(file, (json.dumps(told)[:-1] + ', "loss": -nan}\n').encode())
    (report,) = read_all(file)
    assert math.isnan(report.metrics.pop("loss"))
    assert report.metrics == told


@pytest.mark.parametrize(
    "text",
    [
        "nana",
        "infx",
        "1_0",
        "\u0663",
        "--1",
        "-",
        "+",
        ".",
        "e5",
        "01",
        "0x10",
        "NA",
        "True",
        "nan nan",
        "nan(a b)",
        "'1'",
    ],
)
def test_what_is_no_number_in_any_language_keeps_a_line_from_being_a_report(file, text):
    append(file, f'{{"loss": {text}}}\n{{{text}: 1}}\n{{"loss": 1, {text}}}\n'.encode())
    assert outcome(read_all(file)) == [Garbage] * 3


@pytest.mark.parametrize(
    "line",
    [
        '{"\\' * 200_000,
        '{"' + '\\"' * 300_000,
        "{" + "nan(" * 200_000,
        "{" + "1.#QNAN0" * 100_000,
        "{" + "9." * 400_000,
    ],
)
def test_a_long_line_that_is_nearly_json_takes_no_longer_than_its_length(file, line):
    """Where every quote or bracket were looked for anew, each of these would take minutes."""
    append(file, f"{line}\n".encode())
    before = time.process_time()
    assert outcome(read_all(file)) == [Garbage]
    assert time.process_time() - before < 20


@pytest.mark.parametrize("line", ["[1, 2]", "3", '"text"', "null", "true", "loss=3", "{'a': 1}", '{"a": 1} x', "{"])
def test_a_line_that_is_not_one_object_is_garbage_and_shown(file, line):
    append(file, f"{line}\n".encode())
    assert read_all(file) == [Garbage(3, 1, line)]


def test_empty_lines_are_nothing(file):
    append(file, b"\n\n  \n\t\n\r\n")
    assert read_all(file) == []


def test_lines_may_end_as_on_windows(file):
    append(file, b'{"loss": 1}\r\n{"loss": 2}\r\n')
    assert outcome(read_all(file)) == [{"loss": 1}, {"loss": 2}]


def test_a_line_of_10_mb_is_garbage_once_and_the_next_report_is_read(file):
    channel = Channel(file, 0, 0)
    append(file, b'{"loss": 1}\n')
    events = channel.read()
    for _ in range(10):
        append(file, b"x" * 1_000_000)
        events += channel.read()
    append(file, b'\n{"loss": 2}\n')
    events += channel.finish()
    assert outcome(events) == [{"loss": 1}, Garbage, {"loss": 2}]
    assert len(events[1].text) < 1000
    assert events[2].position == file.stat().st_size


def test_a_report_of_half_a_megabyte_is_a_report(file):
    wanted = {"loss": 1, "text": "x" * 500_000}
    append(file, json.dumps(wanted).encode() + b"\n")
    assert outcome(read_all(file)) == [wanted]


def test_nesting_deeper_than_the_parser_goes_is_garbage(file):
    append(file, b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n")
    assert outcome(read_all(file)) == [Garbage]


def deep(levels, brackets):
    return b'{"a": ' + brackets[:1] * (levels - 1) + brackets[1:] * (levels - 1) + b"}\n"


@pytest.mark.parametrize("levels", [2, DEEPEST - 1, DEEPEST])
def test_a_report_may_be_nested_a_hundred_levels(file, levels):
    append(file, deep(levels, b"[]"))
    assert outcome(read_all(file)) != [Garbage]


@pytest.mark.parametrize("levels", [DEEPEST + 1, 500, 900, 950, *range(960, 1000)])
def test_what_is_nested_deeper_is_garbage_however_much_stack_there_is(file, levels):
    """A parser with much stack would take in what nobody with less stack can store or read back."""
    append(file, deep(levels, b"[]") + b'{"loss": 1}\n')
    assert outcome(read_all(file)) == [Garbage, {"loss": 1}]


def test_many_brackets_side_by_side_or_in_a_text_are_no_depth(file):
    wanted = {"loss": 1, "curve": [[i] for i in range(1000)], "text": "[{" * 1000}
    append(file, json.dumps(wanted).encode() + b"\n")
    assert outcome(read_all(file)) == [wanted]


def test_reports_written_by_another_process_without_a_newline_at_first_are_read(file):
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND)
    channel = Channel(file, 0, 0)
    for part in (b"{", b'"loss"', b": 1", b"}", b"\n"):
        os.write(descriptor, part)
        events = channel.read()
    os.close(descriptor)
    assert outcome(events) == [{"loss": 1}]
    channel.finish()


def test_syne_tune_lines_are_found_among_other_output(file):
    text = "starting\n[1, 2]\n{}\n" + PREFIX + '{"loss": 1}\nepoch 2 done ' + PREFIX + '{"loss": 2}\n\nbye'
    append(file, text.encode())
    assert outcome(read_all(file, prefixed=True)) == [{"loss": 1}, {"loss": 2}]


@given(lines=st.lists(metrics.map(json.dumps) | st.sampled_from(["output", "", "[1]", "{}", "x" * 2000]), max_size=10))
def test_syne_tune_reads_exactly_the_prefixed_lines(lines):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stdout.log"
        marked = [(PREFIX + line if line.startswith('{"') else line) for line in lines]
        path.write_text("".join(f"{line}\n" for line in marked))
        assert outcome(read_all(path, prefixed=True)) == [json.loads(line) for line in lines if line.startswith('{"')]


def test_a_broken_syne_tune_line_is_garbage(file):
    append(file, f"{PREFIX}loss=3\n".encode())
    assert outcome(read_all(file, prefixed=True)) == [Garbage]


def test_long_output_of_a_syne_tune_script_is_ignored(file):
    append(file, b"#" * 3_000_000 + f'\n{PREFIX}{{"loss": 1}}\n'.encode())
    assert outcome(read_all(file, prefixed=True)) == [{"loss": 1}]
