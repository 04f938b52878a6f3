"""Every method by the scheduler contract; what methods share, and what each decides."""

import math
import warnings

import pytest

from hpo import Decision, Resume, Start, Trial, build_scheduler
from hpo.errors import ConfigError
from hpo.events.state import ExperimentState
from hpo.randomness import Randomness, canonical
from hpo.schedulers import FIFO
from hpo.schedulers.replay import verify
from hpo.searchers import RandomSearcher, SearcherCapabilities
from hpo.space.search_space import parse_space
from tests.support.contracts import MAXIMUM, Driver, SchedulerContract
from tests.support.fakes import CONTRACTED, HALVING, METHODS, OPTIONS, SPACE, objective_of

VARIANTS = {
    **{name: (name, OPTIONS.get(name, {})) for name in CONTRACTED},
    "HYPERBAND-systems": ("HYPERBAND", {"rung_system_per_bracket": True}),
    "ASHA-2": ("ASHA", {"reduction_factor": 2}),
    "ASHA-4": ("ASHA", {"reduction_factor": 4}),
    "ASHA-STOP-2-brackets": ("ASHA-STOP", {"brackets": 2}),
    "ASHA-min-2": ("ASHA", {"min_resource": 2}),
}


class Factory:
    """Builds fresh schedulers of one method."""

    def __init__(self, name, overrides):
        self.name, self.overrides = name, overrides
        self.halving = name in HALVING
        self.closes_rungs = name.startswith("SYNC-") or name in ("BOHB", "DEHB", "ASHA-GP-TIME")
        self.objective = objective_of(name)

    def __call__(self, *, seed=0, random_seed=0, space=SPACE, max_resource=MAXIMUM, **more):
        options = {**self.overrides, **more}
        return build_scheduler(
            self.name,
            space,
            max_resource=max_resource,
            seed=seed,
            random_seed=random_seed,
            objectives={aim.metric: {"mode": aim.mode, "log": aim.log} for aim in self.objective.aims},
            **options,
        )


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS.keys())
def factory(request):
    return Factory(*request.param)


class TestEveryMethod(SchedulerContract):
    """All methods in conf/method, and ASHA and Hyperband with other arguments."""


@pytest.mark.parametrize("name", [name for name in METHODS if name not in ("CMA-ES", "DEHB")])  # which refuse them
def test_every_method_honours_conditions_and_is_replayed(name):
    config_space = {
        "kind": {"type": "choice", "values": ["p", "q", "r"]},
        "x": {"type": "float", "lower": 0.0, "upper": 1.0},
        "y": {"type": "float", "lower": 0.0, "upper": 1.0, "when": {"kind": ["p", "q"]}},
        "n": {"type": "int", "lower": 1, "upper": 64, "log": True, "when": {"kind": "p"}},
        "act": {"type": "choice", "values": ["relu", "tanh", "gelu"], "when": {"n": {"lower": 4}}},
    }
    space, factory = parse_space(config_space), Factory(name, OPTIONS.get(name, {}))
    kinds = {name: getattr(factory, name) for name in ("halving", "closes_rungs", "objective")}
    driver = Driver(factory(space=config_space), 7, **kinds, failures=0.05, ask_often=True).run(100)
    configurations = [state.trial.configuration for state in driver.state.trials.values()]
    assert len(configurations) > 10
    assert all(list(one) == space.used_names(one) for one in configurations)
    assert len({tuple(one) for one in configurations}) > 2, "no branch is left out"
    assert len({canonical(one) for one in configurations}) == len(configurations)
    assert (
        list(verify(factory(space=config_space), ExperimentState(factory.objective), enumerate(driver.events), [0]))
        == []
    )


