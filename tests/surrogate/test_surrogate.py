"""The Gaussian process against independent implementations: scikit-learn, and automatic differentiation in PyTorch."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern
from threadpoolctl import threadpool_info, threadpool_limits

from hpo.space.search_space import parse_space
from hpo.surrogate.encoding import Encoding
from hpo.surrogate.gp_fit import FitObjective, Layout, NumericalError, factorise, fit_hyperparameters
from hpo.surrogate.kernel import Inputs
from hpo.surrogate.posterior import Posterior
from hpo.surrogate.single_thread import one_thread
from hpo.surrogate.training_data import TrainingData

LEVELS = 3


def case(seed):
    """Random inputs, targets, groups, layout and hyperparameters."""
    rng = np.random.default_rng(seed)
    dimension = int(rng.integers(1, 6))
    groups = np.repeat(np.arange(dimension), rng.integers(1, 4, dimension))
    n = int(rng.integers(2, 40))
    level = rng.integers(0, LEVELS, n)
    inputs = Inputs(rng.random((n, len(groups))), level.astype(float), level)
    layout = Layout(dimension, levels=LEVELS, resources=True)
    theta = layout.start() + rng.normal(0, 0.7, layout.size)
    return rng, inputs, rng.normal(size=n), groups, layout, theta


def reference_kernel(kernel, groups):
    """The same covariance put together from scikit-learn's kernels; columns are x, then u."""
    far = 1e12
    over_x = Matern([*kernel.lengths[groups], far], nu=2.5)
    over_u = Matern([*[far] * len(groups), kernel.resource_length], nu=0.5)
    return ConstantKernel(kernel.variance) * over_x * over_u


