"""What the end of an attempt means, and when a trial is overdue."""

import pytest

from hpo.events.trial_state import TrialState
from hpo.events.types import Decision, Exit, Status, Trial
from hpo.tuner.trial_limits import Limits


def trial(resource=0, until=9, **changes):
    return TrialState(Trial(0, {}), until, resource=resource, **changes)


def exited(code=0, **changes):
    return Exit(0, 0, code, **changes)


@pytest.mark.parametrize(("resource", "complete"), [(0, False), (8, False), (9, True), (10, True)])
def test_a_trial_is_complete_at_the_maximum(resource, complete):
    assert Limits(max_resource=9).is_complete(trial(resource)) is complete
    assert Limits(max_resource=None).is_complete(trial(resource)) is False


@pytest.mark.parametrize(("until", "resource", "ends"), [(3, 2, False), (3, 3, True), (3, 4, True), (None, 3, False)])
def test_a_script_ends_by_itself_only_where_it_was_told_to(until, resource, ends):
    assert Limits(ends_by_itself=True).ends_there(trial(until=until), resource) is ends
    assert Limits(ends_by_itself=False).ends_there(trial(until=until), resource) is False


@pytest.mark.parametrize(
    ("ending", "resource", "status"),
    [
        (Decision.PAUSE, 3, Status.PAUSED),
        (Decision.STOP, 3, Status.STOPPED),
        (Decision.STOP, 9, Status.COMPLETED),
    ],
)
def test_a_decided_end_is_what_was_decided(ending, resource, status):
    assert Limits(max_resource=9).decided_status(trial(resource, ending=ending)) == status


@pytest.mark.parametrize("session_ends", [True, False])
@pytest.mark.parametrize("event", [exited(0), exited(1), exited(None, signal=9), exited(None, lost=True)])
def test_a_trial_at_the_maximum_is_complete_however_it_ended(event, session_ends):
    assert Limits(max_resource=9).status_after(trial(9), event, session_ends) == (Status.COMPLETED, None)


@pytest.mark.parametrize(
    ("event", "session_ends"), [(exited(None, lost=True), False), (exited(0), True), (exited(1), True)]
)
def test_a_trial_that_is_not_to_blame_is_interrupted(event, session_ends):
    assert Limits(max_resource=9).status_after(trial(3), event, session_ends)[0] == Status.INTERRUPTED


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (exited(2, error="Traceback\nKeyError: 'lr'"), ["exit code 2", "KeyError: 'lr'"]),
        (exited(None, signal=11), ["signal 11"]),
        (exited(None, signal=9, error="killed"), ["signal 9", "killed"]),
    ],
)
def test_an_unclean_exit_is_a_failure_that_says_how(event, words):
    status, reason = Limits(max_resource=9).status_after(trial(3), event, session_ends=False)
    assert status == Status.FAILED
    assert all(word in reason for word in words)
    assert reason == reason.rstrip()


def test_a_clean_exit_without_a_report_is_a_failure_that_says_what_to_do():
    status, reason = Limits(max_resource=9).status_after(trial(0), exited(0), session_ends=False)
    assert status == Status.FAILED
    assert "hpo.report" in reason


@pytest.mark.parametrize("max_resource", [None, 9])
def test_a_clean_exit_after_a_report_is_complete(max_resource):
    limits = Limits(max_resource=max_resource)
    assert limits.status_after(trial(3), exited(0), session_ends=False) == (Status.COMPLETED, None)


@pytest.mark.parametrize(
    ("elapsed", "reason"),
    [
        (10.0, None),
        (14.9, None),
        (15.0, "trial_silence_timeout=3 s is over"),
        (20.0, "trial_timeout=10 s is over"),
    ],
)
def test_a_trial_is_overdue_since_it_began_or_was_heard(elapsed, reason):
    limits = Limits(trial_timeout=10.0, trial_silence_timeout=3.0)
    state = trial(began=10.0, heard=12.0)
    if elapsed < 20.0:
        assert limits.overdue(state, elapsed) == reason
    else:
        assert limits.overdue(state, elapsed) in (reason, "trial_silence_timeout=3 s is over")


def test_a_trial_without_limits_is_never_overdue():
    assert Limits().overdue(trial(), 1e12) is None
    assert Limits().time_left(trial(), 1e12) == []


def test_the_time_left_is_that_of_every_limit():
    limits = Limits(trial_timeout=10.0, trial_silence_timeout=3.0)
    assert sorted(limits.time_left(trial(began=10.0, heard=12.0), 13.0)) == [2.0, 7.0]
    assert sorted(limits.time_left(trial(began=10.0, heard=12.0), 99.0)) == [0.0, 0.0]


def test_a_trial_that_somebody_else_terminated_is_interrupted_and_one_that_crashed_has_failed():
    limits = Limits(max_resource=9)
    state = TrialState(Trial(0, {"x": 1}), 9, resource=2)
    assert limits.status_after(state, Exit(0, 0, None, 15), session_ends=False)[0] == Status.INTERRUPTED
    assert limits.status_after(state, Exit(0, 0, None, 9), session_ends=False)[0] == Status.FAILED
    assert limits.status_after(state, Exit(0, 0, None, 11), session_ends=False)[0] == Status.FAILED
