"""Streams: the same in every process, independent of each other and of what is drawn elsewhere."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.randomness import Randomness, canonical

VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text())
CONFIGURATIONS = st.dictionaries(st.text(), VALUES, max_size=5)


def draws(randomness, name="a", index=0):
    return randomness.stream(name, index).random(8).tolist()


def test_the_same_name_and_index_give_the_same_numbers():
    assert draws(Randomness(1, 2)) == draws(Randomness(1, 2))


@pytest.mark.parametrize(
    "other",
    [(Randomness(2, 2), "a", 0), (Randomness(1, 1), "a", 0), (Randomness(1, 2), "b", 0), (Randomness(1, 2), "a", 1)],
)
def test_another_seed_name_or_index_gives_other_numbers(other):
    assert not set(draws(Randomness(1, 2))) & set(draws(*other))


def test_a_stream_is_a_philox_generator_whose_key_is_the_hash_of_what_it_is_called():
    key = int.from_bytes(hashlib.blake2b(b"3/4/initial/5", digest_size=16).digest(), "little")
    expected = np.random.Generator(np.random.Philox(key=key))
    assert np.array_equal(Randomness(3, 4).stream("initial", 5).random(100), expected.random(100))


def test_seeds_are_not_added_up_or_run_together():
    streams = [draws(Randomness(*pair)) for pair in [(1, 2), (2, 1), (0, 3), (3, 0), (12, 3), (1, 23)]]
    assert len({tuple(stream) for stream in streams}) == 6


def test_what_is_drawn_from_one_stream_does_not_move_another():
    randomness = Randomness(5, 6)
    expected = draws(randomness, "b")
    first, second = randomness.stream("a"), randomness.stream("b")
    first.random(1000)
    assert second.random(8).tolist() == expected


def test_streams_do_not_touch_the_global_generator():
    np.random.seed(0)  # noqa: NPY002  the global state is what this test is about
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    draws(Randomness(1, 2))
    Randomness(1, 2).training_seed({"x": 1})
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_streams_look_uniform_and_uncorrelated():
    numbers = np.array([Randomness(0, 0).stream("x", i).random(2) for i in range(2000)])
    assert np.abs(numbers.mean(axis=0) - 0.5).max() < 5 * np.sqrt(1 / 12 / 2000)
    assert abs(np.corrcoef(numbers.T)[0, 1]) < 5 / np.sqrt(2000)
    assert abs(np.corrcoef(numbers[1:, 0], numbers[:-1, 0])[0, 1]) < 5 / np.sqrt(2000)


@pytest.mark.process
def test_another_process_draws_the_same_numbers():
    code = (
        "import json; from hpo.randomness import Randomness as R; r = R(7, 8);"
        "print(json.dumps([r.stream('a', 3).random(8).tolist(), r.training_seed({'x': 1.5, 'act': 'relu'})]))"
    )
    for hash_seed in ("0", "1"):
        found = subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": hash_seed}, capture_output=True, check=True, text=True
        )
        expected = [draws(Randomness(7, 8), "a", 3), Randomness(7, 8).training_seed({"act": "relu", "x": 1.5})]
        assert json.loads(found.stdout) == expected


@given(CONFIGURATIONS, st.randoms())
def test_the_order_of_keys_does_not_matter(configuration, rng):
    items = list(configuration.items())
    rng.shuffle(items)
    assert canonical(dict(items)) == canonical(configuration)
    assert Randomness(1, 2).training_seed(dict(items)) == Randomness(1, 2).training_seed(configuration)


@given(CONFIGURATIONS, CONFIGURATIONS)
def test_different_configurations_have_different_texts(first, second):
    def typed(configuration):
        return {key: (type(value), repr(value)) for key, value in configuration.items()}

    assert (canonical(first) == canonical(second)) == (typed(first) == typed(second))


def test_one_true_and_one_point_zero_are_told_apart():
    assert len({canonical({"x": value}) for value in (1, True, 1.0, "1")}) == 4


@given(CONFIGURATIONS)
def test_a_training_seed_is_a_seed_for_every_library(configuration):
    assert 0 <= Randomness(1, 2).training_seed(configuration) < 2**31


def test_training_seeds_depend_on_both_seeds_and_the_configuration():
    seeds = {Randomness(r, s).training_seed({"x": x}) for r in range(3) for s in range(3) for x in range(20)}
    assert len(seeds) == 180
