"""A verb's command line is its function's signature."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import click
import pytest

from hpo.cli.commands.app import VERBS, Option, Word, verb
from hpo.cli.commands.main import MODULES, main

given = []


@pytest.fixture
def look(monkeypatch):
    """A verb of every kind of parameter, for the time of a test."""
    monkeypatch.setitem(MODULES, "look-at", "app")
    given.clear()

    @verb("look-at")
    def look_at(
        place: Annotated[str, Word("DIR|TAG", "Where.")],
        more: Annotated[Sequence[str], Word("KEY=VALUE...", "What.")] = (),
        output: Annotated[Path | None, Option("To.", ["--output", "-o"])] = None,
        trust: Annotated[Sequence[str], Option("Whom.", metavar="MODULE")] = (),
        delta: Annotated[float, Option("How much.")] = 0.5,
        count: Annotated[int, Option("How many.")] = 0,
        once: Annotated[bool, Option("One time.")] = False,
        browser: Annotated[bool, Option("Open it.", ["--browser/--no-browser"])] = True,
        secret: Annotated[str, Option(hidden=True)] = "",
    ) -> None:
        """Look at something.

        And no further.
        """
        given.append((place, tuple(more), output, tuple(trust), delta, count, once, browser, secret))
        if count == 7:
            raise click.exceptions.Exit(3)

    yield
    del VERBS["look-at"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["here"], ("here", (), None, (), 0.5, 0, False, True, "")),
        (
            ["here", "a=1", "--once", "b=2", "-o", "x/y", "--trust", "m", "--trust=n", "--no-browser", "--secret", "s"],
            ("here", ("a=1", "b=2"), Path("x/y"), ("m", "n"), 0.5, 0, True, False, "s"),
        ),
        (["--delta", "2", "--count=3", "--", "-here"], ("-here", (), None, (), 2.0, 3, False, True, "")),
    ],
)
def test_words_become_arguments_of_their_types(look, words, expected):
    assert main(["look-at", *words]) == 0
    assert given == [expected]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "Missing argument 'DIR|TAG'"),
        (["here", "--delta", "much"], "'much' is not a valid float"),
        (["here", "--nowhere"], "--nowhere"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_two(look, words, sentence, capsys):
    assert main(["look-at", *words]) == 2
    assert sentence in capsys.readouterr().err
    assert given == []


def test_a_verb_says_its_exit_code(look):
    assert main(["look-at", "here", "--count", "7"]) == 3


def test_the_help_tells_arguments_options_and_defaults_but_nothing_hidden(look, capsys):
    assert main(["look-at", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Usage: hpo look-at [OPTIONS] DIR|TAG [KEY=VALUE...]" in text
    assert "Arguments: DIR|TAG Where. [KEY=VALUE...] What." in text
    assert "-o, --output PATH To." in text
    assert "--delta FLOAT How much. [default: 0.5]" in text
    assert "--count INTEGER How many. [default: 0]" in text
    assert "--browser / --no-browser Open it. [default: browser]" in text
    assert "--once One time. --browser" in text
    assert "secret" not in text
