"""Functional ANOVA of a forest: against known shares, against brute force over the whole grid, and what it refuses."""

import itertools
import math

import numpy as np
import pytest

import hpo
from hpo.history.importance import (
    TRUSTED,
    analyse,
    conditional_importance,
    encode,
    importance,
    losses_at_shared_resource,
    ranks,
)
from hpo.history.random_forest import grow
from hpo.space.search_space import parse_space

CELLS = np.array([32, 32, 32])


def drawn(n, seed=0):
    """Uniform points of the cube, and the cells they lie in."""
    points = np.random.default_rng(seed).random((n, 3))
    return points, (points * 32).astype(int)


def small_forest(trees=3, n=60):
    rng = np.random.default_rng(5)
    cells = np.array([4, 3, 5])
    points = np.stack([rng.integers(0, count, n) for count in cells], axis=1)
    targets = points[:, 0] * points[:, 1] + 0.3 * points[:, 2] + rng.normal(size=n)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=trees)
    forest, predicted = grow(points, targets, weights, cells, rng)
    return forest, predicted, points, cells


def on_the_whole_grid(forest, cells):
    """What each tree says of every cell, by looking for the leaf that holds it: shape (trees, *cells)."""
    values = np.full((forest.trees, *cells), np.nan)
    for tree, low, high, value in zip(forest.tree, forest.low, forest.high, forest.value, strict=True):
        box = (tree, *(slice(a, b) for a, b in zip(low, high, strict=True)))
        assert np.isnan(values[box]).all(), "two leaves of one tree share a cell"
        values[box] = value
    return values


def test_the_leaves_of_every_tree_cover_the_cube_exactly_once():
    forest, _, _, cells = small_forest()
    assert not np.isnan(on_the_whole_grid(forest, cells)).any()
    assert len(forest.value) > 3 * 4


def test_predictions_are_the_values_of_the_leaves_that_hold_the_points():
    forest, predicted, points, cells = small_forest()
    grid = on_the_whole_grid(forest, cells)
    for tree in range(forest.trees):
        assert predicted[tree] == pytest.approx(grid[tree][tuple(points.T)])


def test_variance_and_main_effects_are_those_of_the_whole_grid():
    forest, _, _, cells = small_forest()
    grid = on_the_whole_grid(forest, cells)
    assert forest.variance() == pytest.approx(grid.reshape(forest.trees, -1).var(axis=1))
    for d in range(len(cells)):
        others = tuple(axis for axis in range(1, 4) if axis != d + 1)
        assert forest.main_effects()[:, d] == pytest.approx(grid.mean(axis=others).var(axis=1))


def test_the_shares_of_a_sum_are_those_of_the_squared_weights():
    points, cells = drawn(1000)
    shares, interactions, explained = analyse(cells, 2 * points[:, 0] + points[:, 1], CELLS, random_seed=0)
    assert shares[0][0] == pytest.approx(4 / 5, abs=0.05)
    assert shares[1][0] == pytest.approx(1 / 5, abs=0.05)
    assert shares[2][0] < 0.01
    assert interactions < 0.05
    assert explained > 0.95


def test_what_two_hyperparameters_do_together_only_is_an_interaction():
    points, cells = drawn(1000)
    targets = ((points[:, 0] > 0.5) ^ (points[:, 1] > 0.5)).astype(float)
    shares, interactions, explained = analyse(cells, targets, CELLS, random_seed=0)
    assert max(share for share, _, _ in shares) < 0.05
    assert interactions > 0.9
    assert explained > 0.8


@pytest.mark.parametrize("n", [40, 200, 1000])
def test_noise_is_not_trusted(n):
    _, cells = drawn(n)
    _, _, explained = analyse(cells, np.random.default_rng(1).random(n), CELLS, random_seed=0)
    assert explained < TRUSTED


