"""Attainment surfaces against their definition."""

import math

import numpy as np
import pytest

from hpo.analysis.attainment import attainment


@pytest.mark.parametrize("seed", range(4))
def test_a_surface_bounds_what_a_share_of_the_fronts_attains(seed):
    rng = np.random.default_rng(seed)
    fronts = [rng.integers(0, 6, (rng.integers(1, 6), 2)).astype(float) for _ in range(rng.integers(1, 6))]
    shares = (0.25, 0.5, 0.75, 1.0)
    places, surfaces = attainment(fronts, shares)
    assert places.tolist() == sorted({x for front in fronts for x, _ in front.tolist()})
    for share, surface in zip(shares, surfaces, strict=True):
        for x in np.arange(-0.5, 7.0, 0.5):
            at = np.searchsorted(places, x, side="right") - 1
            bound = surface[at] if at >= 0 else math.inf
            for y in np.arange(-0.5, 7.0, 0.5):
                attained = sum(((front[:, 0] <= x) & (front[:, 1] <= y)).any() for front in fronts)
                assert (attained >= share * len(fronts)) == (y >= bound)
