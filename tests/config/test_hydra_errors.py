"""Mistakes in overrides: the sentence has the same override with the quotes that Hydra's grammar needs."""

import re

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import OverrideParseException

from hpo.config.hydra_errors import unreadable


def sentence_about(override):
    with pytest.raises(OverrideParseException) as caught:
        OverridesParser.create().parse_overrides([override])
    return unreadable(override, caught.value.message)


@pytest.mark.parametrize(
    ("override", "odd", "value"),
    [
        (
            "benchmark.command=[torchrun,--nproc-per-node=2,t.py]",
            "--nproc-per-node=2",
            ["torchrun", "--nproc-per-node=2", "t.py"],
        ),
        ("benchmark.command=[./svm, {arguments}, a.txt]", "{arguments}", ["./svm", "{arguments}", "a.txt"]),
        ("benchmark.arguments.form=a=b", "a=b", "a=b"),
        ("benchmark.script=~/train.py", "~/train.py", "~/train.py"),
    ],
)
def test_a_text_that_the_grammar_does_not_take_is_shown_with_quotes_that_it_takes(override, odd, value):
    sentence = sentence_about(override)
    assert f"{odd!r} needs quotes that the shell leaves" in sentence
    shown = re.search(r"write '(.*)'$", sentence)[1]
    assert OverridesParser.create().parse_overrides([shown])[0].value() == value


@pytest.mark.parametrize(
    "override", ["seed=range(1,5", "benchmark={a:", "benchmark.command=[a,[b=c]]", "seed=[1", "a b=c"]
)
def test_quotes_are_not_the_remedy_for_a_bracket_that_is_not_closed(override):
    assert "is not an override of the form key=value" in sentence_about(override)
