"""Which method, where nobody chooses."""

import itertools

import pytest

from hpo import build_scheduler
from hpo.config.default_method import recommended_method

SPACE = {"x": {"type": "float", "lower": 0, "upper": 1}}


@pytest.mark.parametrize(("several", "resource", "checkpoints"), list(itertools.product([False, True], repeat=3)))
def test_it_fits_what_the_program_does(several, resource, checkpoints):
    method = recommended_method(several=several, resource=resource, checkpoints=checkpoints)
    scheduler = build_scheduler(method, SPACE, max_resource=9, seed=0)
    assert scheduler.searcher.capabilities.objectives == several
    assert not scheduler.levels or resource, "without a resource there are no rungs"
    assert not scheduler.capabilities.pauses or checkpoints
