"""How far a report is from what is asked: against the definition, and the best over any order of reports by brute force."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo.events.objective import Objective, ReportError
from hpo.events.outcome import Constraint
from hpo.events.state import ExperimentState
from hpo.events.text import best_text
from hpo.events.types import Decision, Event, Kind

MS, RECALL = Constraint("ms", 20.0), Constraint("recall", 0.5, upper=False, at_end=True)
ASKED = Objective("loss", "min", "epoch", (MS, RECALL), 3)


@pytest.mark.parametrize(
    ("constraint", "value", "excess"),
    [
        (MS, 25.0, 0.25),
        (MS, 20.0, 0.0),
        (MS, 10.0, -0.5),
        (RECALL, 0.25, 0.5),
        (RECALL, 0.75, -0.5),
        (Constraint("bias", 0.0), 3.0, 3.0),
        (Constraint("bias", -2.0, upper=False), -3.0, 0.5),
        (MS, math.nan, math.inf),
        (MS, -math.inf, math.inf),
    ],
)
def test_an_excess_is_counted_in_bounds(constraint, value, excess):
    assert constraint.excess(value) == excess


def test_violations_add_up_and_a_bound_of_the_end_is_asked_there_alone():
    early = ASKED.outcome({"loss": 1.0, "ms": 30.0}, 2)
    assert (early.violation, early.judged, early.feasible) == (0.5, False, False)
    assert early.excesses[0] == 0.5
    assert math.isnan(early.excesses[1])
    end = ASKED.outcome({"loss": 1.0, "ms": 30.0, "recall": 0.25}, 3)
    assert (end.violation, end.judged, end.order) == (1.0, True, (1.0, 1.0))
    assert not ASKED.outcome({"loss": 1.0, "ms": 1.0, "recall": 0.9}, 2).feasible
    assert ASKED.outcome({"loss": 1.0, "ms": 1.0, "recall": 0.9}, 3).feasible


def test_a_bounded_metric_that_is_not_reported_is_missed_by_name():
    with pytest.raises(
        ReportError, match=r"benchmark\.constraints\.ms: the script reported only loss, mss; did you mean 'mss'"
    ):
        ASKED.outcome({"loss": 1.0, "mss": 3.0}, 1)
    with pytest.raises(ReportError, match=r"benchmark\.constraints\.recall: the script reported only loss, ms"):
        ASKED.outcome({"loss": 1.0, "ms": 3.0}, 3)
    with pytest.raises(
        ReportError, match=r"benchmark\.constraints\.ms: the script reported 'slow', which is not a number"
    ):
        ASKED.outcome({"loss": 1.0, "ms": "slow"}, 1)


VALUES = st.sampled_from([0.0, 1.0, 2.0, math.nan])
REPORTS = st.lists(
    st.tuples(
        st.integers(0, 4), VALUES, st.sampled_from([5.0, 20.0, 21.0, 30.0, math.inf]), st.sampled_from([0.4, 0.5, 0.9])
    ),
    max_size=15,
)


@given(REPORTS)
@settings(deadline=None, max_examples=200)
def test_the_best_at_every_moment_is_that_of_brute_force(reports):
    state = ExperimentState(ASKED)
    for trial in range(5):
        state.apply(Event(Kind.STARTED, 0.0, 0.0, trial, 0, None, {"configuration": {"x": trial}, "until": None}))
    told, done = [], dict.fromkeys(range(5), 0)
    for trial, loss, ms, recall in reports:
        if done[trial] == 3:
            continue
        done[trial] += 1
        metrics = {"loss": loss, "ms": ms, "recall": recall, "epoch": done[trial]}
        body = {"metrics": metrics, "decision": Decision.CONTINUE, "position": 1}
        state.apply(Event(Kind.REPORTED, 1.0, 1.0, trial, 0, done[trial], body))
        told.append((trial, done[trial], loss, ms, recall))
        good = [(r[2], r[0]) for r in told if r[1] == 3 and r[3] <= 20 and r[4] >= 0.5 and not math.isnan(r[2])]
        if good:
            assert state.incumbent is not None
            assert (state.incumbent.loss, state.incumbent.trial_id) == min(good)
            continue
        assert state.incumbent is None
        far = [
            (max(r[3] - 20, 0) / 20 + max(0.5 - r[4], 0) / 0.5, r[0], r[3:])
            for r in told
            if r[1] == 3 and (r[3] > 20 or r[4] < 0.5)
        ]
        assert state.closest == (min(far)[1:] if far else None)


def test_without_a_feasible_trial_the_text_names_the_closest_and_the_experiment_is_complete():
    state = ExperimentState(Objective("loss", "min", "epoch", (MS,)))
    for trial, ms in enumerate((25.0, 23.1)):
        state.apply(Event(Kind.STARTED, 0.0, 0.0, trial, 0, None, {"configuration": {}, "until": None}))
        body = {"metrics": {"loss": 1.0, "ms": ms}, "decision": Decision.STOP, "position": 1}
        state.apply(Event(Kind.REPORTED, 1.0, 1.0, trial, 0, 1, body))
        state.apply(Event(Kind.ENDED, 1.0, 1.0, trial, 0, 1, {"status": "completed"}))
    state.apply(Event(Kind.FINISHED, 2.0, 2.0, body={"reason": "done"}))
    assert best_text(state) == "none: no trial met ms <= 20 (closest: trial 1, 23.1)"
    assert state.status == "complete"
    assert state.failed_trials() == []
