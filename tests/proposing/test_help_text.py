"""Arguments from help texts, as argparse, click, absl, getopt and optparse write them."""

import pytest

from hpo.errors import ConfigError
from hpo.proposing import help_text
from hpo.proposing.help_text import ask_for_help, has_usage, read_help, read_usage, words_behind

ARGPARSE = """usage: train.py [-h] [--lr LR] [-b BATCH_SIZE] [--opt {sgd,adam}] [--amp]

options:
  -h, --help            show this help message and exit
  --lr LR               learning rate of the optimizer, which is then
                        divided (default: 0.001)
  -b BATCH_SIZE, --batch-size BATCH_SIZE
                        (default: 32)
  --opt {sgd,adam}      (default: sgd)
  --amp                 mixed precision
"""
CLICK = """Usage: train [OPTIONS]

Options:
  -l, --lr FLOAT          Learning rate.  [default: 0.001]
  --batch-size INTEGER    [default: 32]
  --amp / --no-amp
  --help                  Show this message and exit.
"""
GETOPT = """Usage: train [OPTION]...
  -l, --lr=RATE        learning rate (default 1e-3)
  -b N                 images at a time
      --amp            mixed precision
"""


def told(text):
    return [(a.name, a.kind, a.default) for a in read_help(text)]


def test_options_of_argparse():
    assert told(ARGPARSE) == [
        ("lr", "float", 0.001),
        ("batch-size", "int", 32),
        ("opt", "text", "sgd"),
        ("amp", "bool", False),
    ]
    assert read_help(ARGPARSE)[2].choices == ["sgd", "adam"]
    assert read_help(ARGPARSE)[0].help == "learning rate of the optimizer, which is then divided (default: 0.001)"


def test_options_of_click():
    assert told(CLICK) == [("lr", "float", 0.001), ("batch-size", "int", 32), ("amp", "bool", False)]
    assert read_help(CLICK)[2].spelling == "--amp/--no-amp"


def test_options_of_getopt():
    assert told(GETOPT) == [("lr", "float", 0.001), ("b", "int", None), ("amp", "bool", False)]
    assert read_help(GETOPT)[1].spelling == "-b"


def test_a_text_without_options_has_none():
    assert read_help("I train.\nNothing - else\n") == []


@pytest.mark.process
def test_a_program_that_does_not_end_is_given_up_with_all_that_it_started(tmp_path, monkeypatch):
    monkeypatch.setattr(help_text, "SECONDS", 0.5)
    script = tmp_path / "hang.sh"
    script.write_text("sleep 100 & sleep 100\n")
    with pytest.raises(ConfigError, match=r"hang\.sh --help: did not end within 0\.5 s"):
        ask_for_help(["bash", str(script)])


@pytest.mark.process
def test_a_program_that_cannot_be_run_is_one_sentence(tmp_path):
    with pytest.raises(ConfigError, match="nothing --help: cannot be run"):
        ask_for_help([str(tmp_path / "nothing")])


LETTERS = """Usage: fit [options] training_file [model_file]
options:
-t kernel : set kind of kernel (default 2)
\t0 -- linear
-c cost : set the cost of an error (default 1)
-p epsilon : set the epsilon in the loss (default 0.1)
-v n: n-fold cross validation mode
-q : quiet mode
"""


def test_options_of_one_letter_are_called_by_their_values():
    found = [(a.name, a.spelling, a.kind, a.default) for a in read_help(LETTERS)]
    assert found[:4] == [
        ("kernel", "-t", "number", 2),
        ("cost", "-c", "number", 1),
        ("epsilon", "-p", "float", 0.1),
        ("n", "-v", "text", None),
    ]


def test_what_has_to_stand_behind_the_options_is_seen_where_the_usage_says_so():
    assert words_behind(LETTERS) == ["training_file"]
    assert words_behind("usage: train.py [-h] [--lr LR] data\n") == []


PLAIN = """usage: nn [options]
  -l <rate>       learning rate (default: 0.1)
  -h <size>       hidden layer size (default: 8)
  -e <epochs>     how often all of the data are seen (default: 9)
  -n <size>       dataset size (default: 1000)
"""


def test_an_option_of_a_letter_has_a_name_that_its_help_or_its_value_gives_if_that_is_known():
    found = [(a.name, a.spelling, a.default) for a in read_help(PLAIN)]
    assert found == [
        ("learning_rate", "-l", 0.1),
        ("hidden_layer_size", "-h", 8),
        ("epochs", "-e", 9),
        ("n", "-n", 1000),
    ]


def usage_of(text):
    return [(a.name, a.kind, a.default, a.required, a.spelling) for a in read_usage(text)]


def test_words_are_arguments_in_their_places():
    assert usage_of("usage: anneal STEPS COOLING\n") == [
        ("steps", "int", None, True, "1"),
        ("cooling", "number", None, True, "2"),
    ]
    assert read_usage("usage: anneal STEPS COOLING\n")[1].where == "its usage line: anneal STEPS COOLING"


def test_brackets_and_defaults_in_the_line_or_below_it():
    text = "Usage: ./fit <data_file> [lr=0.1] [rate]\n  rate   the rate (default: 3)\n"
    assert usage_of(text) == [
        ("data_file", "text", None, True, "1"),
        ("lr", "float", 0.1, False, "2"),
        ("rate", "number", 3, False, "3"),
    ]


@pytest.mark.parametrize("text", ["usage: fit [-v] DATA\n", "usage: fit FILE...\n", "I fit.\n", "usage: fit\n"])
def test_a_line_with_anything_else_is_not_read(text):
    assert usage_of(text) == []
    assert has_usage(text) == ("DATA" in text or "FILE" in text)
