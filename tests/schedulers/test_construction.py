"""Searcher and scheduler from YAML: by name or content, with overrides, and nothing imported that is not trusted."""

import sys

import pytest

from hpo import Start, Trial, build_scheduler, load_config
from hpo.config.reading import resolve
from hpo.config.targets import factory_of
from hpo.errors import ConfigError
from hpo.schedulers import ASHA, FIFO, Scheduler, StoppingASHA, SynchronousHyperband
from hpo.schedulers.construction import scheduler_of
from hpo.searchers import (
    GaussianProcessSearcher,
    GridSearcher,
    HyperTuneSearcher,
    ImprovementSearcher,
    IndependentSearcher,
    MOBSTERSearcher,
    RandomSearcher,
    Searcher,
    SobolSearcher,
)
from tests.support.fakes import METHODS, SPACE

PARTS = (Searcher, Scheduler)

KINDS = {
    "RS": (FIFO, RandomSearcher),
    "SOBOL": (FIFO, SobolSearcher),
    "GRID": (FIFO, GridSearcher),
    "ASHA": (ASHA, RandomSearcher),
    "ASHA-STOP": (StoppingASHA, RandomSearcher),
    "HYPERBAND": (ASHA, RandomSearcher),
    "SYNC-HYPERBAND": (SynchronousHyperband, RandomSearcher),
    "SYNC-MOBSTER": (SynchronousHyperband, MOBSTERSearcher),
    "BO": (FIFO, ImprovementSearcher),
    "ASHA-GP": (ASHA, GaussianProcessSearcher),
    "MOBSTER": (ASHA, MOBSTERSearcher),
    "MOBSTER-INDEP": (ASHA, IndependentSearcher),
    "HYPERTUNE": (ASHA, HyperTuneSearcher),
}
PAIR = {
    "name": "mine",
    "searcher": {"_target_": "hpo.searchers.RandomSearcher", "_partial_": True},
    "scheduler": {"_target_": "hpo.schedulers.ASHA", "_partial_": True, "reduction_factor": 2},
}
BENCHMARK = {
    "name": "mine",
    "script": "train.py",
    "metric": "error",
    "mode": "min",
    "resource_attr": "epoch",
    "max_resource_attr": "epochs",
    "arguments": {"epochs": 27},
    "config_space": SPACE,
}


def build(method, **options):
    return build_scheduler(method, SPACE, **{"max_resource": 27, "seed": 0, **options})


@pytest.mark.parametrize("name", KINDS)
def test_a_method_is_built_by_its_name(name):
    scheduler = build(name)
    assert (type(scheduler), type(scheduler.searcher)) == KINDS[name]
    assert scheduler.max_resource == 27


def test_the_arguments_of_a_method_are_those_of_its_file():
    assert build("ASHA").levels == [1, 3, 9]
    assert len(build("ASHA").probabilities) == 1
    assert len(build("HYPERBAND").probabilities) == 4


def test_what_a_searcher_passes_on_to_its_base_can_be_overridden_too():
    searcher = build("MOBSTER", max_size_data_for_model=77, num_candidates=9, random_fraction=0.5).searcher
    assert (searcher.most, searcher.num_candidates, searcher.random_fraction) == (77, 9, 0.5)
    assert searcher.max_resource == 27
    with pytest.raises(ConfigError, match="max_size_data_for_model=3: use 10 or more"):
        build("ASHA-GP", max_size_data_for_model=3)


def test_a_method_is_built_from_what_its_file_would_contain():
    assert build(PAIR).levels == [1, 2, 4, 8, 16]


def test_building_leaves_the_content_alone():
    before = repr(PAIR)
    build(PAIR, reduction_factor=3)
    assert repr(PAIR) == before


def test_overrides_go_to_whoever_takes_them():
    assert build("ASHA", reduction_factor=4, min_resource=2).levels == [2, 8]
    assert build("GRID", num_samples=2).searcher.grid_size == 2 * 2 * 2
    assert build(PAIR, reduction_factor=3).levels == [1, 3, 9]


def test_an_override_that_nobody_takes_is_an_error_that_lists_those_there_are():
    with pytest.raises(ConfigError, match=r"reduction_faktor.*brackets.*reduction_factor"):
        build("ASHA", reduction_faktor=4)


def test_an_unknown_method_is_an_error_that_names_the_nearest_or_lists_those_there_are():
    with pytest.raises(ConfigError, match=r"method='ASHHA'.*did you mean ASHA\?"):
        build("ASHHA")
    with pytest.raises(ConfigError, match=r"method='nothing'.*ASHA, .*ASHA-GP, .*BO, .*MOBSTER, .*SOBOL"):
        build("nothing")


def test_seeds_reach_the_searcher():
    def second(**seeds):
        scheduler = build("RS", **seeds)
        for trial_id in range(2):
            suggestion = scheduler.suggest()
            scheduler.on_start(Trial(trial_id, suggestion.configuration))
        return suggestion

    assert second() == second(random_seed=0)
    assert len({repr(second(seed=s, random_seed=r)) for s in (0, 1) for r in (0, 1)}) == 4


def test_points_to_evaluate_reach_the_searcher():
    assert build("ASHA", points_to_evaluate=[{"x": 0.25}]).suggest() == Start({"x": 0.25, "n": 8, "act": "relu"}, 1)


def test_a_wrong_space_is_an_error():
    with pytest.raises(ConfigError, match=r"config_space\.x\.type"):
        build_scheduler("RS", {"x": {"type": "flaot"}}, max_resource=1, seed=0)


