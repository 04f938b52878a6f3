"""Population-based training: who is replaced by a copy of whom, what changes, and that all of it comes out again."""

import math
import random
import time

import numpy as np
import pytest

from hpo import Decision, Resume, Start, Trial, build_scheduler, load_config
from hpo.backends.backend_choice import check_backend
from hpo.config.reading import resolve
from hpo.errors import ConfigError
from hpo.events.state import ExperimentState
from hpo.events.types import Kind, Status
from hpo.history.curves import rungs
from hpo.planning.directory_state import DirectoryState, PlannedExperiment
from hpo.planning.plan import Group, Machine, Plan
from hpo.planning.plan_warnings import advice
from hpo.randomness import Randomness
from hpo.results.experiment import Experiment
from hpo.schedulers.construction import scheduler_of
from hpo.schedulers.replay import verify
from hpo.tuner.stopping import Budget
from tests.support.fakes import OBJECTIVE, SPACE, Crash, FakeExperiment, Hang

EIGHT = {"population": 8, "interval": 2, "mutable": ["x"]}


def build(space=SPACE, **options):
    options = {"max_resource": 9, "seed": 0, **EIGHT, **options}
    return build_scheduler("PBT", space, **options)


def run(n_workers=4, seed=0, limits=None, budget=None, **backend):
    experiment = FakeExperiment(
        "PBT",
        seed=seed,
        n_workers=n_workers,
        overrides=EIGHT,
        backend=backend,
        limits=limits or {},
        budget=budget or Budget(),
    )
    tuner = experiment.session()
    reason = tuner.run()
    return reason, tuner, experiment


# ---------------------------------------------------------------------- the definition


def play(scheduler, train, weights, steps=10_000):
    """Train one member at a time, each with weights of its own, as scripts with checkpoints do. Returns all losses."""
    paused, trials, losses = {}, [], []
    for _ in range(steps):
        suggestion = scheduler.suggest()
        if suggestion is None:
            return losses
        if isinstance(suggestion, Start):
            trial = Trial(len(trials), suggestion.configuration, suggestion.source)
            scheduler.on_start(trial)
            reached, state = 0, weights
            if suggestion.source is not None:
                reached, state = suggestion.source_resource, paused[suggestion.source, suggestion.source_resource]
            trials.append((trial, reached, state))
        number = len(trials) - 1 if isinstance(suggestion, Start) else suggestion.trial_id
        trial, reached, state = trials[number]
        while True:
            reached, state = reached + 1, train(state, trial.configuration)
            losses.append(-1.2 + float(np.sum(np.square(state))))
            decision = scheduler.on_report(trial, reached, losses[-1])
            if decision != Decision.CONTINUE:
                break
        assert reached == suggestion.until
        trials[number] = trial, reached, state
        if decision == Decision.PAUSE:
            paused[trial.id, reached] = state
            scheduler.on_paused(trial)
        else:
            scheduler.on_complete(trial)
    raise AssertionError("it goes round and round")


def half(theta, configuration):
    """A step up the slope of 1.2 - h0 t0² - h1 t1², of which each hyperparameter shows one half."""
    return tuple(t - 0.02 * configuration[h] * t for t, h in zip(theta, ("h0", "h1"), strict=True))


HALVES = {name: {"type": "float", "lower": 0.0, "upper": 1.0} for name in ("h0", "h1")}


def test_the_toy_of_the_paper_is_solved_by_a_population_of_two_and_by_no_fixed_choice_of_half():
    scheduler = build(
        HALVES,
        max_resource=200,
        population=2,
        interval=4,
        quantile=0.5,
        mutable=["h0", "h1"],
        points_to_evaluate=[{"h0": 1.0, "h1": 0.0}, {"h0": 0.0, "h1": 1.0}],
    )
    best = -min(play(scheduler, half, (0.9, 0.9)))
    theta = (0.9, 0.9)
    for _ in range(200):
        theta = half(theta, {"h0": 1.0, "h1": 0.0})
    assert 1.2 - sum(t * t for t in theta) < 1.2 - 0.81, "what a fixed half leaves is the other"
    assert best > 1.15


