"""T21: equal seeds give every method the same first configurations, other seeds give others, a resume changes none."""

import itertools
import os
from pathlib import Path

import pytest

import hpo
from hpo.randomness import canonical
from hpo.results.experiment import load_experiment
from tests.reliability.harness import RUNS
from tests.support import forking

METHODS = sorted(path.stem for path in (Path(hpo.__file__).parents[1] / "conf" / "method").glob("*.yaml"))
METHODS.remove("PBT")  # which no table can simulate; tests/schedulers has it begin as the others do
SHARING = [name for name in METHODS if name != "GRID"]
"""A grid's own order begins right after the points to evaluate: random points would not lie on it."""
SEEDS = range(RUNS or 2)
SOME = METHODS if RUNS else ["GRID", "MOBSTER"]
FIRST = 3


def run(folder, tag, methods, seeds, *overrides, random_seed=5, trials=FIRST):
    """The command over methods and seeds, on a table with 144 configurations."""
    command = ["benchmark=mlp_digits_grid", "backend=simulated", f"experiment_tag={tag}", f"random_seed={random_seed}"]
    sweep = [f"method={','.join(methods)}", f"seed={','.join(map(str, seeds))}", f"max_num_trials={trials}"]
    hpo_of(folder, *command, *sweep, *overrides)


def hpo_of(folder, *arguments):
    """What a call of hpo says, which must go well."""
    done = forking.run(*arguments, cwd=folder, env=dict(os.environ), timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def first(folder, tag, method, seed):
    """The first configurations, each as one text."""
    trials = load_experiment(folder / "outputs" / tag / "mlp_digits_grid" / method / f"seed_{seed}").state.trials
    return tuple(canonical(trials[n].trial.configuration) for n in range(FIRST))


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A folder with all methods and seeds under the tag `all`, made once."""
    folder = tmp_path_factory.mktemp("swept")
    run(folder, "all", METHODS, SEEDS)
    return folder


@pytest.mark.timeout(1200)
def test_every_method_begins_with_the_same_three_configurations(swept):
    for seed in SEEDS:
        reference = first(swept, "all", "RS", seed)
        assert len(set(reference)) == FIRST
        assert {method: first(swept, "all", method, seed) for method in SHARING} == dict.fromkeys(SHARING, reference)
        assert first(swept, "all", "GRID", seed)[0] == reference[0], "the centre of the space"


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("method", ["RS", "GRID"])
def test_other_seeds_begin_with_other_configurations(swept, method):
    """Two of 144 configurations, drawn for each of n seeds, are seldom equal; here they are known not to be."""
    found = [first(swept, "all", method, seed)[1:] for seed in SEEDS]
    assert all(one != other for one, other in itertools.combinations(found, 2))


@pytest.mark.timeout(1200)
def test_all_replays_are_equal(swept):
    lines = hpo_of(swept, "replay", "outputs/all").splitlines()
    assert len(lines) == len(METHODS) * len(SEEDS)
    assert [line for line in lines if not line.endswith(" decisions, 0 different")] == []


@pytest.mark.timeout(1200)
def test_a_resume_and_another_call_change_no_configuration(swept, tmp_path):
    seeds = SEEDS[: 2 if RUNS else 1]
    for trials in range(1, FIRST + 1) if RUNS else (1, FIRST):
        run(tmp_path, "step", SOME, seeds, trials=trials)
    for method, seed in itertools.product(SOME, seeds):
        assert first(tmp_path, "step", method, seed) == first(swept, "all", method, seed)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_another_master_seed_gives_other_configurations(swept, tmp_path):
    run(tmp_path, "other", SOME, SEEDS[:1], random_seed=6)
    for method in SOME:
        assert first(tmp_path, "other", method, 0)[1:] != first(swept, "all", method, 0)[1:]


@pytest.mark.timeout(1200)
def test_points_to_evaluate_come_first_with_every_method(tmp_path):
    points = [{"n_units": 16}, {"n_units": 144}, {"batch_size": 32, "activation": "tanh"}]
    text = ",".join("{" + ",".join(f"{key}: {value}" for key, value in point.items()) + "}" for point in points)
    run(tmp_path, "points", SOME, SEEDS[:1], f"benchmark.points_to_evaluate=[{text}]")
    reference = first(tmp_path, "points", "GRID", 0)
    trials = load_experiment(tmp_path / "outputs" / "points" / "mlp_digits_grid" / "GRID" / "seed_0").state.trials
    for n, point in enumerate(points):
        assert point.items() <= trials[n].trial.configuration.items()
    assert {method: first(tmp_path, "points", method, 0) for method in SOME} == dict.fromkeys(SOME, reference)
