"""Density estimates against Optuna's, against SciPy's distributions, and against their definition."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from scipy.stats import norm, truncnorm

from hpo.randomness import Randomness, canonical
from hpo.space.domains import Choice, Float
from hpo.space.search_space import parse_space
from hpo.surrogate.parzen import DensityEstimator, Observations, age_weights

FLAT = parse_space(
    {
        "x": {"type": "float", "lower": -2.0, "upper": 5.0},
        "lr": {"type": "float", "lower": 1e-5, "upper": 1.0, "log": True},
        "n": {"type": "int", "lower": 3, "upper": 400},
        "units": {"type": "int", "lower": 1, "upper": 300, "log": True},
        "even": {"type": "int", "lower": 2, "upper": 600, "step": 2},
        "rate": {"type": "float", "lower": 0.5, "upper": 100.0, "step": 0.5},
        "act": {"type": "choice", "values": ["relu", "tanh", "gelu"]},
    }
)
TREE = parse_space(
    {
        "kind": {"type": "choice", "values": ["p", "q", "r"]},
        "n": {"type": "int", "lower": 1, "upper": 6, "log": True},
        "a": {"type": "ordinal", "values": [1, 10, 20], "when": {"kind": ["p", "q"]}},
        "b": {"type": "float", "lower": 0.0, "upper": 1.0, "step": 0.5, "when": {"a": [10, 20], "n": {"upper": 4}}},
        "end": {"type": "choice", "values": [True, False]},
    }
)


def observed(space, configurations, weights=None):
    pool = DensityEstimator(space).pool
    points = pool.points(configurations)
    used = np.array([[name in one for name in pool.domains] for one in configurations]).reshape(points.shape)
    return Observations(points, used, age_weights(len(points)) if weights is None else np.array(weights))


def log_density(mixture, space, configurations):
    some = observed(space, configurations)
    return mixture.log_density(some.points, some.used)


def drawn(space, count, stream="drawn"):
    """Configurations of which no number comes twice: equal ones have no order that both sides must share."""
    rng = Randomness(0, 0).stream(stream)
    columns = {}
    for name, domain in space.domains.items():
        if domain.size == math.inf:
            columns[name] = [domain.decode(unit) for unit in rng.random(count)]
        else:
            values = domain.values(int(domain.size))
            columns[name] = [values[i % len(values)] for i in rng.permutation(max(len(values), count))[:count]]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def optuna_estimate(configurations):
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator, _ParzenEstimatorParameters
    from optuna.samplers._tpe.sampler import default_weights

    distributions = {
        "x": FloatDistribution(-2.0, 5.0),
        "lr": FloatDistribution(1e-5, 1.0, log=True),
        "n": IntDistribution(3, 400),
        "units": IntDistribution(1, 300, log=True),
        "even": IntDistribution(2, 600, step=2),
        "rate": FloatDistribution(0.5, 100.0, step=0.5),
        "act": CategoricalDistribution(["relu", "tanh", "gelu"]),
    }

    def columns(some):
        return {
            name: np.array([d.to_internal_repr(one[name]) for one in some], dtype=float)
            for name, d in distributions.items()
        }

    parameters = _ParzenEstimatorParameters(1.0, True, False, default_weights, True)
    estimate = _ParzenEstimator(columns(configurations), distributions, parameters)
    return lambda some: estimate.log_pdf(columns(some))


def log_width(space, configuration):
    """What a uniform density has to be multiplied by to become that of Optuna: the range, or the share of a value."""
    total = 0.0
    for name, domain in space.domains.items():
        value = configuration[name]
        if isinstance(domain, Choice):
            total -= math.log(len(domain.choices))
        elif isinstance(domain, Float) and domain.step is None:
            total -= math.log(domain.scale.forward(domain.upper) - domain.scale.forward(domain.lower))
        else:
            half, forward = domain.step / 2, domain.scale.forward
            whole = forward(domain.upper + half) - forward(domain.lower - half)
            total += math.log((forward(value + half) - forward(value - half)) / whole)
    return total


@pytest.mark.parametrize("n", [0, 1, 2, 3, 24, 60, 150])
def test_densities_are_those_of_optuna(n):
    configurations, asked = drawn(FLAT, n), drawn(FLAT, 24, "asked")
    found = log_density(DensityEstimator(FLAT).parzen(observed(FLAT, configurations)), FLAT, asked)
    expected = optuna_estimate(configurations)(asked) - [log_width(FLAT, one) for one in asked]
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("n", "expected"), [(3, [1, 1, 1]), (24, [1] * 24), (27, [1 / 27, 1, *[1] * 25])])
def test_old_observations_count_less(n, expected):
    assert age_weights(n).tolist() == pytest.approx(expected)


def test_a_prior_of_the_user_takes_the_place_of_the_flat_one():
    space = parse_space(
        {
            "x": {"type": "float", "lower": 0.0, "upper": 1.0, "default": 0.8, "confidence": "high"},
            "c": {"type": "choice", "values": ["p", "q", "r"], "default": "q", "confidence": "medium"},
        }
    )
    found = log_density(
        DensityEstimator(space).parzen(observed(space, [])), space, [{"x": 0.3, "c": "q"}, {"x": 0.9, "c": "r"}]
    )
    law = truncnorm(-0.8 / 0.25, 0.2 / 0.25, loc=0.8, scale=0.25)
    assert found == pytest.approx([law.logpdf(0.3) + math.log(0.5 * 3), law.logpdf(0.9) + math.log(0.25 * 3)])


def literal_spreads(units, kernels):
    """The farther neighbour of each; the ends of the range are neighbours of the only one."""
    found = []
    for unit in units:
        rank = sorted(units).index(unit)
        ends = [0.0, *sorted(units), 1.0]
        left, right = unit - ends[rank], ends[rank + 2] - unit
        if len(units) > 1:
            left, right = (right if rank == 0 else left), (left if rank == len(units) - 1 else right)
        found.append(min(max(left, right, 1 / min(100, 1 + kernels)), 1))
    return found


def literal_tree(space, configurations, weights, asked):
    """The product over the hyperparameters as it is written, by SciPy's truncated normal distribution."""
    logs = 0.0
    total = sum(weights) + 1
    shares = [*(weight / total for weight in weights), 1 / total]
    products = dict.fromkeys(range(len(configurations) + 1), 1.0)
    for name, domain in space.domains.items():
        if name not in asked:
            continue
        having = [i for i, one in enumerate(configurations) if name in one]
        kernels, before, after = len(having) + 1, 0.0, 0.0
        if not (isinstance(domain, Choice) and not domain.ordered):
            values = list(domain.values(100))
            units = [domain.encode(configurations[i][name]) for i in having]
            laws = [*zip(units, literal_spreads(units, kernels), strict=True), (0.5, 1.0)]
            edges = [v / len(values) for v in range(len(values) + 1)]
            if not isinstance(domain, Choice):
                edges = [0, *(domain.encode((u + v) / 2) for u, v in itertools.pairwise(values)), 1]
            low, high = edges[values.index(asked[name])], edges[values.index(asked[name]) + 1]
        for place, i in enumerate([*having, len(configurations)]):
            if isinstance(domain, Choice) and not domain.ordered:
                size = len(domain.choices)
                hit = i < len(configurations) and configurations[i][name] == asked[name]
                density = size * (1 / kernels + hit) / (1 + size / kernels) if i < len(configurations) else 1.0
            else:
                centre, spread = laws[place]
                law = truncnorm(-centre / spread, (1 - centre) / spread, loc=centre, scale=spread)
                density = (law.cdf(high) - law.cdf(low)) / (high - low)
            before += shares[i] * products[i]
            after += shares[i] * products[i] * density
            products[i] *= density
        logs += math.log(after / before)
    return logs


