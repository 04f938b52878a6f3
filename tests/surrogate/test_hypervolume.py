"""Fronts and hypervolumes against the definition, and against an independent implementation where that is installed."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.surrogate.hypervolume import fit_box, front_of, hypervolume, volumes


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


def test_the_reference_point_lies_a_tenth_of_the_range_beyond_the_worst():
    box = fit_box(np.array([[0.0, 30.0], [10.0, 10.0]]), [0, 0])
    assert box.ideal.tolist() == [0.0, 10.0]
    assert box.reference.tolist() == pytest.approx([11.0, 32.0])


def test_the_share_is_that_of_the_area_between_ideal_and_reference():
    losses = np.array([[0.0, 30.0], [10.0, 10.0]])
    box = fit_box(losses, [0, 0], np.array([20.0, 50.0]))
    # 20 x 40 in all; the first dominates 20 x 20, the second 10 x 40, both 10 x 20
    assert box.share(losses) == pytest.approx((400 + 400 - 200) / 800)
    assert box.shares(losses).tolist() == pytest.approx([0.5, 0.75])
    assert box.share(losses[:0]) == 0.0


def test_units_of_an_objective_do_not_matter():
    losses = np.random.default_rng(0).random((30, 3))
    units = np.array([1.0, 1e6, 1e-3])
    one, other = fit_box(losses, [0, 0, 0]), fit_box(losses * units, [0, 0, 0])
    assert one.share(losses) == pytest.approx(other.share(losses * units), rel=1e-12)


def test_an_objective_on_a_logarithm_is_measured_by_its_decades():
    # 100 is the worst, two decades above 1; a tenth of that beyond it lies 10^2.2
    losses = np.array([[1.0, -1.0], [100.0, -100.0]])
    box = fit_box(losses, [1, -1])
    assert box.reference.tolist() == pytest.approx([10**2.2, -(10**-0.2)])
    # the first dominates 2.2 x .2 of 2.2 x 2.2 decades, the second .2 x 2.2, both .2 x .2
    assert box.share(losses) == pytest.approx((0.44 + 0.44 - 0.04) / 4.84)


def test_a_logarithm_that_does_not_exist_is_not_taken():
    assert list(fit_box(np.array([[0.0, -1.0], [1.0, -2.0]]), [1, -1]).logs) == [0, -1]


def test_where_all_values_are_equal_the_reference_is_beyond_them_all_the_same():
    box = fit_box(np.array([[2.0, -4.0, 0.0]]), [0, 0, 0])
    assert box.reference.tolist() == pytest.approx([2.2, -3.6, 0.1])
    assert box.share(np.array([[2.0, -4.0, 0.0]])) == 1.0


def test_what_lies_beyond_a_given_reference_makes_no_box():
    assert fit_box(np.array([[2.0, 0.0]]), [0, 0], np.array([1.0, 1.0])) is None
    assert fit_box(np.zeros((0, 2)), [0, 0]) is None
