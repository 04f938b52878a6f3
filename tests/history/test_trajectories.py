"""Incumbent trajectories: right-continuous steps, exact means over log time."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.history.trajectories import Trajectory, log_time_mean

REPORTS = st.lists(st.tuples(st.floats(0.001, 1000), st.floats(-5, 5) | st.just(math.inf)), max_size=30).map(
    lambda reports: sorted(reports, key=lambda report: report[0])
)
TIMES = st.floats(0, 2000)


def by_definition(reports, elapsed):
    """The best of all reports up to a time."""
    return min((loss for time, loss in reports if time <= elapsed), default=math.inf)


@given(REPORTS, TIMES)
def test_the_incumbent_is_the_best_report_so_far(reports, elapsed):
    assert Trajectory.of(reports).at(elapsed) == by_definition(reports, elapsed)


@given(REPORTS)
def test_an_improvement_counts_from_its_very_moment_and_not_before(reports):
    trajectory = Trajectory.of(reports)
    for time, loss in zip(trajectory.times, trajectory.losses, strict=True):
        assert trajectory.at(time) == loss
        assert trajectory.at(np.nextafter(time, 0)) > loss


@given(REPORTS)
def test_times_grow_and_losses_fall_and_are_finite(reports):
    trajectory = Trajectory.of(reports)
    assert (np.diff(trajectory.times) > 0).all()
    assert (np.diff(trajectory.losses) < 0).all()
    assert np.isfinite(trajectory.losses).all()


@given(REPORTS, st.floats(-6, 6))
def test_the_time_to_a_target_is_the_first_at_which_the_incumbent_is_as_good(reports, target):
    times = [time for time, loss in reports if loss <= target]
    assert Trajectory.of(reports).time_to(target) == min(times, default=math.inf)


@given(REPORTS, st.floats(0.01, 10), st.floats(11, 3000))
def test_steps_agree_with_the_trajectory_everywhere(reports, start, end):
    trajectory = Trajectory.of(reports)
    edges, losses = trajectory.steps(start, end)
    assert edges[0] == start
    assert edges[-1] == end
    assert len(edges) == len(losses) + 1
    for left, right, loss in zip(edges[:-1], edges[1:], losses, strict=True):
        assert left < right
        assert trajectory.at(left) == loss
        assert trajectory.at(np.nextafter(right, 0)) == loss


def test_nothing_is_interpolated():
    trajectory = Trajectory.of([(1, 4.0), (3, 2.0)])
    assert [trajectory.at(t) for t in (0.999, 1, 2, 2.999, 3, 99)] == [math.inf, 4, 4, 4, 2, 2]


def test_without_reports_there_is_no_incumbent():
    trajectory = Trajectory.of([])
    assert trajectory.at(1e9) == math.inf
    assert trajectory.time_to(1e9) == math.inf
    edges, losses = trajectory.steps(1, 2)
    assert (list(edges), list(losses)) == ([1, 2], [math.inf])


@given(REPORTS)
def test_the_mean_over_log_time_is_that_of_a_fine_log_grid(reports):
    trajectory = Trajectory.of([(time, min(loss, 5.0)) for time, loss in reports])
    edges, losses = trajectory.steps(1.0, 1000.0)
    capped = np.minimum(losses, 9.0)
    grid = np.geomspace(1.0, 1000.0, 4001)
    middles = np.sqrt(grid[:-1] * grid[1:])
    expected = np.mean([min(trajectory.at(t), 9.0) for t in middles])
    assert log_time_mean(edges, capped) == pytest.approx(expected, abs=14 * 30 / 4000)


def test_a_tenfold_of_time_weighs_the_same_early_and_late():
    assert log_time_mean(np.array([1.0, 10.0, 100.0]), np.array([3.0, 1.0])) == pytest.approx(2.0)