def test_a_searcher_that_takes_no_conditions_refuses_them_in_one_sentence():
    conditional = {
        "a": {"type": "choice", "values": [1, 2]},
        "b": {"type": "choice", "values": [1, 2], "when": {"a": 1}},
    }
    method = {
        "name": "mine",
        "searcher": {"_target_": f"{__name__}.AllAtOnce", "_partial_": True},
        "scheduler": {"_target_": "hpo.schedulers.FIFO", "_partial_": True},
    }
    with pytest.raises(
        ConfigError, match=r"AllAtOnce needs all hyperparameters .*; remove config_space\.b\.when, or use"
    ):
        build_scheduler(method, conditional, max_resource=9, seed=0)
    del conditional["b"]["when"]
    build_scheduler(method, conditional, max_resource=9, seed=0)


class AllAtOnce(RandomSearcher):
    capabilities = SearcherCapabilities(conditions=False)


def test_classes_with_the_attributes_of_earlier_versions_keep_their_capabilities_and_warn_once():
    sentence = r"Former sets takes_conditions; .* write capabilities = SearcherCapabilities\(conditions=False\)"
    with pytest.warns(FutureWarning, match=sentence) as caught:
        former = type("Former", (RandomSearcher,), {"takes_conditions": False})
    assert [one.filename for one in caught] == [__file__]
    with warnings.catch_warnings(action="error"):
        below = type("Below", (former,), {})
    assert below.capabilities == SearcherCapabilities(conditions=False, violations="random", objectives=True, box=True)
    with pytest.warns(FutureWarning, match=r"SchedulerCapabilities\(pauses=True, counts_seconds=True\)"):
        Pausing = type("Pausing", (FIFO,), {"pauses": True, "counts_seconds": True})
    assert Pausing.capabilities.pauses
    assert Pausing(RandomSearcher(parse_space(SPACE), Randomness(0, 0))).pauses
    assert FIFO.capabilities.completes
    assert not FIFO.capabilities.pauses


def starts(scheduler, count):
    found = []
    for trial_id in range(count):
        suggestion = scheduler.suggest()
        assert isinstance(suggestion, Start)
        scheduler.on_start(Trial(trial_id, suggestion.configuration))
        found.append(suggestion)
    return found


def first_six(name, **seeds):
    return [canonical(s.configuration) for s in starts(Factory(name, {})(**seeds), 6)]


@pytest.mark.parametrize("name", ["SOBOL", "ASHA", "ASHA-STOP", "HYPERBAND", "SYNC-HYPERBAND", "SYNC-MOBSTER"])
@pytest.mark.parametrize("seeds", [{"seed": 0, "random_seed": 0}, {"seed": 3, "random_seed": 12345}])
def test_all_methods_with_the_same_seeds_start_with_the_same_six_configurations(name, seeds):
    assert first_six(name, **seeds) == first_six("RS", **seeds)


@pytest.mark.parametrize("name", ["RS", "SOBOL", "ASHA", "ASHA-STOP", "HYPERBAND"])
def test_another_seed_or_master_seed_starts_otherwise(name):
    base = first_six(name, seed=1, random_seed=1)
    assert not set(base[1:]) & set(first_six(name, seed=2, random_seed=1)[1:])
    assert not set(base[1:]) & set(first_six(name, seed=1, random_seed=2)[1:])


def test_the_two_seeds_are_not_added_up():
    assert first_six("RS", seed=1, random_seed=2)[1:] != first_six("RS", seed=2, random_seed=1)[1:]


@pytest.mark.parametrize("name", ["RS", "SOBOL", "GRID", "ASHA-STOP"])
def test_methods_without_pauses_send_every_trial_to_the_maximum(name):
    assert {s.until for s in starts(Factory(name, {})(max_resource=27), 8)} == {27}


@pytest.mark.parametrize(("options", "first"), [({}, 1), ({"min_resource": 4}, 4), ({"reduction_factor": 2}, 1)])
def test_asha_sends_every_trial_to_the_first_rung(options, first):
    assert {s.until for s in starts(Factory("ASHA", options)(max_resource=27), 8)} == {first}


def test_methods_that_do_not_stop_trials_need_no_maximum():
    assert starts(Factory("RS", {})(max_resource=None), 1)[0].until is None


