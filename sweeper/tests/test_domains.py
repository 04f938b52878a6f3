"""What can be written for Hydra's sweepers, as a search space of hpo's: the same values, and the same words for the app."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra_plugins.hydra_hpo_sweeper._domains import domain_of, name_of, value_of

from hpo.backends.arguments import write
from hpo.config.choices import ArgumentStyle
from hpo.space.search_space import parse_space


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("x=interval(0,1)", {"type": "float", "lower": 0.0, "upper": 1.0}),
        ("x=int(interval(1,8))", {"type": "int", "lower": 1, "upper": 8}),
        ("x=tag(log,interval(1e-5,0.1))", {"type": "float", "lower": 1e-5, "upper": 0.1, "log": True}),
        ("+m.x=tag(log,int(interval(1,8)))", {"type": "int", "lower": 1, "upper": 8, "log": True, "argument": "+m.x"}),
        ("x=range(1,9,3)", {"type": "int", "lower": 1, "upper": 7, "step": 3}),
        ("x=range(9,1,-3)", {"type": "int", "lower": 3, "upper": 9, "step": 3}),
        ("x=range(0,1,0.25)", {"type": "float", "lower": 0.0, "upper": 0.75, "step": 0.25}),
        ("x=relu,1,0.5,true,null", {"type": "choice", "values": ["relu", 1, 0.5, True, None]}),
        ("x=shuffle(choice(3,1,2))", {"type": "choice", "values": [3, 1, 2]}),  # the same in each call
        ("x=tag(ordinal,choice(8,16))", {"type": "ordinal", "values": [8, 16]}),
        ("db/engine@main=a,b", {"type": "choice", "values": ["a", "b"]}),
        ("++x=[8],{a:[1,'b c']}", {"type": "choice", "values": ["[8]", "{a:[1,'b c']}"], "argument": "++x="}),
        ("x=nan,1", {"type": "choice", "values": ["nan", "1"], "argument": "x="}),
    ],
)
def test_a_swept_override_is_a_domain(text, domain):
    override = OverridesParser.create().parse_override(text)
    assert domain_of(override) == domain
    assert name_of(override) == text.partition("=")[0].lstrip("+")
    parse_space({name_of(override): domain})  # one that hpo takes


@pytest.mark.parametrize(
    "text", ["x='a b',\"it's\",c\\,d", "x=[8],[1,'b c']", "+x={a:1},{b:[2]}", "x=1e-3,null,true,inf,12"]
)
def test_the_words_for_the_app_mean_what_was_written(text):
    override = OverridesParser.create().parse_override(text)
    expected = [
        OverridesParser.create().parse_override(f"x={item}").value() for item in override.sweep_string_iterator()
    ]
    space = parse_space({"x": domain_of(override)})
    grid = space.grid(10)
    words = [write(grid.at(i), space.spelling, ArgumentStyle.overrides).words for i in range(grid.count)]
    assert [OverridesParser.create().parse_override(word).value() for [word] in words] == expected
    assert {word.partition("=")[0] for [word] in words} == {text.partition("=")[0]}


def test_an_interpolation_is_resolved_in_the_trial_and_not_before():
    override = OverridesParser.create().parse_override("x=${db.name},b")
    space = parse_space({"x": domain_of(override)})
    first = write(space.grid(10).at(0), space.spelling, ArgumentStyle.overrides).words
    assert OverridesParser.create().parse_override(first[0]).value() == "${db.name}"


def test_a_value_that_was_passed_on_as_written_is_read_back():
    assert value_of("{a:[1,'b c']}") == {"a": [1, "b c"]}
