"""The evolution strategy against the package `cmaes`, and where it draws."""

import cmaes
import numpy as np
import pytest

from hpo.surrogate.cma import Strategy


@pytest.mark.parametrize("d", [1, 2, 7, 20])
def test_mean_step_and_covariance_are_those_of_cmaes_over_fifty_generations(d):
    rng = np.random.default_rng(d)
    turned = np.linalg.qr(rng.normal(size=(d, d)))[0] * np.logspace(0, 1.5, d)
    ours = Strategy(np.full(d, 0.5), 1 / 6, np.ones(d))
    theirs = cmaes.CMA(np.full(d, 0.5), 1 / 6, seed=0)
    assert ours.constants.count == theirs.population_size
    for _ in range(50):
        points = [theirs.ask() for _ in range(theirs.population_size)]
        losses = [float(np.square((point - 0.3) @ turned).sum()) for point in points]
        ours.tell(np.array(points)[np.argsort(losses)])
        theirs.tell(list(zip(points, losses, strict=True)))
        assert ours.mean == pytest.approx(theirs.mean, rel=1e-10, abs=1e-10)
        assert ours.step == pytest.approx(theirs._sigma, rel=1e-10)
        assert ours.covariance == pytest.approx(theirs._C, rel=1e-8, abs=1e-10)


def test_draws_lie_in_the_cube_and_have_the_covariance_of_the_strategy():
    strategy = Strategy(np.array([0.5, 0.5]), 0.1, np.ones(2))
    strategy.tell(np.array([[0.5 + 0.1 * i, 0.5 + 0.05 * i] for i in range(strategy.constants.count)]))
    strategy.step = 0.02
    draws = np.array([strategy.draw(np.random.default_rng(i)) for i in range(4000)])
    assert np.cov(draws.T) == pytest.approx(strategy.step**2 * strategy.covariance, rel=0.1)
    far = Strategy(np.array([3.0, 0.5]), 0.01, np.ones(2))
    assert far.draw(np.random.default_rng(0))[0] == 1.0, "cut where none of the draws lies in the cube"
