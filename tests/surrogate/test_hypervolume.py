"""Fronts and hypervolumes against the definition, and against an independent implementation where that is installed."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.surrogate.hypervolume import front_of, hypervolume, volumes


def by_inclusion_and_exclusion(losses, reference):
    boxes = [loss for loss in losses if (loss < reference).all()]
    total = 0.0
    for size in range(1, len(boxes) + 1):
        for some in itertools.combinations(boxes, size):
            total -= (-1) ** size * float(np.prod(reference - np.max(some, axis=0)))
    return total


GRID = st.integers(0, 5).map(float)
POINTS = st.integers(2, 4).flatmap(
    lambda m: st.lists(st.lists(st.one_of(GRID, st.floats(0, 5)), min_size=m, max_size=m), min_size=1, max_size=8)
)


@given(POINTS)
@settings(deadline=None, max_examples=300)
def test_the_hypervolume_is_that_of_inclusion_and_exclusion(points):
    losses = np.array(points)
    reference = np.full(losses.shape[1], 4.5)
    assert hypervolume(losses, reference) == pytest.approx(
        by_inclusion_and_exclusion(losses, reference), abs=1e-10, rel=1e-10
    )


@given(POINTS)
@settings(deadline=None, max_examples=100)
def test_the_volume_of_each_beginning_is_its_own_hypervolume(points):
    losses = np.array(points)
    reference = np.full(losses.shape[1], 4.5)
    expected = [by_inclusion_and_exclusion(losses[: n + 1], reference) for n in range(len(losses))]
    assert volumes(losses, reference) == pytest.approx(expected, abs=1e-10, rel=1e-10)


@given(POINTS)
@settings(deadline=None, max_examples=300)
def test_the_front_is_what_nothing_dominates(points):
    losses = np.array(points)

    def is_behind(one, other):
        better = (losses[other] <= losses[one]).all() and (losses[other] < losses[one]).any()
        return better or (other < one and (losses[other] == losses[one]).all())

    expected = [i for i in range(len(losses)) if not any(is_behind(i, j) for j in range(len(losses)))]
    assert front_of(losses).tolist() == expected


@pytest.mark.parametrize("m", [2, 3, 4])
def test_large_fronts_have_the_hypervolume_that_moocore_computes(m):
    moocore = pytest.importorskip("moocore", reason="an independent implementation, for development only")
    rng = np.random.default_rng(m)
    points = np.abs(rng.normal(size=(120, m)))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    reference = np.full(m, 1.1)
    assert hypervolume(points, reference) == pytest.approx(moocore.hypervolume(points, ref=reference), rel=1e-10)


@pytest.mark.parametrize("m", [2, 3, 4])
def test_the_front_of_many_points_is_the_one_that_moocore_finds(m):
    moocore = pytest.importorskip("moocore", reason="an independent implementation, for development only")
    points = np.random.default_rng(m).integers(0, 40, (2000, m)).astype(float)
    expected = {tuple(point) for point in points[moocore.is_nondominated(points)]}
    found = points[front_of(points)]
    assert len(found) == len(expected)
    assert {tuple(point) for point in found} == expected


def test_what_is_not_finite_or_beyond_the_reference_counts_for_nothing():
    losses = np.array([[1.0, np.nan], [np.inf, 0.0], [2.0, 0.5], [0.5, 0.5]])
    assert hypervolume(losses, np.array([1.0, 1.0])) == 0.25
    assert front_of(losses).tolist() == [3]
    assert hypervolume(np.zeros((0, 3)), np.ones(3)) == 0.0