@pytest.mark.parametrize("name", ["MEDIAN", *HALVING])
def test_methods_that_stop_trials_need_a_maximum(name):
    with pytest.raises(ConfigError, match="max_resource_attr"):
        Factory(name, {})(max_resource=None)


@pytest.mark.parametrize("name", [name for name in HALVING if name not in ("PASHA", "DEHB")])  # which take none
@pytest.mark.parametrize(
    "options",
    [
        {"reduction_factor": 1},
        {"reduction_factor": math.nan},
        {"min_resource": 0},
        {"min_resource": 9},
        {"brackets": 0},
        {"brackets": 4},
    ],
    ids=str,
)
def test_arguments_that_leave_no_rungs_or_brackets_are_errors_that_name_the_key(name, options):
    key = next(iter(options))
    with pytest.raises(ConfigError, match=f"method.scheduler.{key}"):
        Factory(name, options)()


def report(scheduler, trial_id, resource, loss, configurations):
    return scheduler.on_report(Trial(trial_id, configurations[trial_id]), resource, loss)


def asha_with(name, count, **options):
    scheduler = Factory(name, options)()
    return scheduler, [s.configuration for s in starts(scheduler, count)]


def test_the_best_of_two_is_promoted():
    scheduler, configurations = asha_with("ASHA", 2)
    assert report(scheduler, 0, 1, 0.5, configurations) == Decision.PAUSE
    assert isinstance(scheduler.propose(), Start), "one alone has nobody to be better than"
    assert report(scheduler, 1, 1, 0.4, configurations) == Decision.PAUSE
    assert scheduler.suggest() == Resume(1, 3)
    assert isinstance(scheduler.suggest(), Start)


def test_the_earlier_of_two_equal_trials_is_promoted():
    scheduler, configurations = asha_with("ASHA", 2)
    for trial_id in (1, 0):
        report(scheduler, trial_id, 1, 0.5, configurations)
    assert scheduler.suggest() == Resume(0, 3)


def test_the_top_rung_is_looked_at_first():
    scheduler, configurations = asha_with("ASHA", 4)
    for trial_id, loss in enumerate((0.4, 0.3)):
        report(scheduler, trial_id, 1, loss, configurations)
    assert scheduler.suggest() == Resume(1, 3)
    report(scheduler, 1, 3, 0.3, configurations)
    report(scheduler, 2, 1, 0.2, configurations)
    assert scheduler.suggest() == Resume(2, 3)
    report(scheduler, 2, 3, 0.2, configurations)
    report(scheduler, 3, 1, 0.1, configurations)
    assert scheduler.suggest() == Resume(2, 9)
    assert scheduler.suggest() == Resume(3, 3)


def test_a_paused_trial_is_told_where_to_end_and_stops_there():
    scheduler, configurations = asha_with("ASHA", 2)
    for trial_id, loss in enumerate((0.5, 0.4)):
        report(scheduler, trial_id, 1, loss, configurations)
    assert scheduler.suggest() == Resume(1, 3)
    assert report(scheduler, 1, 2, 0.3, configurations) == Decision.CONTINUE
    assert report(scheduler, 1, 3, 0.3, configurations) == Decision.PAUSE


def test_the_maximum_is_no_rung():
    scheduler, configurations = asha_with("ASHA", 2, min_resource=3)
    for trial_id, loss in enumerate((0.5, 0.4)):
        report(scheduler, trial_id, 3, loss, configurations)
    assert scheduler.suggest() == Resume(1, 9)
    assert report(scheduler, 1, 9, 0.3, configurations) == Decision.STOP
    assert scheduler.suggest(new_trials=False) is None


def test_the_first_at_a_rung_always_goes_on():
    scheduler, configurations = asha_with("ASHA-STOP", 1)
    assert [report(scheduler, 0, r, 1e6, configurations) for r in (1, 2, 3, 8)] == [Decision.CONTINUE] * 4
    assert report(scheduler, 0, 9, 1e6, configurations) == Decision.STOP


