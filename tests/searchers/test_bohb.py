"""The searcher of BOHB: which results its estimates are made from, and how much is random."""

import math

import numpy as np
import pytest

from hpo import build_scheduler
from hpo.errors import ConfigError
from hpo.randomness import Randomness, canonical
from hpo.searchers import BOHBSearcher, RandomSearcher
from hpo.space.search_space import parse_space

SPACE = parse_space({name: {"type": "float", "lower": 0.0, "upper": 1.0} for name in "xy"})


def told(losses, **options):
    """A searcher with these losses at each resource, and the configurations."""
    searcher, rng = BOHBSearcher(SPACE, Randomness(0, 0), max_resource=27, **options), np.random.default_rng(0)
    configurations = [SPACE.sample(rng) for _ in range(max(map(len, losses.values())))]
    for resource, values in losses.items():
        for configuration, loss in zip(configurations, values, strict=False):
            searcher.accept(configuration)
            searcher.update(configuration, resource, loss)
    return searcher, configurations


@pytest.mark.parametrize("n", [5, 6, 19, 20, 21, 41, 100])
def test_the_split_is_that_of_the_paper(n):
    losses = np.random.default_rng(n).permutation(n).astype(float)
    losses[0] = math.inf
    least = 2 + 1
    good, bad = max(least, 15 * n // 100), max(least, 85 * n // 100)
    ranked = sorted(range(n), key=lambda trial: (losses[trial], trial))
    found = told({1: losses.tolist()})[0].split()
    if n < 2 * least:
        assert found is None
    else:
        assert [part.tolist() for part in found] == [ranked[:good], ranked[good : good + bad]]


def test_the_largest_resource_with_enough_results_counts():
    falling, rising = [float(i) for i in range(30, 0, -1)], [float(i) for i in range(12)]
    searcher, _ = told({1: falling, 3: rising, 9: [1.0] * 5})
    assert searcher.split()[0].tolist() == [0, 1, 2], "of the twelve at 3; of five at 9 no three are bad"


def test_a_third_of_the_proposals_is_random():
    searcher, _ = told({1: [float(i % 7) for i in range(40)]})
    random = RandomSearcher(SPACE, Randomness(0, 0))
    count = same = 0
    while count < 150:
        random._seen, random.suggested, random._first_left = searcher._seen, searcher.suggested, []
        same += canonical(searcher.propose()) == canonical(random.propose())
        searcher.suggest()
        count += 1
    assert 50 - 18 <= same <= 50 + 18, "three standard deviations"


def test_proposals_gather_where_results_are_good():
    searcher = BOHBSearcher(SPACE, Randomness(0, 0), max_resource=27)
    distances = []
    for _ in range(100):
        one = searcher.suggest()
        distances.append(math.hypot(one["x"] - 0.3, one["y"] - 0.7))
        searcher.update(one, 1, distances[-1])
    assert np.median(distances[60:]) < 0.6 * np.median(distances[:6])


def test_it_knows_nothing_of_priors():
    space = {"x": {"type": "float", "lower": 0, "upper": 1, "default": 0.1, "confidence": "high"}}
    with pytest.raises(ConfigError, match="BOHBSearcher knows nothing of priors"):
        build_scheduler("BOHB", space, max_resource=9, seed=0)


@pytest.mark.parametrize(("key", "value"), [("bandwidth_factor", 0.5), ("min_bandwidth", 0)])
def test_arguments_out_of_range_are_errors_that_name_the_key(key, value):
    space = {"x": {"type": "float", "lower": 0, "upper": 1}}
    with pytest.raises(ConfigError, match=rf"method\.searcher\.{key}={value}: use"):
        build_scheduler("BOHB", space, max_resource=9, seed=0, **{key: value})
