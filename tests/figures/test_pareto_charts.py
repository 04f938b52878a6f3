"""Charts of several objectives: steps bound just what is attained, and what breaks a constraint is hollow."""

import itertools
import math

import numpy as np
import pytest

from hpo import figures
from hpo.analysis import compare
from hpo.analysis.loading import load_runs
from hpo.errors import ConfigError
from hpo.figures import experiment_charts, pareto_charts, space_charts
from hpo.figures.axis_limits import metric_axis
from hpo.history.hypervolume_over_time import growth
from tests.support import fronts

BOUND = 6.0


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return fronts.table(tmp_path_factory.mktemp("table"))


@pytest.fixture(scope="module")
def bounded(made, tmp_path_factory):
    """Two objectives with a bound on a third number."""
    return fronts.run(tmp_path_factory.mktemp("bounded"), made, constraints={"size": {"upper": BOUND}})


@pytest.fixture(scope="module")
def three(made, tmp_path_factory):
    return fronts.run(tmp_path_factory.mktemp("three"), made, "MO-ASHA", objectives=fronts.THREE, trials=40)


def kinds(panel):
    return {series["name"]: series for series in panel.series}


def is_beyond(steps, x, y, signs):
    """Does a point lie beyond a line of steps, or on it, seen from where both objectives are best?"""
    corners = list(zip(steps["x"], steps["y"], strict=True))[1:-1]
    return any(signs[0] * x >= signs[0] * a and signs[1] * y >= signs[1] * b for a, b in corners)


def test_steps_bound_what_is_attained_and_never_run_straight_between_points(bounded):
    (panel,) = pareto_charts.front(bounded).panels
    steps = kinds(panel)["front"]
    assert steps["step"]
    assert (panel.x["title"], panel.y["title"]) == ("speed", "error")
    met = [
        losses
        for (*_, losses), event in zip(
            fronts.losses_of(bounded), (e for e in bounded.events if e.kind.name == "REPORTED"), strict=True
        )
        if event.body["metrics"]["size"] <= BOUND
    ]
    front = fronts.front_by_definition(met)
    assert {(y, -x) for x, y in zip(steps["x"], steps["y"], strict=True)} >= set(front)
    for x, y in itertools.product(np.linspace(0, 60, 25), np.linspace(0, 3, 25)):
        attained = any(error <= y and -speed >= x for error, speed in met)
        assert is_beyond(steps, x, y, (-1, 1)) == attained


def test_the_whole_front_is_on_the_axes_though_other_values_are_marked_at_the_edge(bounded):
    (panel,) = pareto_charts.front(bounded).panels
    errors = kinds(panel)["on the front"]["y"]
    assert panel.y["limits"][0] <= min(errors) <= max(errors) <= panel.y["limits"][1]
    drawn = [y for series in panel.series if series["kind"] == "points" for y in series["y"]]
    alone = metric_axis(bounded.state.objective, drawn)
    assert alone["limits"][1] < max(errors), "a value of the front that is far from the best, as the others are"


def test_what_breaks_a_constraint_is_hollow_and_no_point_of_the_front(bounded):
    series = kinds(pareto_charts.front(bounded).panels[0])
    hollow, met = series["last report, constraints not met"], series["last report of a trial"]
    assert hollow["hollow"]
    assert "hollow" not in met
    sizes = {t: e.body["metrics"]["size"] for e in bounded.events if e.kind.name == "REPORTED" for t in [e.trial]}
    finite = {
        t for _, t, r, losses in fronts.losses_of(bounded) if r == fronts.EPOCHS and all(map(math.isfinite, losses))
    }
    named = {text.partition(",")[0] for text in hollow["labels"]}
    assert named == {f"trial {t}" for t in finite if sizes[t] > BOUND}
    assert {text.partition(",")[0] for text in met["labels"]} == {f"trial {t}" for t in finite if sizes[t] <= BOUND}
    on_front = {text.partition(",")[0] for text in series["on the front"]["labels"]}
    assert on_front
    assert not on_front & named
    assert all("width=" in text and "kind=" in text for text in series["on the front"]["labels"])


def test_of_one_objective_too_what_breaks_a_constraint_is_hollow(made, tmp_path):
    keys = {"metric": "error", "mode": "min", "constraints": {"size": {"upper": BOUND}}}
    one = fronts.run(tmp_path, made, objectives={}, **keys)
    last = {event.trial: event.body["metrics"]["size"] for event in one.events if event.kind.name == "REPORTED"}
    broken = {f"trial {trial}" for trial, size in last.items() if size > BOUND}
    (panel,) = experiment_charts.anytime(one).panels
    assert {text for text in kinds(panel)["last report, constraints not met"]["labels"] if text} == broken
    for panel in space_charts.slices(one).panels:
        hollow = [text for series in panel.series if series.get("hollow") for text in series["labels"] if text]
        assert {text.partition(",")[0] for text in hollow} == broken


