"""Domains as Hydra's sweepers write them."""

import pytest

from hpo.errors import ConfigError
from hpo.space.search_space import parse_space
from hpo.space.sweeper_syntax import parse_sweeper_expression


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("interval(-1, 2.5)", {"type": "float", "lower": -1.0, "upper": 2.5}),
        ("float(interval(1, 2))", {"type": "float", "lower": 1.0, "upper": 2.0}),
        ("tag(log, int(interval(1, 99)))", {"type": "int", "lower": 1, "upper": 99, "log": True}),
        ("int(tag(log, interval(1, 99)))", {"type": "int", "lower": 1, "upper": 99, "log": True}),
        ("choice(1, 2.5, true, null, 'a b', relu)", {"type": "choice", "values": [1, 2.5, True, None, "a b", "relu"]}),
    ],
)
def test_each_form_is_a_domain(text, spec):
    assert parse_sweeper_expression(text) == spec


@pytest.mark.parametrize(
    "text", ["adam", "interval(1)", "interval(a, b)", "f(1)", "choice()", "a.b(1)", "1 + 1", "(", ""]
)
def test_what_is_none_is_left_alone(text):
    assert parse_sweeper_expression(text) is None


def test_they_stand_in_yaml_too_and_mistakes_in_them_are_those_of_the_domain():
    space = parse_space({"lr": "tag(log, interval(1e-4, 1))", "optimizer": "adam"})
    assert space.domains == parse_space({"lr": {"type": "float", "lower": 1e-4, "upper": 1.0, "log": True}}).domains
    assert space.constants == {"optimizer": "adam"}
    with pytest.raises(ConfigError, match=r"config_space\.lr: lower=2\.0 is above upper=1\.0"):
        parse_space({"lr": "interval(2, 1)"})
