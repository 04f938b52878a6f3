"""A model with rows of earlier experiments: against a posterior written out, and what becomes of sources that mislead."""

import numpy as np
import pytest
from scipy.stats import kendalltau, norm, rankdata

from hpo.randomness import Randomness
from hpo.space.search_space import parse_space
from hpo.surrogate.earlier_data import EarlierData, agreement, earlier_targets
from hpo.surrogate.encoding import Encoding
from hpo.surrogate.joint_gp import JointGP
from hpo.surrogate.training_data import TrainingData
from hpo.surrogate.warm_start_gp import WarmStartGP

SPACE = parse_space(
    {"a": {"type": "float", "lower": 0.0, "upper": 1.0}, "b": {"type": "float", "lower": 0.0, "upper": 1.0}}
)
RNG = np.random.default_rng(0)
OWN = [{"a": float(a), "b": float(b)} for a, b in RNG.random((12, 2))]
OTHERS = [{"a": float(a), "b": float(b)} for a, b in RNG.random((30, 2))]


def loss(one):
    return (one["a"] - 0.3) ** 2 + 0.5 * one["b"]


def history():
    made = TrainingData(Encoding(SPACE))
    for one in OWN:
        made.add(one, 1, loss(one))
    return made


def data(sign=1.0, certain=True, losses=None):
    losses = [sign * loss(one) for one in OTHERS] if losses is None else losses
    return EarlierData(OTHERS, list(range(30)), [1] * 30, losses, [certain] * 30)


def test_targets_are_winsorised_normal_scores():
    """The definition of Salinas et al. with SciPy's ranks and quantiles; equal values share their mean rank."""
    losses = RNG.choice([0.1, 0.2, 0.3, 0.5], 40)
    n = 40
    edge = 1 / (4 * n**0.25 * np.sqrt(np.pi * np.log(n)))
    expected = norm.ppf(np.clip((rankdata(losses) - 0.5) / n, edge, 1 - edge))
    found = earlier_targets(losses, np.ones(n, dtype=np.intp), np.arange(n))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_agreement_is_kendall_s():
    one, other = RNG.random(20), RNG.random(20)
    assert agreement(one, other) == pytest.approx(kendalltau(one, other).statistic)


@pytest.mark.parametrize(("certain", "times"), [(True, 4.0), (False, 16.0)])
def test_the_posterior_is_that_of_all_rows_with_the_noise_of_earlier_ones_raised(certain, times):
    h = history()
    model = WarmStartGP(h, Randomness(0, 0), 500, [data(certain=certain)])
    posterior, targets, levels = model.posterior([12])
    layout, theta, _ = JointGP(h, Randomness(0, 0), 500).hyperparameters([12])
    kernel = layout.kernel(theta)
    x = h.encoding.encode([*OTHERS, *OWN])
    where = h.inputs_at_resource(h.encoding.encode([{"a": 0.4, "b": 0.6}, {"a": 0.9, "b": 0.1}]), 1, levels)

    def covariance(p, q):
        rho = np.sqrt((((p[:, None] - q[None]) / kernel.lengths) ** 2).sum(-1) * 5)
        return kernel.variance * (1 + rho + rho**2 / 3) * np.exp(-rho)

    noise = np.concatenate([np.full(30, times * kernel.noise[0]), np.full(12, kernel.noise[0])])
    whole = covariance(x, x) + np.diag(noise)
    scores = earlier_targets(np.array([loss(one) for one in OTHERS]), np.ones(30, dtype=np.intp), np.arange(30))
    alone = covariance(x[30:], x[:30]) @ np.linalg.solve(whole[:30, :30], scores)
    own = model.targets(12)
    y = np.concatenate([scores + (own - alone).mean(), own])
    np.testing.assert_allclose(targets, y, atol=1e-8)
    np.testing.assert_allclose(
        posterior.mean(where)[:, 0], covariance(where.x, x) @ np.linalg.solve(whole, y), atol=1e-6
    )


def test_a_source_that_orders_own_results_the_other_way_round_is_left_out():
    posterior, targets, levels = WarmStartGP(history(), Randomness(0, 0), 500, [data(-1.0)]).posterior([12])
    plain, own, _ = JointGP(history(), Randomness(0, 0), 500).posterior([12])
    assert targets.tolist() == own.tolist()
    where = history().inputs_at_resource(history().encoding.encode(OTHERS), 1, levels)
    assert posterior.mean(where).tolist() == plain.mean(where).tolist()
    _, targets, _ = WarmStartGP(history(), Randomness(0, 0), 500, [data(-1.0), data()]).posterior([12])
    assert len(targets) == 12 + 30


def test_earlier_rows_are_at_most_half_of_the_model_and_make_room_for_own_ones():
    for most, expected in ((30, 15), (20, 8), (12, 0)):
        _, targets, _ = WarmStartGP(history(), Randomness(0, 0), most, [data()]).posterior([12])
        assert len(targets) == 12 + expected
