"""Names of jobs and keys of objects: valid, told apart, and the right checkpoint among many."""

import re
from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from hpo.backends.jobs.object_names import StoredCheckpoint, attempt_name, job_of_attempt, life, live_key, newest
from hpo.config.reading import load_config, resolve
from hpo.events.types import Trial


def config_of(**keys):
    return resolve(load_config("mlp_digits", "ASHA", random_seed=1, num_gpus_per_trial=0, **keys))


ANY = config_of(experiment_tag="t")


@given(
    st.integers(0, 10**6),
    st.integers(0, 10**4),
    st.integers(0, 19),
    st.from_regex(r"[A-Za-z0-9]{1,120}", fullmatch=True),
)
def test_names_of_jobs_are_those_that_the_service_takes(trial, attempt, again, tag):
    config = replace(ANY, experiment_tag=tag, seed=3)
    name = job_of_attempt(config, life(config, 1.0), trial, attempt, again)
    assert len(name) <= 63
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name)
    assert re.search(rf"-3-\w{{4}}-{trial}-{attempt}(-r{again})?$", name)


def test_an_experiment_that_replaces_another_has_names_of_its_own():
    config = config_of(experiment_tag="t")
    assert job_of_attempt(config, life(config, 1.0), 0, 0) != job_of_attempt(config, life(config, 2.0), 0, 0)
    trial, other = Trial(3, {"lr": 0.1}), Trial(3, {"lr": 0.2})
    names = {attempt_name("a", t, a, until) for t in (trial, other) for a in (0, 1) for until in (1, None)}
    assert len(names) == 8


STORED = [
    StoredCheckpoint.read(f"x/checkpoints/7/{StoredCheckpoint.name(attempt, number, position)}", 10)
    for attempt, number, position in ((0, 1, 10), (0, 2, 20), (2, 1, 5), (2, 2, 9))
]


@pytest.mark.parametrize(
    ("taken", "after", "found"),
    [
        ({0: 20, 1: 0, 2: 9}, -1, (2, 2)),
        ({0: 20, 1: 0, 2: 8}, -1, (2, 1)),  # what was reported just before the last was not taken in
        ({0: 20, 1: 0, 2: 4}, -1, (0, 2)),
        ({0: 19}, -1, (0, 1)),
        ({0: 9}, -1, None),
        ({0: 20, 1: 0, 2: 9}, 2, None),
        ({0: 20, 1: 0, 2: 4}, 0, None),
    ],
)
def test_a_trial_goes_on_from_the_latest_checkpoint_whose_reports_were_taken_in(taken, after, found):
    best = newest(STORED, taken, after)
    assert (None if best is None else (best.attempt, best.number)) == found


def test_keys_say_what_they_hold_and_others_are_left_alone():
    assert live_key("a/live/0-1-ab/000000000000000-000000000000007", "a/live/") == ("0-1-ab", (0, 7), False)
    assert live_key("a/live/0-1-ab/exit", "a/live/") == ("0-1-ab", None, True)
    assert live_key("a/live/0-1-ab/begun", "a/live/") == ("0-1-ab", None, False)
    assert live_key("a/live/0-1-ab/notes.txt", "a/live/") is None
    assert StoredCheckpoint.read("a/checkpoints/0/notes.txt", 1) is None