@pytest.mark.parametrize("seed", range(200))
def test_likelihood_and_posterior_equal_scikit_learn(seed):
    rng, inputs, y, groups, layout, theta = case(seed)
    kernel = layout.kernel(theta)
    columns = np.column_stack((inputs.x, inputs.u))
    reference = GaussianProcessRegressor(
        reference_kernel(kernel, groups), alpha=kernel.noise[inputs.level], optimizer=None
    ).fit(columns, y)
    value, _ = FitObjective(layout, [(inputs, y)], groups).likelihood(theta)
    assert -value == pytest.approx(reference.log_marginal_likelihood(), rel=1e-6)

    m = 7
    where = Inputs(rng.random((m, len(groups))), np.full(m, 2.0), np.full(m, 2))
    mean, covariance = Posterior(kernel, groups, inputs).condition(y).joint(where)
    expected_mean, expected_covariance = reference.predict(np.column_stack((where.x, where.u)), return_cov=True)
    np.testing.assert_allclose(mean[:, 0], expected_mean, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(covariance, expected_covariance, rtol=1e-6, atol=1e-9)
    means, deviations = Posterior(kernel, groups, inputs).condition(y).predict(where)
    np.testing.assert_allclose(means, mean, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(deviations**2, np.diag(expected_covariance), rtol=1e-6, atol=1e-9)


def torch_density(theta, inputs, y, groups, layout):
    """Log of the marginal likelihood, from the definition."""
    d = layout.dimension
    x, u = torch.tensor(inputs.x), torch.tensor(inputs.u)
    scaled = x / torch.exp(theta[:d])[torch.tensor(groups)]
    difference = scaled[:, None, :] - scaled[None, :, :]
    squared = (difference**2).sum(-1)
    rho = torch.sqrt(5 * squared + 1e-300)
    signal = torch.exp(theta[d]) * (1 + rho + rho**2 / 3) * torch.exp(-rho)
    decay = torch.exp(-(u[:, None] - u[None, :]).abs() / torch.exp(theta[d + 1]))
    covariance = signal * decay
    covariance = covariance + torch.diag(torch.exp(theta[-LEVELS:])[torch.tensor(inputs.level)])
    zero = torch.zeros(len(y), dtype=torch.float64)
    return torch.distributions.MultivariateNormal(zero, covariance).log_prob(torch.tensor(y))


@pytest.mark.parametrize("seed", range(200))
def test_the_gradient_equals_automatic_differentiation(seed):
    _, inputs, y, groups, layout, theta = case(seed)
    parameters = torch.tensor(theta, requires_grad=True)
    density = torch_density(parameters, inputs, y, groups, layout)
    density.backward()
    value, gradient = FitObjective(layout, [(inputs, y)], groups).likelihood(theta)
    assert -value == pytest.approx(density.item(), rel=1e-6)
    expected = parameters.grad.numpy()
    np.testing.assert_allclose(-gradient, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def test_the_prior_is_normal_on_the_logarithms():
    _, inputs, y, groups, layout, theta = case(3)
    objective = FitObjective(layout, [(inputs, y)], groups)
    mean, deviation = layout.prior()
    expected = sum(0.5 * ((t - m) / s) ** 2 for t, m, s in zip(theta, mean, deviation, strict=True))
    assert objective(theta)[0] - objective.likelihood(theta)[0] == pytest.approx(expected)


def test_independent_blocks_add_up():
    _, first, y, groups, _, _ = case(5)
    second, z = first.take(np.arange(len(first))[::-1]), -y
    both = Layout(int(groups.max()) + 1, blocks=2, levels=LEVELS)
    theta = both.start()
    value, gradient = FitObjective(both, [(first, y), (second, z)], groups).likelihood(theta)
    alone = Layout(both.dimension, levels=LEVELS)
    one, one_gradient = FitObjective(alone, [(first, y)], groups).likelihood(alone.start())
    two, two_gradient = FitObjective(alone, [(second, z)], groups).likelihood(alone.start())
    assert value == pytest.approx(one + two)
    d = both.dimension
    np.testing.assert_allclose(gradient[:d], one_gradient[:d] + two_gradient[:d])
    np.testing.assert_allclose(gradient[d : d + 2], [one_gradient[d], two_gradient[d]])


def test_a_fit_finds_which_hyperparameter_matters():
    rng = np.random.default_rng(0)
    x = rng.random((120, 3))
    y = np.sin(6 * x[:, 1])
    zeros = np.zeros(120)
    inputs = Inputs(x, zeros, zeros.astype(int))
    layout = Layout(3)
    theta = fit_hyperparameters(layout, [(inputs, (y - y.mean()) / y.std())], np.arange(3), layout.start(), 50)
    lengths = layout.kernel(theta).lengths
    assert lengths[1] < 0.3 * min(lengths[0], lengths[2])


@pytest.mark.parametrize("seed", range(20))
def test_appending_equals_factorising_anew(seed):
    rng, inputs, y, groups, layout, theta = case(seed)
    kernel = layout.kernel(theta)
    half = len(inputs) // 2
    first, rest = np.arange(half), np.arange(half, len(inputs))
    where = Inputs(rng.random((5, len(groups))), np.full(5, 2.0), np.full(5, 2))
    whole = Posterior(kernel, groups, inputs).condition(y).predict(where)
    grown = Posterior(kernel, groups, inputs.take(first)).extend(inputs.take(rest)).condition(y).predict(where)
    np.testing.assert_allclose(grown[0], whole[0], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(grown[1], whole[1], rtol=1e-8, atol=1e-10)


def test_fantasies_have_the_moments_of_the_posterior_with_noise():
    rng, inputs, y, groups, layout, theta = case(11)
    posterior = Posterior(layout.kernel(theta), groups, inputs).condition(y)
    pending = Inputs(rng.random((3, len(groups))), np.full(3, 1.0), np.full(3, 1))
    mean, covariance = posterior.joint(pending)
    covariance = covariance + np.diag(posterior.kernel.noise[pending.level])
    samples = 200_000
    fantasised = posterior.fantasise(pending, y, rng.standard_normal((3, samples)))
    # The draws are the last targets; each recovers its own target exactly where noise is added back: solve for them.
    drawn = (fantasised._factor @ fantasised._whitened @ fantasised._mixture)[-3:]
    error = 4 * np.sqrt(np.diag(covariance) / samples)
    assert (np.abs(drawn.mean(axis=1) - mean[:, 0]) < error).all()
    np.testing.assert_allclose(np.cov(drawn), covariance, atol=0.02 * covariance.max())


def test_fantasies_do_not_move_the_mean_on_average():
    rng, inputs, y, groups, layout, theta = case(12)
    posterior = Posterior(layout.kernel(theta), groups, inputs).condition(y)
    pending = Inputs(rng.random((3, len(groups))), np.full(3, 1.0), np.full(3, 1))
    normals = rng.standard_normal((3, 500))
    antithetic = np.concatenate((normals, -normals), axis=1)
    where = Inputs(rng.random((5, len(groups))), np.full(5, 2.0), np.full(5, 2))
    moved = posterior.fantasise(pending, y, antithetic).mean(where).mean(axis=1)
    np.testing.assert_allclose(moved, posterior.mean(where)[:, 0], atol=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_fantasies_predict_as_targets_that_are_known(seed):
    rng, inputs, y, groups, layout, theta = case(seed)
    kernel = layout.kernel(theta)
    pending = Inputs(rng.random((3, len(groups))), np.full(3, 1.0), np.full(3, 1))
    posterior = Posterior(kernel, groups, inputs).condition(y)
    mean, covariance = posterior.joint(pending)
    normals = rng.standard_normal((3, 4))
    draws = mean + np.linalg.cholesky(covariance + np.diag(kernel.noise[pending.level])) @ normals
    known = Posterior(kernel, groups, inputs.joined(pending))
    known.condition(np.concatenate((np.repeat(y[:, None], 4, axis=1), draws)))
    where = Inputs(rng.random((5, len(groups))), np.full(5, 2.0), np.full(5, 2))
    fantasised = posterior.fantasise(pending, y, normals)
    expected = known.predict(where)
    for means in (fantasised.mean(where), fantasised.predict(where)[0], known.mean(where)):
        np.testing.assert_allclose(means, expected[0], rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(fantasised.predict(where)[1], expected[1], rtol=1e-7, atol=1e-8)
    everywhere = known.mean(known.inputs)
    for means in (fantasised.means_of_known(), known.means_of_known()):
        np.testing.assert_allclose(means, everywhere, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("seed", range(10))
def test_one_resource_may_be_given_once_for_all_predictions(seed):
    rng, inputs, y, groups, layout, theta = case(seed)
    posterior = Posterior(layout.kernel(theta), groups, inputs).condition(y)
    x = rng.random((6, len(groups)))
    once = posterior.predict(Inputs(x, np.array([1.5]), np.array([1])))
    each = posterior.predict(Inputs(x, np.full(6, 1.5), np.full(6, 1)))
    np.testing.assert_array_equal(once[0], each[0])
    np.testing.assert_array_equal(once[1], each[1])


def test_a_model_of_one_resource_knows_no_distance_between_resources():
    _, inputs, _, groups, _, _ = case(0)
    layout = Layout(int(groups.max()) + 1, blocks=2, levels=2)
    kernel = layout.kernel(layout.start())
    elsewhere = Inputs(inputs.x, inputs.u + 2.0, inputs.level)
    here = kernel.place(inputs, groups)
    np.testing.assert_array_equal(
        kernel.covariance(here, kernel.place(elsewhere, groups)), kernel.covariance(here, here)
    )


def test_a_history_keeps_more_than_it_had_room_for_at_first():
    space = parse_space({"x": {"type": "float", "lower": 0.0, "upper": 1.0}})
    history = TrainingData(Encoding(space))
    for i in range(200):
        history.add({"x": i / 200}, 1 + i % 3, float(i))
    assert history.losses.first(200).tolist() == list(range(200))
    assert history.resources.first(150).tolist() == [1 + i % 3 for i in range(150)]
    assert history.rows([0, 199, 70])[:, 0].tolist() == [0.0, 199 / 200, 70 / 200]


def test_linear_algebra_has_one_thread_within_and_as_many_as_before_after_it():
    def threads():
        return [library["num_threads"] for library in threadpool_info()]

    with threadpool_limits(2):
        before = threads()
        with one_thread():
            within = threads()
        assert before
        assert set(within) == {1}
        assert threads() == before


def test_equal_rows_without_noise_are_still_factorised():
    assert factorise(np.ones((5, 5)), "it cannot be").shape == (5, 5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_matrix_that_is_not_finite_is_refused(bad):
    matrix = np.eye(3)
    matrix[1, 1] = bad
    with pytest.raises(NumericalError, match="it cannot be"):
        factorise(matrix, "it cannot be")


def test_an_impossible_covariance_is_an_arithmetic_error():
    _, inputs, _, groups, layout, theta = case(1)
    theta[layout.dimension] = math.nan
    with pytest.raises(NumericalError, match="not positive definite"):
        Posterior(layout.kernel(theta), groups, inputs)


SPACE = {
    "lr": {"type": "float", "lower": 1e-4, "upper": 1.0, "log": True},
    "layers": {"type": "int", "lower": 1, "upper": 4},
    "width": {"type": "ordinal", "values": [32, 64, 128]},
    "act": {"type": "choice", "values": ["relu", "tanh", "gelu"]},
    "bias": {"type": "choice", "values": [True, False]},
    "fixed": {"type": "choice", "values": ["only"]},
}


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_encoded_configurations_are_at_most_one_apart_in_each_hyperparameter(seed):
    space = parse_space(SPACE)
    encoding = Encoding(space)
    rng = np.random.default_rng(seed)
    a, b = encoding.encode([space.sample(rng), space.sample(rng)])
    assert encoding.dimension == 5
    assert encoding.groups.tolist() == [0, 1, 2, 3, 3, 3, 4]
    for group in range(encoding.dimension):
        distance = float(((a - b)[encoding.groups == group] ** 2).sum())
        assert distance <= 1 + 1e-12


def test_two_different_choices_are_one_apart_and_an_ordinal_goes_from_0_to_1():
    space = parse_space(SPACE)
    base = dict(space.default, act="relu", width=32)
    x = Encoding(space).encode([base, {**base, "act": "gelu"}, {**base, "width": 128}, {**base, "width": 64}])
    assert ((x[0] - x[1]) ** 2).sum() == pytest.approx(1)
    assert ((x[0] - x[2]) ** 2).sum() == pytest.approx(1)
    assert ((x[0] - x[3]) ** 2).sum() == pytest.approx(0.25)
