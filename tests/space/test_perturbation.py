"""A value a little different: by the factors in its own unit, on its steps, in its range, of its type."""

import numpy as np
import pytest

from hpo.space.domain_parsing import parse_domain
from hpo.space.domains import REVERSE_LOG, Choice, Float, Integer
from hpo.space.perturbation import perturb

LR = parse_domain("lr", {"type": "float", "lower": 1e-4, "upper": 1.0, "log": True})


def outcomes(domain, value, *, factors=(0.8, 1.2), resample=0.0):
    """What 200 draws give."""
    return [
        perturb(domain, value, np.random.default_rng(seed), factors=factors, resample=resample) for seed in range(200)
    ]


def test_a_number_is_multiplied_in_its_own_unit_on_a_logarithmic_scale_too():
    assert set(outcomes(LR, 0.01)) == {0.01 * 0.8, 0.01 * 1.2}


def test_both_factors_are_as_likely():
    assert 70 < outcomes(LR, 0.01).count(0.01 * 0.8) < 130  # of 200: four standard deviations


def test_near_one_on_a_scale_for_momenta_it_is_the_distance_from_one():
    found = set(outcomes(Float(0.5, 0.999, REVERSE_LOG), 0.9))
    assert sorted(found) == pytest.approx([0.88, 0.92])


def test_what_would_leave_the_range_stops_at_its_end():
    assert set(outcomes(LR, 0.9)) == {0.9 * 0.8, 1.0}


def test_at_the_end_of_the_range_where_the_factor_changes_nothing_any_value_is_drawn():
    found = [value for value in outcomes(LR, 1.0) if value != 0.8]
    assert len(set(found)) > 50
    assert all(1e-4 <= value <= 1.0 for value in found)
    assert 0.2 < np.mean([value < 1e-2 for value in found]) < 0.8, "half of them, on the domain's own scale"


def test_zero_which_no_factor_changes_is_drawn_anew():
    assert len(set(outcomes(Float(0.0, 0.5), 0.0))) > 100


def test_a_whole_number_stays_one_and_always_moves():
    assert set(outcomes(Integer(1, 64), 2)) == {1, 3}
    assert set(outcomes(Integer(1, 64), 20)) == {16, 24}
    assert all(type(value) is int for value in outcomes(Integer(1, 64), 20, resample=0.5))


@pytest.mark.parametrize(
    ("domain", "value", "expected"),
    [
        (Integer(8, 32, step=8), 16, {8, 24}),
        (Float(0.0, 0.5, step=0.1), 0.2, {0.1, 0.3}),
        (Float(0.0, 5.0, step=0.5), 5.0, None),
    ],
)
def test_what_has_steps_stays_on_them_and_moves_by_one_at_least(domain, value, expected):
    found = set(outcomes(domain, value))
    assert all(one in domain for one in found)
    assert expected is None or found == expected


def test_an_ordinal_goes_to_a_neighbour_and_not_round_the_end():
    width = Choice((32, 64, 128, 256), ordered=True)
    assert set(outcomes(width, 64)) == {32, 128}
    assert set(outcomes(width, 256)) == {128}


def test_of_a_choice_any_one_is_drawn_none_and_numbers_of_other_types_among_them():
    clip = Choice((None, 1, 1.0, "auto"))
    found = outcomes(clip, None)
    assert {(type(value), value) for value in found} == {(type(value), value) for value in clip.choices}


@pytest.mark.parametrize("domain", [Choice(("only",)), Choice((3,), ordered=True), Integer(4, 4), Float(0.5, 0.5)])
def test_where_there_is_one_value_it_stays(domain):
    assert set(outcomes(domain, domain.default, resample=0.5)) == {domain.default}


def test_as_often_as_it_is_asked_for_any_value_is_drawn():
    found = outcomes(LR, 0.01, resample=0.25)
    assert 26 < sum(value not in (0.01 * 0.8, 0.01 * 1.2) for value in found) < 74  # of 200: four standard deviations
