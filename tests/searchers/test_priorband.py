"""PriorBand: when it becomes active, by a log written by hand; how often it draws from where, by its formulas."""

import numpy as np
import pytest
from scipy.stats import binom, truncnorm

from hpo.errors import ConfigError
from hpo.randomness import Randomness
from hpo.searchers import PriorBandSearcher
from hpo.searchers.priorband import bracket_cost
from hpo.space.search_space import parse_space

SPACE = parse_space(
    {
        "a": {"type": "float", "lower": 0.0, "upper": 1.0, "default": 0.2, "confidence": "medium"},
        "act": {"type": "choice", "values": ["p", "q", "r"], "default": "p", "confidence": "high"},
    }
)


def searcher(seed=0):
    return PriorBandSearcher(SPACE, Randomness(0, seed), max_resource=9)


def train(one, a, act, losses):
    """A trial that reports at every epoch; rungs are 1, 3 and 9."""
    configuration = {"a": a, "act": act}
    for epoch, loss in enumerate(losses, 1):
        one.on_report(configuration, epoch)
        if epoch in (1, 3, 9):
            one.update(configuration, epoch, loss)


def test_a_bracket_costs_what_its_rungs_cost():
    """9 trials for 1 epoch, 3 of them for 2 more, 1 of these for 6 more."""
    assert bracket_cost(1, 9, 3) == 9 * 1 + 3 * 2 + 1 * 6
    assert bracket_cost(2, 50, 5) == 25 * 2 + 5 * 8 + 40
    assert bracket_cost(4, 4, 3) == 4


def test_it_is_active_once_a_trial_is_complete_a_bracket_is_spent_and_a_rung_has_enough():
    one = searcher()
    for number in range(8):
        train(one, 0.1 * number, "p", [1.0 + number])  # 8 of 21 units
    assert not one.is_active
    train(one, 0.9, "q", [0.5] * 8)  # 16, and not complete
    assert not one.is_active
    configuration = {"a": 0.9, "act": "q"}
    one.on_report(configuration, 9)
    one.update(configuration, 9, 0.4)
    assert not one.is_active, "17 of 21 units"
    assert one.shares() == (0.5, 0.5, 0.0)
    train(one, 0.8, "q", [0.7] * 3)
    train(one, 0.7, "q", [0.7])
    assert one.is_active, "21"


def active():
    one = searcher()
    losses = {0.1: 0.5, 0.15: 0.6, 0.3: 0.7, 0.5: 0.8, 0.6: 0.9, 0.7: 1.0, 0.8: 1.1}
    for number, (a, loss) in enumerate(losses.items()):
        train(one, a, "p" if number % 2 else "q", [loss] * (9 if number == 2 else 3))
    assert one.is_active
    return one


def test_prior_and_incumbent_share_by_their_densities_at_the_best_of_the_highest_rung_that_has_enough():
    one = active()
    assert one.incumbent == {"a": 0.3, "act": "q"}, "the best at the highest resource, though others have lower losses"
    top = [(0.1, "q"), (0.15, "p")]  # 7 // 3 of the rung at 3; that at 9 has a single result

    def density(a, act, centre, spread, choice, mass):
        law = truncnorm(-centre / spread, (1 - centre) / spread, centre, spread)
        return law.pdf(a) * 3 * (mass if act == choice else (1 - mass) / 2)

    prior = sum(w * density(*x, 0.2, 0.5, "p", 0.75) for w, x in zip((2, 1), top, strict=True))
    incumbent = sum(w * density(*x, 0.3, 0.25, "q", 0.75) for w, x in zip((2, 1), top, strict=True))
    assert one.shares() == pytest.approx(
        (0.5, 0.5 * prior / (prior + incumbent), 0.5 * incumbent / (prior + incumbent))
    )


def test_proposals_come_as_often_from_each_as_the_shares_say():
    """The choice tells: p has 1/3 uniformly, .75 in the prior; at the incumbent q it is changed in half of the draws."""
    one = active()
    one.shared_random = 0
    one._first_left = []
    uniform, prior, near = one.shares()
    shares = {"p": uniform / 3 + prior * 0.75 + near * 0.0625, "r": uniform / 3 + prior * 0.125 + near * 0.0625}
    drawn = []
    for seed in range(10_000):
        one.randomness = Randomness(1, seed)
        drawn.append(one.propose()["act"])
    for value, share in shares.items():
        low, high = binom.ppf([1e-4, 1 - 1e-4], 10_000, share)
        assert low <= drawn.count(value) <= high


def test_around_the_incumbent_every_hyperparameter_is_changed_in_half_of_the_draws():
    one, rng = active(), np.random.default_rng(0)
    drawn = [one._near_incumbent(rng) for _ in range(10_000)]
    low, high = binom.ppf([1e-4, 1 - 1e-4], 10_000, 0.5)
    assert low <= sum(configuration["a"] == 0.3 for configuration in drawn) <= high


def test_it_needs_a_maximum():
    with pytest.raises(ConfigError, match=r"needs benchmark\.max_resource_attr"):
        PriorBandSearcher(SPACE, Randomness(0, 0))
