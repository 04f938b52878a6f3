"""The fold of commands: what holds, what was asked, and what it makes of trials and of the budget."""

from hpo.events.steering import CommandName
from hpo.events.text import command_text, steering_text
from hpo.events.types import Decision, Kind, Status
from tests.events.test_state import Story

GIVEN = {"max_num_trials": 40}


def tell(story, name, verb, trial=None, *, accepted=True, **body):
    body = {"id": name, "command": verb, "arguments": {}, "by": "ann", "accepted": accepted, **body}
    return story.tell(Kind.COMMANDED, trial, 0, **body)


def test_a_stopped_trial_is_over_at_once_where_nothing_of_it_runs_and_else_when_its_attempt_is():
    story = Story()
    for trial in (0, 1, 2):
        story.start(trial)
    story.report(1, 1, 0.5, Decision.PAUSE)
    story.end(1, Status.PAUSED)
    tell(story, "a", CommandName.STOP, 1, arguments={"trial": 1})
    state = tell(story, "b", CommandName.STOP, 0, arguments={"trial": 0})
    assert [trial.status for trial in state.trials.values()] == [Status.RUNNING, Status.STOPPED, Status.RUNNING]
    assert state.counts() == {Status.RUNNING: 2, Status.STOPPED: 1}
    story.end(0, Status.STOPPED, by="b")
    assert state.counts() == {Status.RUNNING: 1, Status.STOPPED: 2}
    assert state.trials[0].stopped_by == "b"
    tell(story, "c", CommandName.STOP, accepted=False)
    assert (len(state.steering.answers), state.steering.accepted, len(state.steering.marks)) == (3, 2, 2)
    assert steering_text(state).startswith("steered: trials 1, 0 stopped by command")


def test_a_promotion_that_was_waiting_for_the_processes_to_end_does_not_come_after_a_stop():
    story = Story()
    story.start(0, until=1)
    story.report(0, 1, 0.5, Decision.PAUSE)
    story.tell(Kind.RESUMED, 0, 1, until=3)
    tell(story, "a", CommandName.STOP, 0, arguments={"trial": 0})
    state = story.end(0, Status.STOPPED)
    assert (state.trials[0].status, state.trials[0].attempt, state.running) == (Status.STOPPED, 0, {})


def test_a_hold_lasts_over_sessions_and_marks_the_experiment_for_ever():
    story = Story()
    assert steering_text(story.state) == ""
    tell(story, "a", CommandName.HOLD)
    state = story.tell(Kind.OPENED)
    assert state.steering.held == "ann"
    tell(story, "b", CommandName.GO_ON)
    assert state.steering.held is None
    assert "held once by command" in steering_text(state)


def test_a_changed_budget_holds_as_long_as_the_one_it_was_changed_from_is_given():
    story = Story()
    story.tell(Kind.OPENED, budget=GIVEN)
    state = tell(story, "a", CommandName.BUDGET, old={"max_num_trials": 40}, new={"max_num_trials": 60})
    assert state.steering.changes_under(GIVEN) == {"max_num_trials": 60}
    assert state.steering.changes_under({"max_num_trials": 41}) == {}
    story.tell(Kind.OPENED, budget=GIVEN)
    assert state.steering.changes == {"max_num_trials": 60}
    story.tell(Kind.OPENED, budget={"max_num_trials": 41})
    assert state.steering.changes == {}
    story.tell(Kind.OPENED, budget=GIVEN)
    assert state.steering.changes == {}, "it is not remembered for a budget of long ago"
    assert steering_text(state) == "", "a budget is none of the method's business"


def test_an_end_that_was_asked_for_is_asked_until_it_has_come():
    story = Story()
    tell(story, "a", CommandName.HOLD)
    state = tell(story, "b", CommandName.END)
    story.tell(Kind.OPENED)
    assert (state.steering.end, state.steering.held) == ("ann", "ann")
    story.tell(Kind.FINISHED, reason="ended on request by ann", budget={})
    assert (state.steering.end, state.steering.held) == (None, None)


def test_a_command_in_words():
    assert command_text({"command": "stop", "arguments": {"trial": 7}}) == "stop trial 7"
    budget = {
        "old": {"max_wallclock_time": 60.0, "max_num_trials": 4},
        "new": {"max_wallclock_time": None, "max_num_trials": 5},
    }
    assert command_text({"command": "budget", **budget}) == "max_wallclock_time 60 -> null, max_num_trials 4 -> 5"
    assert command_text({"command": "go-on"}) == "go-on"
