"""The box that hypervolumes are measured in."""

import numpy as np
import pytest

from hpo.surrogate.hypervolume_box import fit_box


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
