"""Children of differential evolution: by the literal formula, new, and inside the space."""

import numpy as np
import pytest

from hpo.randomness import canonical
from hpo.space.search_space import parse_space
from hpo.surrogate.differential_evolution import DifferentialEvolution

SPACE = parse_space(
    {
        "x": {"type": "float", "lower": 0.0, "upper": 1.0},
        "y": {"type": "float", "lower": 0.0, "upper": 1.0},
        "act": {"type": "choice", "values": ["relu", "tanh", "gelu", "elu"]},
    }
)
PARENTS = [{"x": 0.1, "y": 0.9, "act": "relu"}, {"x": 0.6, "y": 0.8, "act": "gelu"}, {"x": 0.9, "y": 0.2, "act": "elu"}]
POINTS = np.array([[0.1, 0.9, 0.125], [0.6, 0.8, 0.625], [0.9, 0.2, 0.875]])


@pytest.mark.parametrize("seed", range(20))
def test_a_child_is_the_target_with_some_of_the_mutant(seed):
    rng = np.random.default_rng(seed)
    a, b, c = rng.choice(3, 3, replace=False)
    sums, fresh = POINTS[a] + 0.5 * (POINTS[b] - POINTS[c]), rng.random(3)
    mutant = [u if 0 <= u <= 1 else new for u, new in zip(sums, fresh, strict=True)]
    crossed = set(np.flatnonzero(rng.random(3) < 0.3)) | {rng.integers(3)}
    expected = [mutant[i] if i in crossed else (0.3, 0.4, 0.375)[i] for i in range(3)]
    evolution, target = DifferentialEvolution(SPACE, 0.5, 0.3), {"x": 0.3, "y": 0.4, "act": "tanh"}
    child = evolution.child(np.random.default_rng(seed), PARENTS, target, lambda _: False)
    assert [child["x"], child["y"]] == pytest.approx(expected[:2])
    assert child["act"] == ["relu", "tanh", "gelu", "elu"][min(int(expected[2] * 4), 3)]


def test_a_child_is_new_as_long_as_one_is_found():
    space, seen, seed = parse_space({"n": {"type": "int", "lower": 1, "upper": 12}}), set(), 0
    evolution, parents = DifferentialEvolution(space, 0.5, 0.5), [{"n": 1}, {"n": 2}, {"n": 3}]
    while len(seen) < 12:
        child = evolution.child(np.random.default_rng(seed), parents, None, lambda one: canonical(one) in seen)
        assert child is not None
        seen.add(canonical(child))
        seed += 1
    assert evolution.child(np.random.default_rng(seed), parents, None, lambda one: canonical(one) in seen) is None
