"""Why a command is refused: one sentence each, and what is obeyed is told apart from it."""

import math

import pytest

from hpo.events.objective import Objective
from hpo.events.state import ExperimentState
from hpo.events.steering import Command
from hpo.events.types import Event, Kind
from hpo.tuner.command_refusals import Moment, refusal
from hpo.tuner.stopping import Budget
from tests.support.fakes import OBJECTIVE


def state(*more):
    """Trials 0, which has completed, 1, paused, 2, at work, and 3, told to stop; three reports, the best 0.25."""
    events = [Event(Kind.OPENED, 0.0, 0.0)]
    for trial in range(4):
        events.append(Event(Kind.STARTED, 0.0, 0.0, trial, 0, None, {"configuration": {}, "until": 9}))
    for trial, decision in ((0, "CONTINUE"), (1, "PAUSE"), (3, "STOP")):
        body = {"metrics": {"error": 0.25, "epoch": 3}, "decision": decision, "position": 1}
        events.append(Event(Kind.REPORTED, 5.0, 0.0, trial, 0, 3, body))
    for trial, status in ((0, "completed"), (1, "paused")):
        events.append(Event(Kind.ENDED, 10.0, 0.0, trial, 0, 3, {"status": status}))
    return ExperimentState(OBJECTIVE).apply_all([*events, *more])


def commanded(name, verb, trial=None, **body):
    body = {"id": name, "command": verb, "arguments": {}, "by": "ann", "accepted": True, **body}
    return Event(Kind.COMMANDED, 11.0, 0.0, trial, 0, None, body)


def why(verb, *more, name="5", closing=False, **arguments):
    budget = Budget(max_num_trials=8, max_wallclock_time=60.0)
    moment = Moment(state=state(*more), budget=budget, elapsed=20.0, closing=closing, opened="4")
    return refusal(Command(name, verb, arguments, "me"), moment)


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("stop", {"trial": 1}),
        ("stop", {"trial": 2}),
        ("hold", {}),
        ("end", {}),
        ("interrupt", {}),
        ("budget", {"max_num_trials": 4}),
        ("budget", {"max_num_trials": None, "max_wallclock_time": 20.5}),
        ("budget", {"max_num_evaluations": 4, "target_value": -0.1}),
    ],
)
def test_what_can_be_done_is_not_refused(verb, arguments):
    assert why(verb, **arguments) is None


@pytest.mark.parametrize(
    ("verb", "arguments", "said"),
    [
        ("fly", {}, "'fly' is not a command: use stop, hold, go-on, budget, end, interrupt"),
        ("stop", {}, "trial=None is not the number of a trial"),
        ("stop", {"trial": True}, "trial=True is not the number of a trial"),
        ("stop", {"trial": "7"}, "trial='7' is not the number of a trial"),
        ("stop", {"trial": 4}, "there is no trial 4: there are 0 to 3"),
        ("stop", {"trial": -1}, "there is no trial -1: there are 0 to 3"),
        ("stop", {"trial": 0}, "trial 0 has ended: it is completed"),
        ("stop", {"trial": 3}, "trial 3 is being ended already"),
        ("hold", {"trial": 1}, "hold takes no arguments, not 'trial'"),
        ("go-on", {}, "it is not held"),
        (
            "budget",
            {},
            "name a limit: max_wallclock_time=…, max_num_trials=…, max_num_evaluations=…, max_device_hours=…, "
            "max_price=…, device_price=…, target_value=…",
        ),
        ("budget", {"max_price": 3}, "max_price=3 needs device_price, the price of a device for an hour"),
        ("budget", {"max_num_trials": 3}, "max_num_trials=3: 4 trials have been started; use at least that, or end"),
        ("budget", {"max_num_trials": 0}, "max_num_trials=0: use a positive number, or null for no limit"),
        ("budget", {"max_num_trials": 9.5}, "max_num_trials=9.5: use a whole number"),
        ("budget", {"max_num_trials": True}, "max_num_trials=True: use a number, or null for no limit"),
        ("budget", {"max_num_trials": 10**4000}, f"max_num_trials=1{'0' * 39}: use a number, or null for no limit"),
        ("budget", {"max_wallclock_time": math.nan}, "max_wallclock_time=nan: use a number, or null for no limit"),
        ("budget", {"max_wallclock_time": 20}, "max_wallclock_time=20: 20 s are over; use more, or end"),
        ("budget", {"max_num_evaluations": 3}, "max_num_evaluations=3: 3 reports are in; use more, or end"),
        ("budget", {"target_value": 0.3}, "target_value=0.3: error 0.25 is there already; use a better one, or end"),
        ("budget", {"max_num_trials": 8}, "max_num_trials=8 is the budget already"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(verb, arguments, said):
    assert why(verb, **arguments) == said


def test_a_budget_in_cost_is_one_only_where_a_cost_is_named():
    assert why("budget", max_cost=3.0).startswith("budget takes device_price or max_device_hours or")
    known = ExperimentState(Objective("error", "min", "epoch", cost_attr="dollars"))
    known.spending.add(0, 4.0)
    moment = Moment(state=known, budget=Budget(), elapsed=20.0)
    for limit, said in ((4.0, "max_cost=4.0: 4 are spent; use more, or end"), (4.5, None)):
        assert refusal(Command("5", "budget", {"max_cost": limit}, "me"), moment) == said


def test_the_same_command_twice_is_refused():
    assert why("stop", commanded("3", "stop", 1), trial=1) == "trial 1 was stopped already, by command 3"
    assert why("hold", commanded("3", "hold")) == "it is held already, by ann; go-on ends that"
    assert why("go-on", commanded("3", "hold")) is None


def test_what_comes_when_it_ends_anyway_is_refused_but_a_trial_can_still_be_stopped():
    for verb in ("hold", "end", "interrupt"):
        assert why(verb, closing=True) == "it is coming to its end already"
    assert why("budget", closing=True, max_num_trials=9).startswith(
        "it is coming to its end already; give the new budget"
    )
    assert why("stop", closing=True, trial=2) is None


def test_an_interrupt_is_for_the_session_in_which_it_was_given():
    assert why("interrupt", name="3") == "the session that it was meant for has ended"