def test_three_objectives_have_a_panel_for_each_pair_and_an_axis_each_in_parallel_coordinates(three):
    chart = pareto_charts.front(three)
    assert [(panel.y["title"], panel.x["title"]) for panel in chart.panels] == [
        ("error", "speed"), ("error", "size"), ("speed", "size")
    ]  # fmt: skip
    assert chart.panels[0].y["log"]
    assert not chart.panels[0].x.get("log")
    reports = [losses for *_, losses in fronts.losses_of(three, fronts.THREE)]
    signs = {"error": 1, "speed": -1, "size": 1}
    for panel, (i, j) in zip(chart.panels, itertools.combinations(range(3), 2), strict=True):
        steps = kinds(panel)["front"]
        corners = list(zip(steps["x"], steps["y"], strict=True))[1:-1]
        found = [(signs[panel.y["title"]] * y, signs[panel.x["title"]] * x) for x, y in corners]
        finite = [losses for losses in reports if all(map(math.isfinite, losses))]
        assert sorted(found) == fronts.front_by_definition([(losses[i], losses[j]) for losses in finite])
    (lines,) = space_charts.parallel(three).panels
    assert [text for _, text in lines.x["ticks"]] == ["width", "kind", "error", "speed", "size"]
    best = {f"trial {point.trial_id}" for point in three.state.front}
    assert {text.partition(":")[0] for text in kinds(lines)["on the front"]["labels"] if text} == best


def test_each_objective_has_slices_of_its_own(three):
    last = {trial: losses for _, trial, _, losses in fronts.losses_of(three, fronts.THREE)}
    for aim, (name, sign) in enumerate({"error": 1, "speed": -1, "size": 1}.items()):
        chart = space_charts.slices(three, aim=aim)
        assert chart.panels[0].y["title"] == name
        for panel in chart.panels:
            drawn = [
                (int(text.split()[1].rstrip(",")), y)
                for series in panel.series
                for text, y in zip(series["labels"], series["y"], strict=True)
                if y is not None
            ]
            expected = {trial: sign * losses[aim] for trial, losses in last.items() if math.isfinite(losses[aim])}
            assert dict(drawn) == expected


def test_the_hypervolume_is_drawn_as_it_is_computed_with_its_reference_point(three):
    chart, found = pareto_charts.hypervolume(three), growth(three)
    (line,) = chart.panels[0].series
    assert line["step"]
    assert line["y"][:-2] == found.shares.tolist()
    for metric, value in three.state.objective.values(found.box.reference.tolist()).items():
        assert f"{metric}={value:.6g}" in chart.caption


def test_surfaces_of_a_tag_bound_what_half_of_the_seeds_attain(made, tmp_path):
    experiments = [fronts.run(tmp_path, made, seed=seed, trials=6) for seed in range(4)]
    runs, _ = load_runs([tmp_path / "t"])
    (panel,) = pareto_charts.attained(0, "fronts", runs, None).panels
    line, band = panel.series
    assert line["step"]
    assert band["step"]
    assert (line["name"], band["kind"]) == ("RS", "band")
    known = [[losses for *_, losses in fronts.losses_of(one)] for one in experiments]
    worst = max(error for one in known for error, _ in fronts.front_by_definition(one))
    for index, x in enumerate(line["x"][1:-2], 1):
        rows = sorted(min((e for e, s in one if -s >= x), default=math.inf) for one in known)
        expected = [min(rows[k], worst) for k in (0, 1, 2)]
        assert [band["bottom"][index], line["y"][index], band["top"][index]] == pytest.approx(expected)


@pytest.mark.long
def test_print_has_the_same_figures_and_refuses_fronts_of_one_objective(three, made, tmp_path):
    drawn = figures.front(three)
    assert len(drawn.axes) == 3
    names = {path.stem for path in figures.save_all(three, tmp_path / "f", "svg")}
    assert {"front", "hypervolume", "parallel"} <= names
    assert "anytime" not in names
    one = fronts.run(tmp_path, made, objectives={}, metric="error", mode="min", trials=2)
    with pytest.raises(ConfigError, match="has one objective, error; draw anytime instead"):
        figures.front(one)
    with pytest.raises(ConfigError, match="--figure front: of an experiment there are anytime, curves,"):
        figures.save(one, "front", tmp_path / "front.pdf")


@pytest.mark.long
def test_of_a_comparison_what_was_attained_is_drawn_too(made, tmp_path):
    for method in ("RS", "SOBOL"):
        fronts.run(tmp_path, made, method, trials=6)
    names = [path.stem for path in figures.save_all(compare([tmp_path / "t"]), tmp_path / "f", "svg")]
    assert names == ["anytime", "ranks", "seeds", "attained", "differences"]
    for method in ("RS", "SOBOL"):
        fronts.run(tmp_path, made, method, tag="one", objectives={}, metric="error", mode="min", trials=6)
    with pytest.raises(ConfigError, match="attained: fronts has one objective, error; draw anytime instead"):
        figures.attained(compare([tmp_path / "one"]))


def test_before_the_first_front_a_sentence_says_so(made, tmp_path):
    none = fronts.run(tmp_path, made, constraints={"size": {"upper": -1.0}}, trials=3)
    assert pareto_charts.front(none).instead.startswith("No trial met size <= -1 (closest: trial ")
    assert pareto_charts.hypervolume(none).instead == pareto_charts.front(none).instead
