"""Attempts on their workers: figures, watchers and tables tell the same of them."""

from dataclasses import replace
from pathlib import Path

import pytest

from hpo.config.reading import load_config, resolve
from hpo.events.types import Event, Kind
from hpo.history.curves import timeline
from hpo.history.live_board import Board
from hpo.results.experiment import Experiment
from hpo.results.rows import report_rows
from tests.support.fakes import OBJECTIVE, SPACE, Crash, FakeExperiment, Lose


@pytest.fixture(scope="module")
def experiment():
    """Trials that are resumed while the processes of their last attempt are still ending, that fail, and are lost."""
    fake = FakeExperiment("ASHA", backend={"exit_delay": 3.0, "faults": {1: [Crash(2)], 2: [Lose(1)], 5: [Crash(1)]}})
    fake.run()
    benchmark = {
        "name": "fake", "script": "train.py", "metric": OBJECTIVE.metric, "mode": OBJECTIVE.mode,
        "resource_attr": "epoch", "max_resource_attr": "epochs", "config_space": dict(SPACE),
        "arguments": {"epochs": 9}, "n_workers": 4, "max_num_trials": 12,
    }  # fmt: skip
    return Experiment(Path("nowhere"), resolve(load_config(benchmark, "ASHA")), {}, fake.log.events)


def spans(events):
    """(trial, attempt) -> begin and end: an attempt begins when it is decided and the last one is over."""
    decided, over = {}, {}
    for event in events:
        if event.kind in (Kind.STARTED, Kind.RESUMED, Kind.RESTARTED):
            decided[event.trial, event.attempt] = event.elapsed
        elif event.kind == Kind.ENDED:
            over[event.trial, event.attempt] = event.elapsed
    return {
        (trial, attempt): (max(begin, over.get((trial, attempt - 1), 0.0)), over[trial, attempt])
        for (trial, attempt), begin in decided.items()
    }


def test_an_attempt_begins_when_the_last_one_is_over(experiment):
    expected = spans(experiment.events)
    resumed = {(e.trial, e.attempt): e.elapsed for e in experiment.events if e.kind == Kind.RESUMED}
    assert any(expected[key][0] > elapsed for key, elapsed in resumed.items()), "some are resumed while they are ending"
    line = timeline(experiment)
    assert {(a.trial, a.number): (a.start, a.end) for a in line.attempts} == expected
    assert max(a.lane for a in line.attempts) < 4


def test_a_watcher_sees_the_same_seconds_of_work(experiment):
    board = Board(experiment.config).apply_all(experiment.events)
    overall, _ = board.utilisation(experiment.state.elapsed)
    assert overall == pytest.approx(timeline(experiment).utilisation)


def test_both_count_each_session_with_the_workers_it_had(experiment):
    """The first half of the time with four workers, the second with eight: six at the mean."""
    half, end = experiment.state.elapsed / 2, experiment.state.elapsed
    first = next(i for i, event in enumerate(experiment.events) if event.elapsed >= half)
    opened = [Event(Kind.OPENED, at, 0.0, body={"n_workers": n}) for at, n in ((0.0, 4), (half, 8))]
    events = [opened[0], *experiment.events[:first], opened[1], *experiment.events[first:]]
    changed = replace(experiment, events=events)
    assert timeline(changed).utilisation == pytest.approx(timeline(experiment).utilisation * 4 / 6)
    overall, _ = Board(experiment.config).apply_all(events).utilisation(end)
    assert overall == pytest.approx(timeline(changed).utilisation)


def test_a_watcher_shows_a_trial_on_the_worker_that_the_timeline_has_it_on(experiment):
    lanes = {(attempt.trial, attempt.number): attempt.lane for attempt in timeline(experiment).attempts}
    board, seen = Board(experiment.config), {}
    for event in experiment.events:
        board.apply(event)
        rows = [row for row in board.workers(event.elapsed) if row.state]
        seen |= {(row.state.trial.id, row.state.attempt): row.worker for row in rows}
    assert seen == lanes


def test_rows_count_reports_and_seconds_from_the_begin_of_their_attempt(experiment):
    expected, seen = spans(experiment.events), {}
    reported = [event for event in experiment.events if event.kind == Kind.REPORTED]
    for event, row in zip(reported, report_rows(experiment.config, experiment.events), strict=True):
        key = event.trial, event.attempt
        assert row["st_worker_time"] == event.elapsed - expected[key][0]
        assert row["st_worker_iter"] == seen.get(key, 0)
        seen[key] = seen.get(key, 0) + 1