def test_with_conditions_the_density_is_the_product_over_the_tree():
    configurations = [
        {"kind": "p", "n": 3, "a": 20, "b": 0.5, "end": True},
        {"kind": "q", "n": 5, "a": 10, "end": True},
        {"kind": "q", "n": 1, "a": 1, "end": False},
        {"kind": "r", "n": 6, "end": True},
    ]
    weights = [0.2, 0.5, 1.0, 1.0]
    mixture = DensityEstimator(TREE).parzen(observed(TREE, configurations, weights))
    every = list(TREE.enumerate())[::4]
    expected = [literal_tree(TREE, configurations, weights, one) for one in every]
    assert log_density(mixture, TREE, every) == pytest.approx(expected, abs=1e-9)


def uniform_share(space, configuration):
    """How likely a uniform draw is this configuration, by the intervals of [0, 1] that decode to its values."""
    share = 1.0
    for name, value in configuration.items():
        domain = space.domains[name]
        if isinstance(domain, Choice):
            share /= len(domain.choices)
        else:
            forward, half = domain.scale.forward, domain.step / 2
            whole = forward(max(domain.values(100)) + half) - forward(domain.lower - half)
            share *= (forward(value + half) - forward(value - half)) / whole
    return share


def test_draws_are_as_frequent_as_the_density_says():
    configurations = [TREE.sample(Randomness(0, i).stream("some")) for i in range(12)]
    estimates, count = DensityEstimator(TREE), 20_000
    mixture = estimates.parzen(observed(TREE, configurations))
    points, used = mixture.draw(Randomness(0, 0).stream("draws"), count)
    every = list(TREE.enumerate())
    frequency = Counter(canonical(estimates.pool.decode(point)) for point in points)
    assert [list(estimates.pool.decode(p)) for p in points[:50]] == [
        [name for name, one in zip(TREE.domains, row, strict=True) if one] for row in used[:50]
    ]
    masses = np.exp(log_density(mixture, TREE, every)) * [uniform_share(TREE, one) for one in every]
    assert masses.sum() == pytest.approx(1.0, abs=1e-9)
    errors = [abs(frequency[canonical(one)] - count * m) for one, m in zip(every, masses, strict=True)]
    assert all(error <= 5 * math.sqrt(count * m) + 1 for error, m in zip(errors, masses, strict=True))