@pytest.mark.parametrize("n_workers", [1, 3, 8])
def test_at_equal_resource_one_of_the_last_quarter_is_replaced_by_a_copy_of_one_of_the_first_and_no_other(n_workers):
    _, _, experiment = run(n_workers)
    results, at, paused, copies = {}, {}, [], 0
    for event in experiment.log.events:
        if event.kind == Kind.REPORTED:
            at[event.trial] = event.resource, event.body["metrics"]["error"]
        elif event.kind == Kind.ENDED and event.body["status"] == Status.PAUSED:
            resource, error = at[event.trial]
            results.setdefault(resource, []).append((error, event.trial))
            paused.append(event.trial)
        elif (event.kind in (Kind.STARTED, Kind.RESUMED) and event.trial in paused) or "replaces" in event.body:
            leaving = event.body.get("replaces", event.trial)
            resource = at[leaving][0]
            ranked = [trial for _, trial in sorted(results[resource])]
            assert len(ranked) >= 4, "half of the population is there"
            count = min(math.ceil(len(ranked) / 4), len(ranked) // 2)
            if event.kind == Kind.RESUMED:
                assert leaving not in ranked[len(ranked) - count :]
            else:
                assert leaving in ranked[len(ranked) - count :]
                assert event.body["source"] in ranked[:count]
                assert event.body["source_resource"] == resource
                copies += 1
            paused.remove(leaving)
    assert copies >= 4


def test_a_copy_has_what_its_source_has_but_for_what_may_change_and_stays_in_the_space():
    _, tuner, _ = run()
    trials = [state.trial for state in tuner.state.trials.values()]
    copied = [trial for trial in trials if trial.source is not None]
    changed = 0
    for trial in copied:
        source = trials[trial.source].configuration
        assert list(trial.configuration) == list(source)
        assert {k: v for k, v in trial.configuration.items() if k != "x"} == {
            k: v for k, v in source.items() if k != "x"
        }
        assert 0.0 <= trial.configuration["x"] <= 1.0
        changed += trial.configuration["x"] != source["x"]
    assert changed == len(copied) > 0


def test_the_population_ends_at_the_maximum_and_its_copies_use_up_no_trials():
    reason, tuner, _ = run(budget=Budget(max_num_trials=8))
    state = tuner.state
    assert reason == "8 of the 8 members of the population have reached 9"
    assert state.counted_trials == 8 < len(state.trials)
    assert sum(trial.resource == 9 for trial in state.trials.values()) == 8
    assert state.counts() == {Status.COMPLETED: 8, Status.STOPPED: len(state.trials) - 8}
    assert state.trained == sum(trial.resource - trial.base for trial in state.trials.values())


def test_with_fewer_trials_than_places_the_population_is_smaller():
    reason, tuner, _ = run(budget=Budget(max_num_trials=3))
    assert reason == "3 of the 3 members of the population have reached 9"
    assert tuner.state.counted_trials == 3


def test_the_member_with_the_least_behind_it_comes_first():
    scheduler = build(population=4)
    for trial_id in range(4):
        suggestion = scheduler.suggest()
        scheduler.on_start(Trial(trial_id, suggestion.configuration))
    for trial_id in range(4):
        trial = Trial(trial_id, {})
        scheduler.on_report(trial, 1, float(trial_id))
        assert scheduler.on_report(trial, 2, float(trial_id)) == Decision.PAUSE
        assert (scheduler.propose() is None) == (trial_id < 2), (
            "half of them, and whoever ends is at rest only once that is told"
        )
        scheduler.on_paused(trial)
    assert scheduler.suggest() == Resume(0, 4)
    scheduler.on_report(Trial(0, {}), 4, 0.0)
    scheduler.on_paused(Trial(0, {}))
    assert scheduler.suggest() == Resume(1, 4)


# ---------------------------------------------------------------------- members that are lost


def started(scheduler, count=4):
    trials = []
    for trial_id in range(count):
        trials.append(Trial(trial_id, scheduler.suggest().configuration))
        scheduler.on_start(trials[-1])
    return trials


def pause(scheduler, trial, resource, loss):
    assert scheduler.on_report(trial, resource, loss) == Decision.PAUSE
    scheduler.on_paused(trial)


def test_one_that_has_diverged_is_replaced_even_where_it_is_not_among_the_last_quarter():
    scheduler = build(population=4)
    for trial, loss in zip(started(scheduler), (0.1, math.inf, math.inf, 0.2), strict=True):
        pause(scheduler, trial, 2, loss)
    fates = [scheduler.suggest() for _ in range(4)]
    assert [isinstance(fate, Resume) for fate in fates] == [True, False, False, True]
    assert all(fate.source == 0 for fate in fates[1:3])


def test_where_all_have_diverged_nobody_goes_on():
    scheduler = build(population=4)
    for trial in started(scheduler):
        pause(scheduler, trial, 2, math.inf)
    assert scheduler.suggest() is None


def test_one_that_fails_is_replaced_and_given_up_when_it_fails_again_in_the_same_interval():
    scheduler = build(population=4)
    trials = started(scheduler)
    for trial in trials:
        pause(scheduler, trial, 2, 0.1 + trial.id)
    fates = [scheduler.suggest() for _ in range(4)]
    copy = Trial(4, fates[3].configuration, 0)
    scheduler.on_start(copy)
    scheduler.on_error(trials[1])
    again = scheduler.suggest()
    assert (again.source, again.source_resource, again.replaces, again.until) == (0, 2, 1, 4)
    scheduler.on_start(second := Trial(5, again.configuration, 0))
    scheduler.on_error(second)
    assert scheduler.suggest() is None


def test_one_that_fails_before_its_first_comparison_begins_again_with_another_configuration():
    scheduler = build(population=4)
    trials = started(scheduler)
    scheduler.on_error(trials[2])
    again = scheduler.suggest()
    assert again.source is None
    assert again.configuration not in [trial.configuration for trial in trials]
    scheduler.on_start(second := Trial(4, again.configuration))
    scheduler.on_error(second)
    assert scheduler.suggest() is None, "given up"


def test_a_population_with_failures_and_hangs_comes_to_its_end():
    faults = {number: [Crash(number % 5 + 2)] for number in range(0, 30, 3)} | {7: [Hang(3)]}
    reason, tuner, experiment = run(faults=faults, limits={"trial_silence_timeout": 40.0})
    assert reason.endswith("members of the population have reached 9")
    assert tuner.state.counts()[Status.FAILED] >= 2
    assert tuner.state.counts()[Status.TIMEOUT] == 1
    assert sum(trial.resource == 9 for trial in tuner.state.trials.values()) >= 6
    fresh = ExperimentState(OBJECTIVE)
    assert list(verify(experiment.scheduler(), fresh, enumerate(experiment.log.events), [0])) == []


# ---------------------------------------------------------------------- decisions


@pytest.mark.parametrize("seed", range(3))
def test_a_proposal_changes_nothing_and_global_randomness_has_no_say(seed):
    def drive(poison):
        rng, scheduler = random.Random(seed), build(seed=seed)
        going, log, trials = {}, [], 0
        for _ in range(300):
            if poison:
                random.seed(rng.random())
                np.random.seed(trials)  # noqa: NPY002  what must have no say
                assert scheduler.propose() == scheduler.propose()
                scheduler.propose(new_trials=False)
            else:
                rng.random()
            if len(going) < 3 and (suggestion := scheduler.suggest()) is not None:
                log.append(suggestion)
                if isinstance(suggestion, Start):
                    trial, trials = Trial(trials, suggestion.configuration, suggestion.source), trials + 1
                    scheduler.on_start(trial)
                    going[trial.id] = trial, suggestion.source_resource or 0
                else:
                    going[suggestion.trial_id] = Trial(suggestion.trial_id, {}), suggestion.until - 2
            elif going:
                trial, reached = going.pop(rng.choice(sorted(going)))
                decision = scheduler.on_report(trial, reached + 1, rng.choice([rng.random(), 0.5, math.inf]))
                log.append(decision)
                if decision == Decision.CONTINUE:
                    going[trial.id] = trial, reached + 1
                elif decision == Decision.PAUSE:
                    scheduler.on_paused(trial)
                else:
                    scheduler.on_complete(trial)
        return log

    quiet = drive(poison=False)
    assert sum(isinstance(one, Start) and one.source is not None for one in quiet) >= 3
    assert drive(poison=True) == quiet


def test_two_trials_of_one_configuration_do_not_share_their_randomness_where_one_is_a_copy():
    randomness, configuration = Randomness(3, 0), {"x": 0.5}
    seeds = {randomness.training_seed(configuration, copy) for copy in (None, 4, 7)}
    assert len(seeds) == 3


def test_a_decision_takes_less_than_a_millisecond():
    _, _, experiment = run(n_workers=8)
    scheduler, count = experiment.scheduler(), [0]
    begin = time.perf_counter()
    assert list(verify(scheduler, ExperimentState(OBJECTIVE), enumerate(experiment.log.events), count)) == []
    assert (time.perf_counter() - begin) / count[0] < 1e-2, "ten times what it may be, for a busy machine"


# ---------------------------------------------------------------------- what is refused

GATED = {
    "kind": {"type": "choice", "values": ["sgd", "adam"]},
    "momentum": {"type": "float", "lower": 0.0, "upper": 0.9, "when": {"kind": "sgd"}},
    "lr": {"type": "float", "lower": 0.0, "upper": 1.0},
}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mutable": None}, r"mutable=null: list the hyperparameters .*, such as method.scheduler.mutable=\[kind\]"),
        ({"mutable": []}, r"mutable=\[\]: list"),
        ({"mutable": "lr"}, r"mutable=lr: list"),
        ({"mutable": ["momentun"]}, r"mutable: config_space has no momentun to tune; did you mean momentum\?"),
        ({"mutable": ["lr", "kind"]}, r"mutable: config_space.momentum.when depends on kind, .*; remove kind there"),
        ({"population": 1}, "population=1: use a whole number of at least 2"),
        ({"interval": 9}, "interval=9: use a whole number from 1 to 8"),
        ({"quantile": 0.6}, "quantile=0.6: use a number above 0, at most 0.5"),
        ({"resample": -1}, "resample=-1: use a number from 0 to 1"),
        ({"factors": [1.0]}, r"factors=\[1.0\]: use positive numbers other than 1"),
        ({"factors": [0, 2]}, r"factors=\[0, 2\]: use positive"),
        ({"max_resource": None}, "max_resource_attr=null"),
        ({"max_resource": 1}, "compares members on the way, and a training has 1 unit of resource; give it more"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(options, said):
    with pytest.raises(ConfigError, match=said):
        build(GATED, **{"mutable": ["lr", "momentum"], **options})


def test_what_is_used_for_some_configurations_only_changes_where_it_is_used():
    scheduler = build(GATED, population=4, mutable=["lr", "momentum"], resample=1.0)
    trials = started(scheduler)
    with_momentum = next(trial for trial in trials if trial.configuration["kind"] == "sgd")
    for trial in trials:
        pause(scheduler, trial, 2, float(trial.id != with_momentum.id) + trial.id)
    copy = next(fate for fate in (scheduler.suggest() for _ in range(4)) if isinstance(fate, Start))
    source = with_momentum.configuration
    assert copy.source == with_momentum.id
    assert list(copy.configuration) == list(source)
    assert all(copy.configuration[name] != source[name] for name in source if name != "kind")


def benchmark(tmp_path, **changes):
    (tmp_path / "train.py").write_text("")
    return {
        "name": "fake", "script": str(tmp_path / "train.py"), "metric": "error", "mode": "min", "resource_attr": "epoch",
        "max_resource_attr": "epochs", "config_space": SPACE, "arguments": {"epochs": 9}, "num_gpus_per_trial": 0, **changes,
    }  # fmt: skip


def config_of(told, **options):
    config = load_config(told, "PBT", random_seed=0, **options)
    config.method.scheduler["mutable"] = ["x"]
    return resolve(config)


def test_a_table_has_no_trainings_that_changed_on_the_way():
    config = resolve(load_config("mlp_digits_grid", "PBT", random_seed=0, backend="simulated"))
    with pytest.raises(
        ConfigError, match=r"no table has trainings whose hyperparameters changed on the way; use backend="
    ):
        check_backend(config)


@pytest.mark.parametrize(
    ("changes", "options", "said"),
    [
        (
            {"resource_attr": None},
            {},
            "where reports are only counted nobody can tell where a copy goes on; give benchmark",
        ),
        ({"cost_attr": "dollars"}, {}, "cost_attr=dollars: .* which would count twice; set it to null"),
        ({}, {"retry": "failed"}, "retry=failed: .* has been replaced by such a copy; remove retry"),
        (
            {},
            {"backend": {"_target_": "tests.support.fakes.FakeBackend"}},
            "which FakeBackend cannot make; use backend=local",
        ),
    ],
)
def test_where_no_copies_can_be_made_it_is_refused_before_anything_is_started(tmp_path, changes, options, said):
    config = config_of(benchmark(tmp_path, **changes), trusted_modules=["tests.support"], **options)
    with pytest.raises(ConfigError, match=said) as caught:
        check_backend(config)
    assert "method=PBT: trials resume from copies of other trials' checkpoints" in str(caught.value)


def test_several_objectives_are_refused(tmp_path):
    several = {"objectives": {"error": "min", "size": "min"}}
    told = {key: value for key, value in benchmark(tmp_path, **several).items() if key not in ("metric", "mode")}
    with pytest.raises(ConfigError, match="its scheduler PBT knows one objective"):
        scheduler_of(config_of(told))


def test_a_plan_says_that_more_workers_than_members_are_idle_and_that_it_ends_by_itself(tmp_path):
    config = config_of(benchmark(tmp_path), n_workers=16)
    group = Group([PlannedExperiment(config, tmp_path / "out", DirectoryState.NEW)], 16, None, scheduler_of(config))
    said = advice(Plan([group], Machine(16, 0, 10**12)))
    assert any(
        "a population of 8 keeps 8 of 16 workers busy: raise method.scheduler.population" in text for text in said
    )
    assert not any("there is no budget" in text for text in said)


def test_every_level_counts_each_member_once_copies_from_where_they_went_on(tmp_path):
    _, tuner, experiment = run()
    config = config_of(benchmark(tmp_path))
    counted = rungs(Experiment(tmp_path, config, {}, experiment.log.events))
    assert [(rung.level, rung.reached) for rung in counted] == [(2, 8), (4, 8), (6, 8), (8, 8), (9, 8)]
    replaced = [
        tuner.state.trials[trial].resource for trial in tuner.state.trials if tuner.state.trials[trial].resource < 9
    ]
    assert {rung.level: rung.ended for rung in counted[:-1]} == {level: replaced.count(level) for level in (2, 4, 6, 8)}