def test_the_worse_of_two_is_stopped_and_an_equal_one_goes_on():
    scheduler, configurations = asha_with("ASHA-STOP", 3)
    assert report(scheduler, 0, 1, 0.5, configurations) == Decision.CONTINUE
    assert report(scheduler, 1, 1, 0.5, configurations) == Decision.CONTINUE
    assert report(scheduler, 2, 1, 0.6, configurations) == Decision.STOP


@pytest.mark.parametrize("earlier", [0, 1, 3])
def test_a_trial_that_diverges_is_stopped_at_the_next_rung(earlier):
    scheduler, configurations = asha_with("ASHA-STOP", earlier + 1)
    for trial_id in range(earlier):
        report(scheduler, trial_id, 1, 0.5, configurations)
    assert report(scheduler, earlier, 1, math.inf, configurations) == Decision.STOP


def test_between_rungs_nothing_is_decided():
    scheduler, configurations = asha_with("ASHA-STOP", 2)
    report(scheduler, 0, 1, 0.1, configurations)
    report(scheduler, 0, 2, 0.1, configurations)
    assert report(scheduler, 1, 1, 0.1, configurations) == Decision.CONTINUE
    assert report(scheduler, 1, 2, 99.0, configurations) == Decision.CONTINUE


class Listener:
    """Notes what the searcher is told."""

    def __init__(self, scheduler, monkeypatch):
        self.told = []
        for name in ("update", "on_failed"):
            monkeypatch.setattr(scheduler.searcher, name, lambda *a, name=name: self.told.append((name, *a[1:])))


def test_random_search_tells_the_searcher_the_last_result_of_a_complete_trial(monkeypatch):
    scheduler, configurations = asha_with("RS", 2)
    listener = Listener(scheduler, monkeypatch)
    for resource, loss in ((1, 0.5), (2, 0.3), (3, 0.4)):
        report(scheduler, 0, resource, loss, configurations)
    assert listener.told == []
    scheduler.on_complete(Trial(0, configurations[0]))
    assert listener.told == [("update", 3, 0.4), ("on_failed",)]
    report(scheduler, 1, 1, 0.5, configurations)
    scheduler.on_error(Trial(1, configurations[1]))
    assert listener.told[2:] == [("on_failed",)]


def test_asha_tells_the_searcher_the_results_at_rungs_and_failures(monkeypatch):
    scheduler, configurations = asha_with("ASHA-STOP", 2)
    listener = Listener(scheduler, monkeypatch)
    for resource in (1, 2, 3):
        report(scheduler, 0, resource, 0.5, configurations)
    scheduler.on_error(Trial(0, configurations[0]))
    assert listener.told == [("update", 1, 0.5), ("update", 3, 0.5), ("on_failed",)]


@pytest.mark.parametrize("scheduler", ["FIFO", "StoppingASHA", "ASHA"])
def test_a_script_that_ends_by_itself_is_waited_for_no_more(scheduler):
    method = {
        "searcher": {"_target_": "hpo.searchers.MOBSTERSearcher"},
        "scheduler": {"_target_": f"hpo.schedulers.{scheduler}"},
    }
    scheduler = build_scheduler(method, SPACE, max_resource=27, seed=0)
    for trial_id in range(8):
        trial = Trial(trial_id, scheduler.suggest().configuration)
        scheduler.on_start(trial)
        if trial_id % 2:
            scheduler.on_report(trial, 2, 0.5)
        scheduler.on_complete(trial)
        assert scheduler.searcher.history.pending == {}


def test_a_trial_that_reports_seldom_waits_at_the_highest_rung_it_has_passed():
    scheduler, configurations = asha_with("ASHA", 3)
    assert report(scheduler, 0, 5, 0.5, configurations) == Decision.PAUSE
    assert report(scheduler, 1, 5, 0.4, configurations) == Decision.PAUSE
    assert scheduler.suggest() == Resume(1, 9), "sent on to 3 it would end without a report"
    # Its results count at the rungs it has passed: 0.45 is second of three at 1, and one third may go on.
    assert report(scheduler, 2, 1, 0.45, configurations) == Decision.PAUSE
    assert isinstance(scheduler.suggest(), Start)