def test_the_estimate_by_the_reference_rule_is_the_product_kernel_of_its_definition():
    space = parse_space(
        {
            "x": {"type": "float", "lower": 0.0, "upper": 1.0},
            "y": {"type": "float", "lower": 1e-4, "upper": 1.0, "log": True},
            "c": {"type": "choice", "values": ["p", "q", "r"]},
        }
    )
    some, asked = drawn(space, 9), drawn(space, 5, "asked")
    units = {name: [d.encode(one[name]) for one in some] for name, d in space.domains.items()}
    units["c"] = [float(space.domains["c"].index(one["c"])) for one in some]
    spreads = {name: max(1.06 * float(np.std(values)) * 9 ** (-1 / 7), 0.001) for name, values in units.items()}
    h = min(spreads["c"], 2 / 3)
    expected = []
    for one in asked:
        total = 0.0
        for i in range(9):
            product = 3 * (1 - h if some[i]["c"] == one["c"] else h / 2)
            for name in "xy":
                product *= norm.pdf(space.domains[name].encode(one[name]), units[name][i], spreads[name])
            total += product / 9
        expected.append(math.log(total))
    mixture = DensityEstimator(space).reference(observed(space, some, [1.0] * 9), least=0.001)
    assert log_density(mixture, space, asked) == pytest.approx(expected, abs=1e-9)


def test_an_estimate_without_any_observation_of_a_branch_draws_there_uniformly():
    some = observed(TREE, [{"kind": "r", "n": 1, "end": True}] * 3)
    mixture = DensityEstimator(TREE).reference(some, least=0.5)
    points, used = mixture.draw(Randomness(0, 0).stream("draws"), 3000)
    column = list(TREE.domains).index("a")
    values = np.bincount((points[used[:, column], column] * 3).astype(int), minlength=3)
    assert values.sum() > 500
    assert np.abs(values / values.sum() - 1 / 3).max() < 0.06
