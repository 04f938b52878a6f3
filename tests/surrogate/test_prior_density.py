"""Densities of encoded rows are those of their configurations."""

import numpy as np
import pytest

from hpo.space.search_space import parse_space
from hpo.surrogate.encoding import Encoding
from hpo.surrogate.prior_density import PriorDensity

KINDS = {
    "lr": {"type": "float", "lower": 1e-5, "upper": 1.0, "log": True, "default": 1e-3, "confidence": "high"},
    "n": {"type": "int", "lower": 1, "upper": 9, "default": 2, "confidence": "medium"},
    "width": {"type": "ordinal", "values": [16, 32, 64, 128], "default": 128, "confidence": "high"},
    "act": {"type": "choice", "values": ["relu", "tanh", "elu"], "default": "tanh", "confidence": "high"},
    "flag": {"type": "choice", "values": [True, False], "default": False, "confidence": "medium"},
    "one": {"type": "int", "lower": 3, "upper": 3, "default": 3, "confidence": "high"},
    "free": {"type": "float", "lower": 0.0, "upper": 0.5},
}
GATE = {"gate": {"type": "choice", "values": ["a", "b"]}}


@pytest.mark.parametrize(
    "specs",
    [KINDS, {**GATE, **{name: {**spec, "when": {"gate": "a"}} for name, spec in KINDS.items()}}],
    ids=["all", "some"],
)
def test_rows_have_the_density_of_their_configurations(specs):
    space = parse_space(specs)
    encoding, rng = Encoding(space), np.random.default_rng(0)
    configurations = [space.sample(rng) for _ in range(200)]
    without = parse_space({name: spec for name, spec in specs.items() if name != "one"})
    expected = [without.log_prior(configuration) for configuration in configurations]
    found = PriorDensity(space, encoding).log_density(encoding.encode(configurations))
    np.testing.assert_allclose(found, expected, atol=1e-9)
