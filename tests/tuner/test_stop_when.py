"""The rule that ends an experiment whose best result has stopped improving."""

from dataclasses import replace

import pytest

from hpo import load_config, load_experiment, run_experiment
from hpo.config.stop_when import StopWhen
from hpo.events.objective import Objective
from hpo.events.state import ExperimentState
from hpo.events.types import Event, Kind
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
        body = {"metrics": {"error": loss}, "decision": "CONTINUE", "position": 0}
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
        before = [
            loss
            for n, loss in enumerate(losses[:count], 1)
            if n / (max_resource or 1) <= count / (max_resource or 1) - rule.patience
        ]
        ranked = sorted(losses[:count])
        if before and min(before) - ranked[0] <= rule.min_improvement * (ranked[count // 2] - ranked[0]):
            return count
    return None


@pytest.mark.parametrize("max_resource", [None, 2])
@pytest.mark.parametrize("patience", [1, 3, 7.5])
@pytest.mark.parametrize("seed", range(5))
def test_it_ends_where_the_definition_does(seed, patience, max_resource):
    import numpy as np

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


def config_of(patience=None, **keys):
    rule = None if patience is None else {"patience": patience}
    keys = {"max_wallclock_time": None, "max_num_trials": 60, "n_workers": 2, **keys}
    return load_config("mlp_digits_grid", "ASHA", seed=0, random_seed=1, stop_when=rule, **keys)


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


def reached_at(events, cut, rule, objective, max_resource):
    """Position of the report that ends the experiment if a session takes in the first `cut` events at once."""
    plateau, state = Plateau(rule, max_resource), ExperimentState(objective)
    plateau.restore(objective, events[:cut])
    for event in events[:cut]:
        state.apply(event)
    for place, event in enumerate(events[cut:], cut):
        if plateau.reached is not None:
            return place
        state.apply(event)
        plateau.take(event, state)
    return len(events) if plateau.reached is not None else None


def test_a_resumed_experiment_ends_at_the_same_report_wherever_it_was_interrupted(tmp_path):
    config = config_of()
    run_experiment(config, tmp_path, show=False)
    events, rule = list(load_experiment(tmp_path).events), StopWhen(4)
    whole = reached_at(events, 0, rule, config.objective, config.max_resource)
    assert whole is not None
    assert whole < len(events)
    for cut in range(0, whole, 7):
        assert reached_at(events, cut, rule, config.objective, config.max_resource) == whole


def test_an_experiment_without_the_key_keeps_its_identity_and_one_with_it_has_another():
    assert identity(config_of()) == identity(replace(config_of(), stop_when=None))
    assert identity(config_of(3)) != identity(config_of())
