"""Defaults and priors: densities against SciPy, draws against their frequencies, and what is refused."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import binom, kstest, truncnorm

from hpo.errors import ConfigError
from hpo.space.priors import SPREAD, ChoicePrior, Prior
from hpo.space.search_space import parse_space

FLOAT = {"type": "float", "lower": 1e-5, "upper": 1.0, "log": True}
SPECS = {
    "lr": {**FLOAT, "default": 1e-3, "confidence": "high"},
    "n": {"type": "int", "lower": 1, "upper": 9, "default": 2, "confidence": "medium"},
    "width": {"type": "ordinal", "values": [16, 32, 64, 128], "default": 128, "confidence": "low"},
    "act": {"type": "choice", "values": ["relu", "tanh", "elu"], "default": "tanh", "confidence": "high"},
    "p": {"type": "float", "lower": 0.0, "upper": 0.5},
}
SPACE = parse_space(SPECS)
CENTRES = {"lr": 0.4, "n": 1.5 / 9, "width": 7 / 8}


@pytest.mark.parametrize("centre", [0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("spread", SPREAD.values())
def test_the_density_of_a_number_is_the_truncated_normal_and_integrates_to_1(centre, spread):
    prior = Prior(centre, spread)
    expected = truncnorm(-centre / spread, (1 - centre) / spread, centre, spread)
    assert quad(prior.density, 0, 1)[0] == pytest.approx(1, abs=1e-9)
    for unit in np.linspace(0, 1, 11):
        assert prior.density(unit) == pytest.approx(expected.pdf(unit))
        assert prior.quantile(unit) == pytest.approx(expected.ppf(unit), abs=1e-9)


@pytest.mark.parametrize(("confidence", "mass"), [("low", 1 / 3), ("medium", 0.5), ("high", 0.75)])
def test_a_choice_has_its_mass_on_the_default_or_all_alike_where_that_is_more(confidence, mass):
    prior = parse_space({"act": {**SPECS["act"], "confidence": confidence}}).priors["act"]
    assert prior == ChoicePrior(1, 3, pytest.approx(mass))
    densities = [prior.density((index + 0.5) / 3) for index in range(3)]
    assert sum(densities) / 3 == pytest.approx(1)
    assert densities == pytest.approx([3 * (1 - mass) / 2, 3 * mass, 3 * (1 - mass) / 2])


def test_draws_have_the_frequencies_of_the_prior():
    rng = np.random.default_rng(4)
    drawn = [SPACE.sample_prior(rng) for _ in range(10_000)]

    def within(count, share):
        low, high = binom.ppf([1e-4, 1 - 1e-4], 10_000, share)
        return low <= count <= high

    for name, values in (("n", range(1, 10)), ("width", [16, 32, 64, 128])):
        spread = SPREAD[SPECS[name]["confidence"]]
        law = truncnorm(-CENTRES[name] / spread, (1 - CENTRES[name]) / spread, CENTRES[name], spread)
        for index, value in enumerate(values):
            share = law.cdf((index + 1) / len(values)) - law.cdf(index / len(values))
            assert within(sum(one[name] == value for one in drawn), share), (name, value)
    for value, share in (("relu", 0.125), ("tanh", 0.75), ("elu", 0.125)):
        assert within(sum(one["act"] == value for one in drawn), share)
    law = truncnorm(-0.4 / 0.25, 0.6 / 0.25, 0.4, 0.25)
    assert kstest([(math.log10(one["lr"]) + 5) / 5 for one in drawn], law.cdf).pvalue > 1e-3
    assert kstest([2 * one["p"] for one in drawn], "uniform").pvalue > 1e-3, "without a prior it is uniform"


def test_the_default_is_where_a_search_starts_and_the_density_is_largest_there():
    assert SPACE.default == {"lr": 1e-3, "n": 2, "width": 128, "act": "tanh", "p": 0.25}
    assert SPACE.complete({"n": 3}, "key") == {**SPACE.default, "n": 3}
    rng = np.random.default_rng(5)
    assert all(SPACE.log_prior(SPACE.sample(rng)) <= SPACE.log_prior(SPACE.default) for _ in range(1000))
    density = [math.exp(SPACE.log_prior(SPACE.sample(rng))) for _ in range(20_000)]
    assert np.mean(density) == pytest.approx(1, abs=5 * np.std(density) / math.sqrt(20_000))


def test_what_is_not_used_has_no_density_and_an_unused_default_is_absent():
    space = parse_space({"act": SPECS["act"], "slope": {**SPECS["lr"], "when": {"act": "elu"}}})
    assert space.default == {"act": "tanh"}
    assert space.log_prior({"act": "elu"}) == pytest.approx(math.log(3 * 0.125))
    assert space.log_prior({"act": "elu", "slope": 1e-3}) > space.log_prior({"act": "elu"})


def test_without_confidence_draws_are_those_of_a_space_that_has_no_default():
    plain, given = parse_space({"lr": FLOAT}), parse_space({"lr": {**FLOAT, "default": 0.1}})
    assert given.default == {"lr": 0.1}
    assert given.priors == {}
    one, other = (space.sample_prior(np.random.default_rng(1)) for space in (plain, given))
    assert one == other == plain.sample(np.random.default_rng(1))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (
            {"confidence": "high"},
            r"config_space\.lr\.confidence=high: confidence in what\? Give config_space\.lr\.default too",
        ),
        ({"default": 2.0}, r"config_space\.lr\.default=2\.0: is outside its domain 1e-05 to 1; use"),
        ({"default": "1e-3"}, r"config_space\.lr\.default='1e-3': is outside"),
        ({"default": 1e-3, "confidence": "sure"}, r"config_space\.lr\.confidence='sure': use low, medium, high"),
        ({"default": 1e-3, "confidence": 0.5}, r"config_space\.lr\.confidence=0\.5: use low"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(keys, words):
    with pytest.raises(ConfigError, match=words):
        parse_space({"lr": {**FLOAT, **keys}})
