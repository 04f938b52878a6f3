"""The rule that ends an experiment whose best result has stopped improving."""

import math
from dataclasses import replace

import numpy as np
import pytest

from hpo import load_config, load_experiment, run_experiment
from hpo.config.stop_when import StopWhen
from hpo.events.objective import Objective
from hpo.events.state import ExperimentState
from hpo.events.types import Decision, Event, Kind
from hpo.sagemaker.names import identity
from hpo.schedulers.construction import scheduler_of
from hpo.schedulers.replay import verify
from hpo.tuner.stop_when import Plateau, unused
from hpo.tuner.stopping import Budget

OBJECTIVE = Objective("error", "min", None)


def events_of(losses):
    """Trials of one report each."""
    for trial, loss in enumerate(losses):
        yield Event(Kind.STARTED, trial, 0.0, trial, 0, None, {"configuration": {}, "until": None})
        body = {"metrics": {"error": loss}, "decision": Decision.CONTINUE, "position": 0}
        yield Event(Kind.REPORTED, trial + 0.5, 0.0, trial, 0, 1, body)


def ended_after(losses, rule, max_resource=None):
    """Number of trials after which the rule ends the experiment; None if it does not."""
    plateau, state = Plateau(rule, max_resource), ExperimentState(OBJECTIVE)
    for event in events_of(losses):
        state.apply(event)
        plateau.take(event, state)
        if plateau.reached is not None:
            return event.trial + 1
    return None


def ended_by_definition(losses, rule, max_resource=None):
    for count in range(1, len(losses) + 1):
        before = losses[: max(math.floor(count - rule.patience * (max_resource or 1)), 0)]
        ranked = sorted(losses[:count])
        if before and min(before) - ranked[0] <= rule.min_improvement * (ranked[count // 2] - ranked[0]):
            return count
    return None


@pytest.mark.parametrize("max_resource", [None, 2])
@pytest.mark.parametrize("patience", [1, 3, 7.5])
@pytest.mark.parametrize("seed", range(5))
def test_it_ends_where_the_definition_does(seed, patience, max_resource):
    losses = np.random.default_rng(seed).exponential(size=80).tolist()
    rule = StopWhen(patience, 0.05)
    found = ended_after(losses, rule, max_resource)
    assert found is not None
    assert found == ended_by_definition(losses, rule, max_resource)


def test_a_search_that_improves_goes_on_and_one_without_finite_results_too():
    assert ended_after([1 / n for n in range(1, 100)], StopWhen(5, 1e-4)) is None
    assert ended_after([float("nan")] * 50, StopWhen(5, 0.1)) is None


def test_a_log_that_is_taken_in_at_once_gives_the_same_answer():
    losses = [1.0, 0.5, 0.9, 0.8, 0.7, 0.6, 0.55]
    whole = Plateau(StopWhen(3, 0.01), None)
    whole.restore(OBJECTIVE, events_of(losses))
    events = list(events_of(losses))
    for cut in range(len(events)):
        parts, state = Plateau(StopWhen(3, 0.01), None), ExperimentState(OBJECTIVE).apply_all(events[:cut])
        parts.restore(OBJECTIVE, events[:cut])
        for event in events[cut:]:
            state.apply(event)
            parts.take(event, state)
        assert parts.reached == whole.reached
    assert whole.reached == (
        "stop_when: 3 full-budget evaluations improved error by 0, at most 0.01 of the distance from the best trial to the "
        "median one, 0.3"
    )
    assert ended_after(losses, StopWhen(3, 0.01)) == 5


def test_what_is_left_of_each_limit_is_told():
    state = ExperimentState(OBJECTIVE, reports=25)
    budget = Budget(max_wallclock_time=40.0, max_num_evaluations=100)
    assert unused(budget, state, 10.0) == "; not used: 75% of max_wallclock_time=40, 75% of max_num_evaluations=100"
    assert unused(Budget(), state, 10.0) == ""
    state.device_time.ended = 1800.0
    budget = Budget(max_device_hours=2.0, max_price=4.0, device_price=2.0)
    assert unused(budget, state, 10.0) == "; not used: 75% of max_device_hours=2, 75% of max_price=4"


def config_of(patience=None, **keys):
    rule = None if patience is None else {"patience": patience}
    keys = {"max_wallclock_time": 1e6, "max_num_trials": 60, "n_workers": 2, **keys}
    return load_config("hpobench_car", "ASHA", seed=0, random_seed=1, stop_when=rule, **keys)


def test_an_experiment_that_it_has_ended_is_complete_and_goes_on_with_more_patience_or_without(tmp_path):
    first = run_experiment(config_of(3), tmp_path, show=False)
    assert first.reason.startswith("stop_when: 3 full-budget evaluations improved")
    assert "% of max_num_trials=60" in first.reason
    prefix = list(load_experiment(tmp_path).events)
    assert run_experiment(config_of(3), tmp_path, show=False).skipped
    assert run_experiment(config_of(3, max_num_trials=80), tmp_path, show=False).skipped
    more = run_experiment(config_of(6), tmp_path, show=False)
    assert not more.skipped
    last = run_experiment(config_of(), tmp_path, show=False)
    assert last.reason == "max_num_trials=60 trials are done"
    events = list(load_experiment(tmp_path).events)
    assert events[: len(prefix)] == prefix
    config, count = config_of(), [0]
    assert list(verify(scheduler_of(config), ExperimentState(config.objective), enumerate(events), count)) == []
    assert count[0] > 60


def reports_of(directory):
    return [(e.trial, e.resource, e.body["metrics"]) for e in load_experiment(directory).events if e.kind == "reported"]


@pytest.mark.parametrize("cut", [1, 20, 50])
def test_it_ends_a_resumed_experiment_at_the_same_report_as_one_in_a_single_session(tmp_path, cut):
    one = run_experiment(config_of(3, n_workers=1), tmp_path / "one", show=False)
    assert one.reason.startswith("stop_when")
    assert len(reports_of(tmp_path / "one")) > cut
    first = run_experiment(config_of(3, n_workers=1, max_num_evaluations=cut), tmp_path / "two", show=False)
    assert first.reason == f"max_num_evaluations={cut} reports are in"
    two = run_experiment(config_of(3, n_workers=1), tmp_path / "two", show=False)
    assert two.reason.partition("; not used")[0] == one.reason.partition("; not used")[0]
    assert reports_of(tmp_path / "two") == reports_of(tmp_path / "one")


def test_an_experiment_without_the_key_keeps_its_identity_and_one_with_it_has_another():
    assert identity(config_of()) == identity(replace(config_of(), stop_when=None))
    assert identity(config_of(3)) != identity(config_of())