@pytest.mark.parametrize(
    ("part", "spec", "words"),
    [
        ("scheduler", {"_target_": "hpo.schedulers.ASHAA"}, "method.scheduler._target_=hpo.schedulers.ASHAA"),
        ("searcher", {"_target_": "hpo.nothing.Searcher"}, "method.searcher._target_=hpo.nothing.Searcher"),
        ("searcher", {"_target_": "hpo.searchers.RandomSearcher", "num_samples": 3}, "method.searcher"),
        ("scheduler", {"_target_": "hpo.schedulers.FIFO", "grace": 3}, "method.scheduler"),
        ("searcher", {"_target_": "hpo.events.types.Trial", "id": 3}, "method"),
        ("scheduler", {"_target_": "hpo.schedulers.ASHA", "reduction_factor": "three"}, "method"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_wrong_part_is_an_error_that_names_it(part, spec, words):
    with pytest.raises(ConfigError, match=words):
        build({**PAIR, part: {**spec, "_partial_": True}})


@pytest.mark.parametrize("part", ["searcher", "scheduler"])
def test_a_missing_part_is_an_error(part):
    with pytest.raises(ConfigError, match=part):
        build({key: value for key, value in PAIR.items() if key != part})


@pytest.mark.parametrize("part", ["searcher", "scheduler"])
def test_a_part_without_a_target_is_an_error(part):
    with pytest.raises(ConfigError, match="_target_"):
        build({**PAIR, part: {"_partial_": True}})


# ---------------------------------------------------------------------- trust


@pytest.mark.parametrize(
    "spec",
    [
        {"_target_": "wave.open"},
        {"_target_": "hpo_evil.Searcher"},
        {"_target_": "hpo"},
        {"_target_": "hpo.searchers.RandomSearcher", "space": {"_target_": "wave.open", "f": "x"}},
        {"_target_": "hpo.searchers.RandomSearcher", "a": [{"b": [{"_target_": "wave.open"}]}]},
    ],
    ids=str,
)
def test_what_is_not_in_hpo_is_neither_called_nor_imported(spec, monkeypatch):
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    with pytest.raises(ConfigError, match=r"trusted_modules=\["):
        factory_of("method.searcher", spec, (), PARTS)
    assert "wave" not in sys.modules


def test_a_trusted_module_is_used():
    factory = factory_of("callbacks.mine", {"_target_": "collections.OrderedDict", "a": 1}, ("collections",), PARTS)
    assert factory() == {"a": 1}


def test_a_key_of_hydra_with_a_value_that_it_does_not_take_is_one_sentence():
    with pytest.raises(ConfigError, match=r"method\.searcher.*_recursive_"):
        factory_of("method.searcher", {"_target_": "hpo.searchers.RandomSearcher", "_recursive_": []}, (), PARTS)


@pytest.mark.parametrize("target", ["\n", "os.system; true", ""])
def test_a_target_that_is_no_name_is_one_line(target):
    with pytest.raises(ConfigError, match="not the name of a class") as caught:
        factory_of("method.searcher", {"_target_": target}, (), PARTS)
    assert "\n" not in str(caught.value)


def test_trust_in_what_is_no_name_is_none():
    with pytest.raises(ConfigError, match="trusted_modules"):
        factory_of("callbacks.mine", {"_target_": "collections.OrderedDict"}, (["collections"],), PARTS)


def test_trust_in_one_module_is_no_trust_in_another_that_begins_alike():
    with pytest.raises(ConfigError, match="trusted_modules"):
        factory_of("callbacks.mine", {"_target_": "collections_evil.OrderedDict"}, ("collections",), PARTS)


# ---------------------------------------------------------------------- from an experiment


def config_of(method, **overrides):
    return resolve(load_config(BENCHMARK, method, random_seed=3, num_gpus_per_trial=0, **overrides))


@pytest.mark.parametrize("name", METHODS)
def test_an_experiment_has_the_scheduler_that_is_built_by_hand(name):
    ours, by_hand = scheduler_of(config_of(name, seed=5)), build(name, seed=5, random_seed=3)
    for trial_id in range(9):
        suggestion = ours.suggest()
        assert suggestion == by_hand.suggest()
        for scheduler in (ours, by_hand):
            scheduler.on_start(Trial(trial_id, suggestion.configuration))


def test_the_points_of_the_benchmark_come_first():
    config = config_of("RS")
    config.benchmark.points_to_evaluate = [{"n": 3}]
    assert scheduler_of(config).suggest().configuration["n"] == 3


def test_dotted_overrides_reach_the_scheduler():
    assert scheduler_of(config_of("ASHA", **{"method.scheduler.reduction_factor": 4})).levels == [1, 4, 16]


def test_an_experiment_trusts_only_what_it_lists():
    method = {**PAIR, "searcher": {"_target_": "tests.schedulers.test_construction.Mine", "_partial_": True}}
    with pytest.raises(ConfigError, match=r"trusted_modules=\[tests\]"):
        scheduler_of(config_of(method))
    scheduler = scheduler_of(config_of(method, trusted_modules=["tests"]))
    assert type(scheduler.searcher).__name__ == "Mine"


class Mine(RandomSearcher):
    """A searcher of the user's."""


def test_a_method_built_by_hand_for_several_objectives_is_one_that_knows_them():
    several = {"error": "min", "size": {"mode": "min", "log": True}}
    scheduler = build("MO-ASHA-GP", seed=0, random_seed=0, objectives=several)
    assert scheduler.capabilities.objectives
    with pytest.raises(ConfigError, match=r"method=ASHA: its scheduler ASHA knows one objective, and there are 2"):
        build("ASHA", seed=0, random_seed=0, objectives=several)
