"""Reports found in what a program prints: whatever stands between, however it is cut, and the log as it was printed."""

import json
import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.host.printed_reports import LONGEST_LINE, Printed
from hpo.host.report_assembly import Gathering

PATTERNS = {"loss": r"loss[=:] ?(\S+)", "epoch": r"epoch[ =](\d+)"}


class Output:
    """What a program prints, written here."""

    def __init__(self, folder, patterns=PATTERNS, resource="epoch", first=1):
        self.reports, self.log = folder / "reports.jsonl", folder / "stdout.log"
        for file in (self.reports, self.log):
            file.write_bytes(b"")
        gathering = Gathering(
            reports=str(self.reports), metric="loss", resource=resource, first=first, names=list(patterns)
        )
        self.printed = Printed(log=str(self.log), patterns=patterns, gathering=gathering)
        self.pipe = os.open(self.printed.stream, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, *parts):
        for part in parts:
            while part:
                part = part[os.write(self.pipe, part[: 1 << 15]) :]
                while self.printed.look():
                    pass

    def end(self, by_itself=True):
        """What was reported, and what was found."""
        os.close(self.pipe)
        found = self.printed.finish(by_itself=by_itself)
        self.printed.close()
        return [json.loads(line) for line in self.reports.read_text().splitlines()], found


@pytest.fixture
def output(tmp_path):
    return lambda **keys: Output(tmp_path, **keys)


def said(output, *parts, by_itself=True, **keys):
    made = output(**keys)
    made.write(*parts)
    return made.end(by_itself)[0]


def test_values_of_one_line_are_one_report(output):
    assert said(output, b"epoch 1 loss=0.5\nepoch 2 loss=0.25\n") == [
        {"epoch": 1, "loss": 0.5},
        {"epoch": 2, "loss": 0.25},
    ]


def test_a_metric_belongs_to_the_resource_printed_before_it(output):
    assert said(output, b"epoch 1\nwords\nloss: 0.5\nepoch 2\nloss: 0.25\n") == [
        {"epoch": 1, "loss": 0.5},
        {"epoch": 2, "loss": 0.25},
    ]


def test_other_values_belong_to_the_report_of_their_resource_and_to_no_later_one(output):
    patterns = {**PATTERNS, "time": r"took (\S+)", "rate": r"lr (\S+)"}
    lines = b"epoch 1\nlr 0.1\nloss: 0.5\ntook 3\nepoch 2\nloss: 0.25\n"
    assert said(output, lines, patterns=patterns) == [
        {"epoch": 1, "rate": 0.1, "loss": 0.5},
        {"epoch": 2, "loss": 0.25},
    ]


def test_only_the_first_value_of_a_resource_is_a_report(output):
    """As of a progress bar that shows the loss of each step."""
    bars = b"".join(b"\repoch 1 %d%% loss=0.%d" % (n, n) for n in range(10, 99)) + b"\repoch 2 10% loss=0.9\n"
    assert said(output, bars) == [{"epoch": 1, "loss": 0.10}, {"epoch": 2, "loss": 0.9}]


def test_a_metric_before_any_resource_is_left_out_and_counted(output):
    made = output()
    made.write(b"loss=9\nepoch 1\nloss=0.5\n")
    reports, found = made.end()
    assert reports == [{"epoch": 1, "loss": 0.5}]
    assert found == {"counts": {"loss": 2, "epoch": 1}, "reports": 1, "early": 1, "together": 1}


def test_without_a_pattern_for_the_resource_each_metric_is_a_report(output):
    lines = b"loss=0.5\nloss=0.5\nthe end\n"
    assert said(output, lines, resource=None, patterns={"loss": PATTERNS["loss"]}) == [{"loss": 0.5}, {"loss": 0.5}]


def test_a_program_may_count_from_0(output):
    assert said(output, b"epoch 0 loss=2\nepoch 1 loss=1\n", first=0) == [
        {"epoch": 1, "loss": 2},
        {"epoch": 2, "loss": 1},
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", 0.5), ("-3", -3), ("1e-3", 1e-3), (".5", 0.5), ("+inf", float("inf")), ("-Infinity", float("-inf")),
        ("1.0D-03", 1e-3), ("1.#INF", float("inf")), ("007", 7), ("n/a", "n/a"), ("0,5", "0,5"), ('"', '"'),
    ],
)  # fmt: skip
def test_a_value_is_a_number_as_any_language_prints_it_or_else_a_text(output, text, value):
    assert said(output, f"epoch 1 loss={text}\n".encode()) == [{"epoch": 1, "loss": value}]


@pytest.mark.parametrize("text", ["nan", "-nan", "NaN", "-nan(ind)", "1.#QNAN"])
def test_a_training_that_diverged_says_so(output, text):
    (report,) = said(output, f"epoch 1 loss={text}\n".encode())
    assert report["loss"] != report["loss"]


