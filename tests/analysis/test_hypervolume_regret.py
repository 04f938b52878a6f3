"""`hpo compare` of several objectives: every score from its definition, by counting cells of the box."""

import math

import numpy as np
import pytest
from scipy.stats import rankdata

from hpo.analysis import compare
from hpo.analysis.hypervolume_regret import hypervolume_measure
from hpo.analysis.loading import load_runs
from hpo.errors import ConfigError
from tests.support import fronts


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return fronts.table(tmp_path_factory.mktemp("table"))


@pytest.fixture(scope="module", params=[2, 3])
def case(request, made, tmp_path_factory):
    """A tag of two methods and three seeds, and its objectives."""
    objectives = {2: fronts.TWO, 3: fronts.THREE}[request.param]
    place = tmp_path_factory.mktemp("runs")
    experiments = {
        (method, seed): fronts.run(place, made, method, seed=seed, objectives=objectives, trials=8)
        for method in ("RS", "SOBOL")
        for seed in range(3)
    }
    return place / "t", experiments, objectives


def box_of(experiments, objectives, table):
    """Ideal, reference and the volume of all fronts, where errors are measured as it is asked for."""
    logs = ["log" in str(mode) for mode in objectives.values()]

    def scaled(losses):
        return tuple(math.log(x) if log else x for x, log in zip(losses, logs, strict=True))

    every = [one.metadata["table_front"] for one in experiments.values()]
    assert all(written == every[0] for written in every)
    signs = [-1 if "max" in str(mode) else 1 for mode in objectives.values()]
    union = [tuple(s * v for s, v in zip(signs, point, strict=True)) for point in every[0]]
    for one in experiments.values():
        union += fronts.front_by_definition([losses for *_, losses in fronts.losses_of(one, objectives)])
    union = [scaled(point) for point in union]
    ideal, worst = np.min(union, axis=0), np.max(union, axis=0)
    reference = worst + 0.1 * (worst - ideal)
    return (
        scaled,
        ideal.tolist(),
        reference.tolist(),
        fronts.volume_by_counting(union, ideal.tolist(), reference.tolist()),
    )


def test_a_score_is_how_much_less_a_front_dominates_than_all_together(case):
    place, experiments, objectives = case
    comparison = compare([place])
    scaled, ideal, reference, best = box_of(experiments, objectives, None)
    (scored,) = comparison.scored

    def regret(experiment, elapsed):
        known = [losses for at, *_, losses in fronts.losses_of(experiment, objectives) if at <= elapsed]
        return (
            1
            - fronts.volume_by_counting(
                [scaled(losses) for losses in fronts.front_by_definition(known)], ideal, reference
            )
            / best
        )

    for what, moment in (("early", scored.scale.start), ("middle", scored.scale.middle), ("final", scored.scale.end)):
        expected = [[regret(experiments[m, s], moment) for s in scored.block.seeds] for m in scored.block.methods]
        assert getattr(scored, what) == pytest.approx(np.array(expected), abs=1e-10)
    times = sorted({at for one in experiments.values() for at, *_ in fronts.losses_of(one, objectives)})
    edges = [scored.scale.start, *(t for t in times if scored.scale.start < t < scored.scale.end), scored.scale.end]
    widths = np.diff(np.log(edges))
    anytime = [
        [np.average([regret(experiments[m, s], t) for t in edges[:-1]], weights=widths) for s in scored.block.seeds]
        for m in scored.block.methods
    ]
    assert scored.anytime == pytest.approx(np.array(anytime), abs=1e-10)
    assert scored.ranks("anytime") == pytest.approx(rankdata(np.round(anytime, 12), axis=0))


def test_the_reference_point_is_printed_with_a_word_that_scores_move(case):
    place, experiments, objectives = case
    _, _, reference, _ = box_of(experiments, objectives, None)
    logs = ["log" in str(mode) for mode in objectives.values()]
    signs = [-1 if "max" in str(mode) else 1 for mode in objectives.values()]
    own = [s * (math.exp(r) if log else r) for s, r, log in zip(signs, reference, logs, strict=True)]
    comparison = compare([place])
    text = " ".join(comparison.text().split())
    told = ", ".join(f"{name}={value:.6g}" for name, value in zip(objectives, own, strict=True))
    assert f"reference point {told}, a tenth of the range beyond the worst of all fronts; a score changes when" in text
    (row,) = comparison.to_dict()["benchmarks"]
    assert row["reference_point"] == pytest.approx(dict(zip(objectives, own, strict=True)))
    assert list(row["objectives"]) == list(objectives)


def test_where_all_configurations_are_trained_nothing_is_left_to_regret(made, tmp_path):
    for method in ("RS", "GRID"):
        fronts.run(tmp_path, made, method, trials=60)
    (scored,) = compare([tmp_path / "t"]).scored
    assert scored.final == pytest.approx(np.zeros((2, 1)), abs=1e-12)


def test_a_reference_point_of_the_benchmark_is_kept_whoever_is_compared(made, tmp_path):
    point = {"error": 0.4, "speed": 8.0}
    for method in ("RS", "SOBOL"):
        fronts.run(tmp_path, made, method, reference_point=point)
    comparison = compare([tmp_path / "t"])
    assert comparison.to_dict()["benchmarks"][0]["reference_point"] == pytest.approx(point)
    assert "reference point error=0.4, speed=8, as given" in " ".join(comparison.text().split())


@pytest.mark.parametrize("damaged", ["text", [], [[1.0]], [["a", "b"]], [[1.0, None]], {"a": 1}])
def test_a_front_of_the_table_that_is_damaged_is_not_taken(made, tmp_path, damaged):
    one = fronts.run(tmp_path, made, trials=4)
    found = hypervolume_measure(one.config, [{"table_front": damaged}], [np.array([[1.0, -2.0]])])
    assert found.best_is == "the Pareto front of all loaded experiments together"


def test_a_reference_point_that_nothing_betters_leaves_no_result(made, tmp_path):
    for method in ("RS", "SOBOL"):
        fronts.run(tmp_path, made, method, reference_point={"error": -1.0, "speed": 1e9})
    with pytest.raises(
        ConfigError, match=r"no experiment has a single finite error and speed better than benchmark\.ref"
    ):
        compare([tmp_path / "t"])


@pytest.mark.parametrize("other", [{"error": "min", "size": "min"}, {"speed": "max", "error": "min"}])
def test_experiments_with_other_objectives_are_not_compared(made, tmp_path, other):
    fronts.run(tmp_path, made, "RS", trials=4)
    fronts.run(tmp_path, made, "SOBOL", trials=4, objectives=other)
    with pytest.raises(
        ConfigError, match=r"benchmark\.(objectives|metric).*methods are compared under equal conditions"
    ):
        compare([tmp_path / "t"])


def test_an_experiment_without_a_finite_result_in_all_objectives_has_failed(made, tmp_path):
    nan = {
        "objectives": {"error": "min", "speed": "max"},
        "config_space": {
            **fronts.SPACE,
            "width": {"type": "ordinal", "values": [4]},
            "kind": {"type": "choice", "values": ["b"]},
        },
    }
    fronts.run(tmp_path, made, "RS", trials=1, **nan)
    (run,), _ = load_runs([tmp_path / "t"])
    assert (run.status, len(run.arrivals), len(run.trajectory.times)) == ("failed", 0, 0)
