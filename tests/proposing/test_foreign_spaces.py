"""Search spaces that a script has for another tuner."""

import pytest

from hpo.proposing.foreign_spaces import read_space
from hpo.proposing.source import read_sources

RAY = "from ray import tune\nspace = {{'x': tune.{}}}\n"
SYNE = "from syne_tune.config_space import *\nimport syne_tune.config_space as cs\nspace = {{'x': cs.{}}}\n"


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        (RAY.format("uniform(0, 20)"), {"type": "float", "lower": 0, "upper": 20}),
        (RAY.format("quniform(0, 1, 0.1)"), {"type": "float", "lower": 0, "upper": 1, "step": 0.1}),
        (RAY.format("randint(1, 9)"), {"type": "int", "lower": 1, "upper": 8}),
        (RAY.format("lograndint(1, 65)"), {"type": "int", "lower": 1, "upper": 64, "log": True}),
        (RAY.format("grid_search([1, 2])"), {"type": "ordinal", "values": [1, 2]}),
        (RAY.format("grid_search(['b', 'a'])"), {"type": "choice", "values": ["b", "a"]}),
        (SYNE.format("randint(1, 8)"), {"type": "int", "lower": 1, "upper": 8}),
        (
            SYNE.format("reverseloguniform(0.5, 0.999)"),
            {"type": "float", "lower": 0.5, "upper": 0.999, "reverse_log": True},
        ),
        (SYNE.format("ordinal([32, 64, 128])"), {"type": "ordinal", "values": [32, 64, 128]}),
    ],
)
def test_each_domain_has_one_of_the_same_values_here(tmp_path, text, domain):
    (tmp_path / "train.py").write_text(text)
    (entry,) = read_space(read_sources(tmp_path / "train.py"))
    assert (entry.name, entry.domain) == ("x", domain)


def test_what_cannot_be_read_stays_to_be_given(tmp_path):
    (tmp_path / "train.py").write_text(
        "from ray import tune\nspace = {'x': tune.uniform(0, 1), 'y': tune.randn(0, 1)}\n"
    )
    x, y = read_space(read_sources(tmp_path / "train.py"))
    assert x.domain is not None
    assert y.domain is None
    assert (y.given, y.required) == (None, True)
