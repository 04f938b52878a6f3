"""The fold of events: statuses, the incumbent, and the counts that budgets need."""

import math

import pytest

from hpo.events.incumbent import Incumbent
from hpo.events.objective import Objective
from hpo.events.state import ExperimentState
from hpo.events.types import Decision, Event, Kind, Status, Trial

OBJECTIVE = Objective("error", "min", "epoch")


class Story:
    """Events told one after the other, a second apart."""

    def __init__(self, objective=OBJECTIVE):
        self.state = ExperimentState(objective)
        self.now = -1.0

    def tell(self, kind, trial=None, attempt=None, resource=None, **body):
        self.now += 1.0
        self.state.apply(Event(kind, self.now, 0.0, trial, attempt, resource, body))
        return self.state

    def start(self, trial, until=9):
        return self.tell(Kind.STARTED, trial, 0, configuration={"x": trial}, until=until)

    def report(self, trial, resource, value, decision=Decision.CONTINUE, attempt=0):
        metrics = {"error": value, "epoch": resource}
        body = {"metrics": metrics, "decision": decision.value, "position": 10 * resource}
        return self.tell(Kind.REPORTED, trial, attempt, resource, **body)

    def end(self, trial, status, attempt=0, **body):
        return self.tell(Kind.ENDED, trial, attempt, status=status.value, **body)


@pytest.fixture
def story():
    return Story()


def test_a_started_trial_is_running(story):
    state = story.start(0, until=3)
    trial = state.trials[0]
    assert trial.trial == Trial(0, {"x": 0})
    assert (trial.status, trial.attempt, trial.resource, trial.until, trial.loss) == (Status.RUNNING, 0, 0, 3, None)
    assert state.running == {0: trial}


def test_a_report_moves_resource_loss_and_position(story):
    story.start(0)
    trial = story.report(0, 2, 0.5).trials[0]
    assert (trial.resource, trial.loss, trial.position, trial.heard, trial.ending) == (2, 0.5, 20, 1.0, None)
    assert story.state.reports == 1


@pytest.mark.parametrize("decision", [Decision.PAUSE, Decision.STOP])
def test_a_decided_end_is_remembered_until_the_attempt_is_over(story, decision):
    story.start(0)
    assert story.report(0, 1, 0.5, decision).trials[0].ending == decision
    assert story.state.trials[0].status == Status.RUNNING
    assert 0 in story.state.running
    assert story.end(0, Status.PAUSED).trials[0].ending is None


def test_a_dropped_report_moves_only_the_position(story):
    story.start(0)
    story.report(0, 1, 0.5, Decision.STOP)
    trial = story.tell(Kind.DROPPED, 0, 0, metrics={"error": 0.0}, position=77).trials[0]
    assert (trial.position, trial.resource, trial.loss, trial.heard) == (77, 1, 0.5, 2.0)
    assert story.state.reports == 1


@pytest.mark.parametrize("status", [s for s in Status if s != Status.RUNNING])
def test_an_ended_trial_is_no_longer_running(story, status):
    story.start(0)
    state = story.end(0, status)
    assert state.trials[0].status == status
    assert state.running == {}
    assert state.counts() == {status: 1}


@pytest.mark.parametrize("kind", [Kind.RESUMED, Kind.RESTARTED])
def test_a_resumed_trial_has_a_new_attempt(story, kind):
    story.start(0, until=1)
    story.report(0, 1, 0.5, Decision.PAUSE)
    story.end(0, Status.PAUSED)
    trial = story.tell(kind, 0, 1, until=3).trials[0]
    assert (trial.status, trial.attempt, trial.until, trial.position) == (Status.RUNNING, 1, 3, 0)
    assert (trial.resource, trial.loss, trial.began, trial.heard) == (1, 0.5, 3.0, 3.0)
    assert 0 in story.state.running


def test_a_trial_resumed_while_it_ends_begins_anew_when_it_has_ended(story):
    story.start(0, until=1)
    story.report(0, 1, 0.5, Decision.PAUSE)
    trial = story.tell(Kind.RESUMED, 0, 1, until=3).trials[0]
    assert (trial.attempt, trial.until, trial.then, trial.ending) == (0, 1, 3, Decision.PAUSE)
    story.end(0, Status.PAUSED)
    assert (trial.status, trial.attempt, trial.until, trial.then, trial.ending) == (Status.RUNNING, 1, 3, None, None)
    assert trial.began == 3.0
    assert 0 in story.state.running


def test_the_incumbent_is_the_lowest_loss(story):
    for trial in (0, 1, 2):
        story.start(trial)
    story.report(0, 1, 0.5)
    story.report(1, 1, 0.7)
    story.report(2, 1, 0.4)
    story.report(2, 2, 0.6)
    assert story.state.incumbent == Incumbent(0.4, 2, 1, 5.0)


