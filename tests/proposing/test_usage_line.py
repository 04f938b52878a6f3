"""Positional arguments of usage lines, as small programs in C and shell print them."""

import pytest

from hpo.proposing.usage_line import has_usage, read_usage


def told(text):
    return [(a.name, a.kind, a.default, a.required, a.spelling) for a in read_usage(text)]


def test_words_are_arguments_in_their_places():
    assert told("usage: anneal STEPS COOLING\n") == [
        ("steps", "int", None, True, "1"),
        ("cooling", "number", None, True, "2"),
    ]
    assert read_usage("usage: anneal STEPS COOLING\n")[1].where == "its usage line: anneal STEPS COOLING"


def test_brackets_and_defaults_in_the_line_or_below_it():
    text = "Usage: ./fit <data_file> [lr=0.1] [rate]\n  rate   the rate (default: 3)\n"
    assert told(text) == [
        ("data_file", "text", None, True, "1"),
        ("lr", "float", 0.1, False, "2"),
        ("rate", "number", 3, False, "3"),
    ]


@pytest.mark.parametrize("text", ["usage: fit [-v] DATA\n", "usage: fit FILE...\n", "I fit.\n", "usage: fit\n"])
def test_a_line_with_anything_else_is_not_read(text):
    assert told(text) == []
    assert has_usage(text) == ("DATA" in text or "FILE" in text)
