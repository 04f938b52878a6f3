"""Decisions, and what is made from them, are those that are recorded."""

import json

import pytest

import hpo
from tests.golden import files
from tests.golden.making import (
    BENCHMARKS,
    DECIDING,
    METHODS,
    SEEDS,
    benchmarks_of,
    decisions_of,
    key_of,
    log_of,
    numbers_of_report,
    plans,
    rounded,
    sample,
    scripted,
    simulate,
    texts_of,
)
from tests.golden.record import __doc__ as how

CHANGED = f"on purpose? then record it: {how}"


@pytest.fixture(scope="module")
def decisions():
    return files.read("decisions")


@pytest.fixture(scope="module")
def texts():
    return files.read("texts")


def test_every_experiment_is_recorded(decisions, texts):
    keys = {key_of(b, m, s) for b in BENCHMARKS for m in METHODS for s in SEEDS}
    deciding = {key_of(b, m, s) for m in DECIDING for b in benchmarks_of(m) for s in SEEDS}
    scripted_ones = {f"scripted {method}" for method in (*METHODS, *DECIDING)}
    assert set(decisions) == keys | deciding | scripted_ones
    assert set(texts["experiments"]) == keys


def first_difference(found, recorded):
    """The first place where two lists differ, for a message that can be read."""
    pairs = enumerate(zip([*found, "the end"], [*recorded, "the end"], strict=False))
    return next(((i, f"now {a}, recorded {b}") for i, (a, b) in pairs if a != b), None)


@pytest.mark.parametrize("benchmark", BENCHMARKS)
@pytest.mark.xdist_group("golden")
@pytest.mark.long
def test_all_methods_on_a_table_decide_as_recorded_and_their_files_say_the_same(benchmark, tmp_path, decisions, texts):
    for method in METHODS:
        for seed in SEEDS:
            key = key_of(benchmark, method, seed)
            directory = simulate(tmp_path, benchmark, method, seed)
            found = decisions_of(hpo.load_experiment(directory).events)
            assert first_difference(found, decisions[key]) is None, key
            assert texts_of(directory) == texts["experiments"][key], f"{key}: {CHANGED}"
            if benchmark == sample(method) and seed == SEEDS[0]:
                check_report(numbers_of_report(directory), texts["reports"][method], method)
    check_report(numbers_of_report(tmp_path / "golden" / benchmark), texts["comparisons"][benchmark], benchmark)


def check_report(found, recorded, name):
    for kind in ("charts", "tables"):
        assert list(found[kind]) == list(recorded[kind]) or set(found[kind]) == set(recorded[kind]), (
            f"{name}: {CHANGED}"
        )
        for part in recorded[kind]:
            assert found[kind][part] == recorded[kind][part], f"{name}, {part}: {CHANGED}"


@pytest.mark.parametrize("method", DECIDING)
@pytest.mark.long
def test_a_method_of_which_decisions_alone_are_recorded_decides_as_recorded(method, tmp_path, decisions):
    for benchmark in benchmarks_of(method):
        for seed in SEEDS:
            key = key_of(benchmark, method, seed)
            found = decisions_of(hpo.load_experiment(simulate(tmp_path, benchmark, method, seed)).events)
            assert first_difference(found, decisions[key]) is None, key


@pytest.mark.parametrize("method", [*METHODS, *DECIDING])
def test_a_method_whose_trials_fail_in_several_ways_leaves_the_recorded_log(method, decisions):
    found = rounded(log_of(scripted(method)))
    as_text = [[json.dumps(row, sort_keys=True) for row in rows] for rows in (found, decisions[f"scripted {method}"])]
    assert first_difference(*as_text) is None


@pytest.mark.process
def test_plans_say_what_is_recorded(tmp_path, texts):
    assert dict(plans(tmp_path)) == texts["plans"], CHANGED