def test_ties_go_to_the_earlier_trial_and_the_earlier_report(story):
    for trial in (0, 1):
        story.start(trial)
    story.report(1, 1, 0.5)
    story.report(1, 2, 0.5)
    assert story.state.incumbent == Incumbent(0.5, 1, 1, 2.0)
    story.report(0, 1, 0.5)
    assert story.state.incumbent == Incumbent(0.5, 0, 1, 4.0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_never_the_incumbent(story, value):
    story.start(0)
    assert story.report(0, 1, value).incumbent is None
    assert story.state.trials[0].loss == math.inf
    assert story.state.reports == 1


def test_in_max_mode_the_highest_metric_is_the_incumbent():
    story = Story(Objective("error", "max", "epoch"))
    story.start(0)
    story.report(0, 1, 0.5)
    story.report(0, 2, 0.9)
    story.report(0, 3, 0.7)
    assert story.state.incumbent == Incumbent(-0.9, 0, 2, 2.0)


def test_silent_failures_count_trials_that_failed_without_a_report(story):
    for trial, status in enumerate((Status.FAILED, Status.TIMEOUT, Status.FAILED)):
        story.start(trial)
        story.end(trial, status, error=f"error {trial}")
    assert story.state.silent_failures == 3
    assert story.state.first_error == "error 0"


def test_a_report_of_any_trial_starts_the_count_of_failures_again(story):
    story.start(0)
    story.start(1)
    story.end(0, Status.FAILED, error="error 0")
    story.report(1, 1, 0.5)
    assert story.state.silent_failures == 0
    story.start(2)
    story.end(2, Status.FAILED, error="error 2")
    assert (story.state.silent_failures, story.state.first_error) == (1, "error 2")


def test_a_failure_after_a_report_is_not_silent(story):
    story.start(0)
    story.report(0, 1, 0.5)
    assert story.end(0, Status.FAILED).silent_failures == 0


@pytest.mark.parametrize("status", [Status.INTERRUPTED, Status.COMPLETED, Status.STOPPED])
def test_what_is_no_failure_is_not_counted(story, status):
    story.start(0)
    assert story.end(0, status).silent_failures == 0


def test_a_new_session_forgives_failures_and_reopens_the_experiment(story):
    story.start(0)
    story.end(0, Status.FAILED, error="error 0")
    assert story.tell(Kind.FINISHED, reason="enough").finished == "enough"
    state = story.tell(Kind.OPENED)
    assert (state.sessions, state.finished, state.silent_failures) == (1, None, 0)


def test_a_note_changes_nothing_but_the_clock(story):
    story.start(0)
    before = story.state.trials[0]
    state = story.tell(Kind.NOTED, text="look")
    assert state.trials == {0: before}
    assert state.elapsed == 1.0


def test_elapsed_never_goes_back(story):
    story.start(0)
    story.start(1)
    story.now = -1.0
    assert story.start(2).elapsed == 1.0


def test_counts_are_in_the_order_of_the_statuses(story):
    for trial, status in enumerate((Status.FAILED, Status.PAUSED, Status.FAILED, Status.COMPLETED)):
        story.start(trial)
        story.end(trial, status)
    story.start(4)
    assert list(story.state.counts().items()) == [
        (Status.RUNNING, 1),
        (Status.PAUSED, 1),
        (Status.COMPLETED, 1),
        (Status.FAILED, 2),
    ]


def test_busy_seconds_are_those_of_all_attempts(story):
    story.start(0)  # 0 s
    story.start(1)  # 1 s
    story.end(0, Status.PAUSED)  # 2 s: two seconds of trial 0
    story.tell(Kind.RESUMED, 0, 1, until=3)  # 3 s
    story.tell(Kind.NOTED, text="")  # 4 s: one second of the new attempt, three of trial 1
    assert story.state.trials[0].busy == 2.0
    assert story.state.busy_seconds() == 2.0 + 1.0 + 3.0


def test_each_session_counts_with_the_workers_it_had(story):
    story.tell(Kind.OPENED, n_workers=3)  # 0 s
    story.start(0)  # 1 s
    story.end(0, Status.PAUSED)  # 2 s
    story.tell(Kind.OPENED, n_workers=1)  # 3 s
    story.tell(Kind.RESUMED, 0, 1, until=3)  # 4 s
    assert story.state.available_seconds(8) == 3 * 3.0 + 1 * 1.0
    assert story.state.available_seconds(8, elapsed=7.0) == 3 * 3.0 + 1 * 4.0
    assert story.state.n_workers == 1


def test_where_no_session_says_how_many_workers_it_had_all_have_those_of_the_configuration(story):
    story.start(0)  # 0 s
    story.end(0, Status.PAUSED)  # 1 s
    assert story.state.available_seconds(8) == 8.0


def test_events_can_be_applied_at_once():
    story = Story()
    story.start(0)
    events = [Event(Kind.STARTED, 0.0, 0.0, 0, 0, body={"configuration": {"x": 0}, "until": 9})]
    assert ExperimentState(OBJECTIVE).apply_all(events) == story.state


def test_what_is_over_without_a_finite_result_has_failed(story):
    assert story.start(0).status == "interrupted"
    story.report(0, 1, math.nan)
    story.end(0, Status.COMPLETED)
    assert story.tell(Kind.FINISHED, reason="done").status == "failed"
    assert story.tell(Kind.OPENED).status == "interrupted"
    story.start(1)
    story.report(1, 1, 0.5)
    assert story.tell(Kind.FINISHED, reason="done").status == "complete"


def test_failed_trials_are_those_that_failed_or_all_that_are_over_where_nothing_finite_came(story):
    for trial, status in enumerate(
        [Status.FAILED, Status.COMPLETED, Status.PAUSED, Status.TIMEOUT, Status.INTERRUPTED]
    ):
        story.start(trial)
        story.end(trial, status)
    story.start(5)
    assert [state.trial.id for state in story.state.failed_trials()] == [0, 1, 2, 3]
    story.report(5, 1, 0.5)
    assert [state.trial.id for state in story.state.failed_trials()] == [0]


def test_a_trial_that_trains_a_failed_one_again_counts_for_no_budget_and_is_needed_once(story):
    story.start(0)
    story.end(0, Status.FAILED)
    state = story.tell(Kind.STARTED, 1, 0, configuration={"x": 0}, until=9, retries=0)
    assert (len(state.trials), state.counted_trials) == (2, 1)
    assert state.failed_trials() == []
    story.end(1, Status.FAILED)
    assert [failed.trial.id for failed in state.failed_trials()] == [1]