def test_intervals_hold_their_share_and_narrow_with_more_trials():
    widths = []
    for n in (60, 1000):
        points, cells = drawn(n)
        noise = np.random.default_rng(2).normal(size=n)
        shares, _, _ = analyse(cells, 2 * points[:, 0] + points[:, 1] + 0.3 * noise, CELLS, random_seed=0)
        assert all(low <= share <= high for share, low, high in shares)
        widths.append(shares[0][2] - shares[0][1])
    assert widths[1] < widths[0] / 2


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others():
    points, cells = drawn(100)
    first, again, other = (analyse(cells, points[:, 0], CELLS, random_seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_ranks_share_ties_and_put_diverged_trials_last():
    assert ranks(np.array([0.5, math.inf, 0.1, 0.5, math.inf])).tolist() == [0.375, 0.875, 0.0, 0.375, 0.875]


def test_values_of_every_kind_of_domain_get_cells_of_equal_width():
    space = parse_space(
        {
            "lr": {"type": "float", "lower": 1e-4, "upper": 1.0, "log": True},
            "layers": {"type": "int", "lower": 1, "upper": 4},
            "act": {"type": "choice", "values": ["relu", "tanh", "gelu"]},
        }
    )
    given = [{"lr": 1e-4, "layers": 1, "act": "relu"}, {"lr": 1.01e-2, "layers": 3, "act": "gelu"}]
    given.append({"lr": 1.0, "layers": 4, "act": "tanh"})
    points, cells = encode(space, list(space.domains), given)
    assert cells.tolist() == [32, 4, 3]
    assert points.tolist() == [[0, 0, 0], [16, 2, 2], [31, 3, 1]]


@pytest.fixture(scope="module")
def asha(tmp_path_factory):
    """ASHA with 120 trials, few of which got beyond the first rung."""
    config = hpo.load_config("generated_typical", "ASHA", seed=0, random_seed=0, max_num_trials=120)
    return hpo.load_experiment(hpo.run_experiment(config, tmp_path_factory.mktemp("asha")).directory)


def test_trials_are_compared_where_nearly_all_of_them_are(asha):
    trials, losses, resource = losses_at_shared_resource(asha)
    metric = asha.config.benchmark.metric
    reported = {}
    for event in asha.events:
        if event.kind == "reported" and event.resource == 1:
            reported[event.trial] = event.body["metrics"][metric]
    assert resource == 1
    assert trials == sorted(reported)
    sign = -1 if asha.config.benchmark.mode.value == "max" else 1
    assert losses.tolist() == [sign * reported[trial] for trial in trials]


def test_an_experiment_gets_a_share_for_each_hyperparameter_best_first(asha):
    found = importance(asha)
    assert {share.name for share in found.shares} == set(asha.config.space.domains)
    assert all(a.share >= b.share for a, b in itertools.pairwise(found.shares))
    assert found.trials == len(losses_at_shared_resource(asha)[0])


def test_what_is_not_always_used_has_a_share_among_the_trials_that_use_it():
    """kind = a: the loss is y, whatever the rest; kind = b: it is 2 + z. A third value is too rare for a share of its own."""
    space = parse_space(
        {
            "kind": {"type": "choice", "values": ["a", "b", "c"]},
            "x": {"type": "float", "lower": 0.0, "upper": 1.0},
            "y": {"type": "float", "lower": 0.0, "upper": 1.0, "when": {"kind": "a"}},
            "z": {"type": "float", "lower": 0.0, "upper": 1.0, "when": {"kind": "b"}},
            "w": {"type": "float", "lower": 0.0, "upper": 1.0, "when": {"kind": "c"}},
        }
    )
    rng = np.random.default_rng(0)
    drawn = [space.sample(rng) for _ in range(300)]
    chosen = [*drawn[:250], *(one for one in drawn[250:] if one["kind"] != "c")]
    chosen = [one for i, one in enumerate(chosen) if one["kind"] != "c" or i < 30]
    losses = np.array([one["y"] if "y" in one else 2 + one["z"] if "z" in one else 4 for one in chosen])
    shares, left_out = conditional_importance(space, chosen, losses, random_seed=0)
    assert left_out == ["w"]
    assert {share.name: share.trials for share in shares} == {name: sum(name in one for one in chosen) for name in "yz"}
    assert all(share.share > 0.9 for share in shares)


def test_too_few_trials_are_said_to_be_too_few(tmp_path):
    config = hpo.load_config("generated_typical", "RS", seed=0, random_seed=0, max_num_trials=8)
    found = importance(hpo.load_experiment(hpo.run_experiment(config, tmp_path / "e").directory))
    assert not found.shares
    assert not found.trusted
    assert found.reason.startswith("too little data: 8 trials")
