"""`hpo.report`: one line, whole and at once, or a print where no tuner listens."""

import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import hpo
from hpo.backends.report_channel import Channel
from hpo.events.types import Report
from tests.conftest import SCRIPTS


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "reports.jsonl"
    monkeypatch.setenv("HPO_REPORT_FILE", str(path))
    path.touch()
    return path


def reported(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_report_is_one_json_object_on_a_line(file):
    hpo.report(epoch=1, accuracy=0.5)
    hpo.report(epoch=2, accuracy=0.75, name="a\nb", layers=[1, 2], nested={"a": None}, flag=True)
    assert file.read_text().count("\n") == 2
    assert reported(file) == [
        {"epoch": 1, "accuracy": 0.5},
        {"epoch": 2, "accuracy": 0.75, "name": "a\nb", "layers": [1, 2], "nested": {"a": None}, "flag": True},
    ]


def test_a_dictionary_of_values_is_a_report_too(file):
    hpo.report({"loss": 1})
    hpo.report({"loss": 1, "epoch": 2, "test/acc": 0.5}, {"loss": 2}, epoch=3)
    assert reported(file) == [{"loss": 1}, {"loss": 2, "epoch": 3, "test/acc": 0.5}]


@pytest.mark.parametrize("value", [0.5, "loss", None, [1, 2], np.float64(0.5)])
def test_a_value_without_a_name_is_told_what_to_write(file, value):
    with pytest.raises(TypeError, match=r"report\(.*\): give each value a name, as in report\(epoch=3, loss=0.5\)"):
        hpo.report(value)
    with pytest.raises(TypeError, match="give each value a name"):
        hpo.report(3, value)
    assert reported(file) == []


def test_without_a_tuner_a_report_is_printed(capsys):
    hpo.report(epoch=1, accuracy=0.5)
    assert json.loads(capsys.readouterr().out) == {"epoch": 1, "accuracy": 0.5}


def test_the_file_is_made_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("HPO_REPORT_FILE", str(tmp_path / "new.jsonl"))
    hpo.report(epoch=1)
    assert reported(tmp_path / "new.jsonl") == [{"epoch": 1}]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float32(0.5), 0.5),
        (np.float64(0.1), 0.1),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array(2.5), 2.5),
        (np.array([2.5]), 2.5),
        (torch.tensor(0.25), 0.25),
        (torch.tensor([7]), 7),
        (torch.tensor(True), True),
        ([np.float32(0.5), {"a": torch.tensor(1)}], [0.5, {"a": 1}]),
    ],
)
def test_numpy_and_torch_scalars_are_numbers(file, value, plain):
    hpo.report(value=value)
    (found,) = reported(file)
    assert found == {"value": plain}
    assert type(found["value"]) is type(plain)


def test_a_torch_scalar_that_needs_a_gradient_is_a_number(file):
    hpo.report(loss=torch.tensor(0.5, requires_grad=True) * 2)
    assert reported(file) == [{"loss": 1.0}]


def test_nan_and_infinities_are_reported_as_such(file):
    hpo.report(a=float("nan"), b=math.inf, c=np.float32(-np.inf))
    (found,) = reported(file)
    assert math.isnan(found["a"])
    assert (found["b"], found["c"]) == (math.inf, -math.inf)


@pytest.mark.parametrize("value", [object(), {1, 2}, np.zeros(2), torch.zeros(3), b"bytes", print, [np.zeros(2)]])
def test_a_value_that_is_no_json_is_a_type_error_that_names_its_key(file, value):
    with pytest.raises(TypeError, match="weights"):
        hpo.report(epoch=1, weights=value)
    assert file.read_text() == "", "no half of a report is written"


def test_a_value_that_contains_itself_names_its_key_and_writes_nothing(file):
    loop = []
    loop.append(loop)
    with pytest.raises((TypeError, ValueError), match="history"):
        hpo.report(epoch=1, history=loop)
    assert file.read_text() == ""


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=8,
)


@given(metrics=st.dictionaries(st.text(st.characters(), max_size=5), values, max_size=4))
def test_what_is_reported_is_what_the_tuner_reads(file, metrics):
    before = file.stat().st_size
    hpo.report(**metrics)
    assert Channel(file, 0, 0, before).finish() == [Report(0, 0, metrics, file.stat().st_size)]


@pytest.mark.process
def test_several_writers_keep_their_lines_whole(file):
    writers = [subprocess.Popen([sys.executable, str(SCRIPTS / "report_many.py"), name, "60"]) for name in "abcd"]
    assert [writer.wait(timeout=120) for writer in writers] == [0] * 4
    lines = reported(file)
    assert all(line["text"] == line["writer"] * 5000 for line in lines)
    for name in "abcd":
        assert [line["number"] for line in lines if line["writer"] == name] == list(range(60))


def test_a_full_disk_is_an_error_of_the_script_and_not_silence(monkeypatch):
    monkeypatch.setenv("HPO_REPORT_FILE", "/dev/full")
    with pytest.raises(OSError, match="space"):
        hpo.report(epoch=1)


@pytest.mark.process
def test_importing_and_reporting_needs_the_standard_library_only():
    code = (
        "import sys; before = set(sys.modules); from hpo import report; report(a=1);"
        "new = {m.partition('.')[0] for m in set(sys.modules) - before};"
        "print(sorted(new - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ.copy()
    )
    assert done.stdout.splitlines()[-1] == "['hpo']"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], {"lr": 0.1, "epochs": 9, "amp": False, "name": "a"}),
        (["--lr=1", "--epochs=3", "--amp=True", "--name=7"], {"lr": 1.0, "epochs": 3, "amp": True, "name": "7"}),
        (["--lr", "1e-05", "--name", "a=b c"], {"lr": 1e-05, "epochs": 9, "amp": False, "name": "a=b c"}),
        (["--weight-decay=0.5", "--layers=[1, 2]", "--act=relu", "--none=None"],
         {"lr": 0.1, "epochs": 9, "amp": False, "name": "a", "weight_decay": 0.5, "layers": [1, 2], "act": "relu",
          "none": None}),
    ],
)  # fmt: skip
def test_a_script_gets_its_arguments_with_the_types_of_their_defaults(monkeypatch, words, found):
    monkeypatch.setattr(sys, "argv", ["train.py", *words])
    given = vars(hpo.arguments(lr=0.1, epochs=9, amp=False, name="a"))
    assert given == found
    assert {name: type(value) for name, value in given.items()} == {name: type(value) for name, value in found.items()}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("lr=0.1", "'lr=0.1': write --name=value"),
        ("--lr=high", "--lr=high: a number is needed"),
        ("--epochs=1.5", "--epochs=1.5: a value such as 9 is needed"),
    ],
)
def test_an_argument_that_is_none_ends_the_script_with_one_sentence(monkeypatch, word, said):
    monkeypatch.setattr(sys, "argv", ["train.py", word])
    with pytest.raises(SystemExit) as ended:
        hpo.arguments(lr=0.1, epochs=9)
    assert ended.value.code == said
