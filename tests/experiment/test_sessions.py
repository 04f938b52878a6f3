"""What belongs to one call's work on an experiment."""

import gc

import pytest

from hpo.experiment.sessions import seldom_collecting


@pytest.fixture(autouse=True)
def thresholds():
    """Others than those of a fresh interpreter, so that putting back these would not do."""
    before = gc.get_threshold()
    gc.set_threshold(500, 7, 8)
    yield
    gc.set_threshold(*before)


def test_garbage_is_looked_for_seldom_until_the_work_is_done_however_it_ends():
    inside = []

    def work():
        inside.append(gc.get_threshold())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), seldom_collecting(where=True):
        work()
    assert inside == [(100_000, 7, 8)]
    assert gc.get_threshold() == (500, 7, 8)


def test_what_is_no_simulation_and_a_user_who_looks_for_none_are_left_alone():
    with seldom_collecting(where=False):
        assert gc.get_threshold() == (500, 7, 8)
    gc.set_threshold(0)
    with seldom_collecting(where=True):
        assert gc.get_threshold()[0] == 0


def test_of_two_at_once_the_one_that_ends_last_leaves_it_as_it_was_too():
    first, second = seldom_collecting(where=True), seldom_collecting(where=True)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert gc.get_threshold() == (500, 7, 8)