@pytest.mark.parametrize(
    "line",
    [
        b"\x1b[1;32mepoch\x1b[0m 1 \x1b[Kloss=\x1b[31m0.5\x1b[0m\n",
        b"\x1b]0;a title\x07epoch 1 loss=0.5\n",
        b"\x1b(Bepoch 1\x1b[m loss=0.5\x1b[?25h\r\n",
        b"10%\b\b\bepoch 1 loss=0.5\b\b\b",
        b"\xff\xfe\x00\x85 epoch 1 loss=0.5 \xe2\x82\n",
        b"\x1b]0;no end of a title epoch 1 loss=0.5\n",
    ],
)
def test_colours_titles_bars_and_bytes_that_are_no_text_are_no_part_of_a_line(output, line):
    assert said(output, line) == [{"epoch": 1, "loss": 0.5}]


def test_a_pattern_may_have_letters_that_are_not_ascii_and_groups_of_which_one_matches(output):
    patterns = {"loss": "Verlust ↓ (?:alt (\\S+)|neu (\\S+))"}
    assert said(output, "Verlust ↓ neu 0.5\n".encode(), patterns=patterns, resource=None) == [{"loss": 0.5}]


def test_a_last_line_without_an_end_counts_unless_the_program_was_killed(output):
    assert said(output, b"epoch 1 loss=0.123") == [{"epoch": 1, "loss": 0.123}]
    assert said(output, b"epoch 1 loss=0.1", by_itself=False) == []


def test_of_a_line_of_any_length_the_end_is_searched_in_time_and_memory_that_do_not_grow(output):
    made = output(patterns={"loss": ".*loss=(\\S+)"}, resource=None)
    for _ in range(100):
        made.write(b"x" * 100_000)
    made.write(b" loss=0.5\n", b"y" * (LONGEST_LINE + 1) + b"\nloss=0.25\n")
    assert len(made.printed._rest) == 0
    assert made.end()[0] == [{"loss": 0.5}, {"loss": 0.25}]


def test_all_that_is_printed_is_in_the_log_as_it_was_printed(output):
    data = os.urandom(300_000)
    made = output()
    made.write(data)
    made.end()
    assert made.log.read_bytes() == data


def test_reports_that_come_in_one_write_are_known(output):
    made = output()
    made.write(b"epoch 1 loss=3\nepoch 2 loss=2\nepoch 3 loss=1\n")
    assert made.end()[1]["together"] == 3
    made = output()
    made.write(b"epoch 1 loss=3\n", b"epoch 2 loss=2\n", b"epoch 3 loss=1\n")
    assert made.end()[1]["together"] == 1


def test_what_cannot_be_written_is_an_error(tmp_path):
    made = Output(tmp_path)
    made.printed._gathering._file = os.open("/dev/full", os.O_WRONLY)
    os.write(made.pipe, b"epoch 1 loss=0.5\n")
    with pytest.raises(OSError, match="No space left"):
        made.printed.look()


noise = st.binary(max_size=60).map(lambda data: re.sub(rb"loss|epoch", b"", data))


@given(between=st.lists(noise, min_size=4, max_size=4), cuts=st.lists(st.integers(1, 20), max_size=30))
def test_lines_are_found_whatever_stands_between_and_however_it_is_cut(tmp_path_factory, between, cuts):
    lines = [b"epoch %d loss=%d" % (n, 10 - n) for n in range(1, 4)]
    data = (
        between[0]
        + b"\n"
        + b"".join(line + b"\n" + rest + b"\n" for line, rest in zip(lines, between[1:], strict=True))
    )
    made = Output(tmp_path_factory.mktemp("output"))
    at = 0
    for cut in cuts:
        made.write(data[at : at + cut])
        at += cut
    made.write(data[at:])
    reports, _ = made.end()
    assert reports == [{"epoch": n, "loss": 10 - n} for n in range(1, 4)]
    assert made.log.read_bytes() == data


def test_what_the_trainer_of_hugging_face_prints_is_found_by_two_patterns(output):
    """It prints steps between, of which it names the epoch as a fraction."""
    patterns = {"loss": r"'eval_loss': '?([-+.\w]+)", "epoch": r"'epoch': '?(\d+)"}
    lines = (
        b"{'loss': 0.7, 'grad_norm': 1.5, 'learning_rate': 5e-05, 'epoch': 0.5}\n"
        b" 50%|#####     | 2/4 [00:01<00:01]\r"
        b"{'eval_loss': 6.9e-01, 'eval_runtime': 0.1, 'epoch': 1.0}\n"
        b"{'loss': 0.6, 'grad_norm': 1.4, 'learning_rate': 0.0, 'epoch': 1.5}\n"
        b"{'eval_loss': 0.5, 'eval_runtime': 0.1, 'epoch': 2.0}\n"
    )
    assert said(output, lines, patterns=patterns) == [{"loss": 0.69, "epoch": 1}, {"loss": 0.5, "epoch": 2}]
