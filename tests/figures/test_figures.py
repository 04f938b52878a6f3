"""Figures for print: they draw what the log says; files are whole, reproducible and labelled."""

import dataclasses
import itertools
import re
import shutil
import sqlite3
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

import hpo
from hpo.analysis import compare, figures
from hpo.analysis.regret_over_time import over_time
from hpo.errors import ConfigError
from hpo.figures import experiment_charts, method_charts, space_charts
from hpo.figures.matplotlib_drawing import INK, draw
from hpo.history import curves as history
from tests.conftest import Workplace, error_of, succeeded

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("figures")]


OF_ONE = [name for name in figures.OF_EXPERIMENT if name not in ("front", "hypervolume")]
"""What there is of an experiment with one objective."""


@pytest.fixture(scope="module")
def tag(tmp_path_factory):
    """Two methods x 6 seeds on two tables, one of them semi-synthetic."""
    place = Workplace(tmp_path_factory.mktemp("tag"))
    tables = "benchmark=nasbench201_cifar100,generated_typical"
    succeeded(place.verb(tables, "method=RS,ASHA", "num_seeds=6", "random_seed=1", "experiment_tag=t"))
    return place.path / "outputs" / "t"


@pytest.fixture(scope="module")
def experiment(tag):
    return hpo.load_experiment(tag / "nasbench201_cifar100" / "ASHA" / "seed_0")


@pytest.fixture(scope="module")
def comparison(tag):
    return compare(tag)


def test_the_anytime_figure_is_the_running_maximum_of_the_log(experiment):
    with sqlite3.connect(experiment.directory / "events.db") as database:
        query = (
            "SELECT elapsed, json_extract(body, '$.metrics.val_acc') FROM events WHERE kind = 'reported' ORDER BY seq"
        )
        rows = database.execute(query).fetchall()
    database.close()
    best = np.maximum.accumulate([value for _, value in rows])
    line = next(line for line in figures.anytime(experiment).lines if line.get_label() == "best so far")
    assert line.get_drawstyle() == "steps-post"
    hours, shown = line.get_data()
    for elapsed, value in zip([elapsed for elapsed, _ in rows], best, strict=True):
        assert shown[np.searchsorted(hours, elapsed / 3600 + 1e-9, side="right") - 1] == value
    assert hours[-1] == pytest.approx(experiment.state.elapsed / 3600)


def pieces(line):
    """The curves of a line that has gaps between them, as ((x, y), ...)."""
    points = list(zip(*line.get_data(), strict=True))
    groups = itertools.groupby(points, key=lambda point: bool(np.isnan(point[0])))
    return [tuple(group) for gap, group in groups if not gap]


def test_curves_workers_and_rungs_draw_what_happened(experiment):
    drawn = [curve for line in figures.curves(experiment).lines for curve in pieces(line)]
    curves = [tuple(zip(curve.resources, curve.values, strict=True)) for curve in history.curves(experiment)]
    assert sorted(drawn) == sorted(curves)
    bars = [path.vertices for bars in figures.workers(experiment).collections for path in bars.get_paths()]
    assert sum(np.ptp(bar[:, 0]) for bar in bars) * 3600 == pytest.approx(experiment.state.busy_seconds())
    assert len(bars) == sum(event.kind == "ended" for event in experiment.events)
    parts = [path.vertices for bars in figures.rungs(experiment).collections for path in bars.get_paths()]
    widths = sum(np.ptp(bar[:, 0]) for bar in parts)
    assert widths == sum(rung.reached for rung in history.rungs(experiment))


def test_methods_are_drawn_over_the_range_that_is_scored(comparison):
    for scored in comparison.scored:
        ax = figures.regret(comparison, benchmark=scored.block.benchmark)
        assert [text.get_text() for text in ax.get_legend().get_texts()] == list(scored.block.methods)
        for line, final in zip(ax.lines, scored.final, strict=True):
            ordered = np.sort(final)
            assert line.get_ydata()[-1] == pytest.approx(ordered[1:5].mean())
    lines = figures.seeds(comparison, benchmark="generated_typical").lines
    points = [line for line in lines if line.get_linestyle() == "None"]
    assert len(points) == 2
    scored = next(one for one in comparison.scored if one.block.benchmark == "generated_typical")
    assert np.array([dots.get_ydata() for dots in points]) == pytest.approx(scored.anytime)
    (pair,) = [pair for pair in comparison.pairings if pair.score == "anytime"]
    assert [line.get_xdata() for line in figures.differences(comparison).lines][1] == [pair.difference]


def test_functions_draw_into_axes_that_are_given(experiment, comparison):
    from matplotlib.figure import Figure

    left, right = Figure().subplots(1, 2)
    assert figures.curves(experiment, left) is left
    assert figures.ranks(comparison, ax=right) is right
    assert figures.slice_of(experiment, name="Op0").get_xlabel() == "Op0"
    assert len(figures.slices(experiment).axes) == 6


def test_the_style_does_not_leak_into_the_settings_of_others(experiment):
    import matplotlib

    before = dict(matplotlib.rcParams)
    figures.anytime(experiment)
    assert dict(matplotlib.rcParams) == before
    from matplotlib import pyplot

    assert pyplot.get_fignums() == []


def test_all_figures_of_an_experiment_and_of_a_tag_are_files_of_their_format(experiment, tag, tmp_path):
    heads = {"pdf": b"%PDF", "svg": b"<?xml", "png": b"\x89PNG"}
    for form, head in heads.items():
        paths = figures.save_all(experiment, tmp_path / form, form)
        assert [path.name for path in paths] == [f"{name}.{form}" for name in OF_ONE]
        assert all(path.read_bytes().startswith(head) and path.stat().st_size > 2000 for path in paths)
    names = {path.stem for path in figures.save_all(tag, tmp_path / "tag", "svg")}
    each = {
        f"{name}-{table}"
        for name in ("anytime", "ranks", "seeds")
        for table in ("nasbench201_cifar100", "generated_typical")
    }
    assert names == {*each, "differences"}


def test_data_that_are_not_measured_are_labelled_in_every_figure_and_text_stays_text(experiment, comparison, tmp_path):
    paths = figures.save_all(experiment, tmp_path / "e", "svg") + figures.save_all(comparison, tmp_path / "t", "svg")
    for path in paths:
        texts = " ".join(
            element.text or "" for element in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")
        )
        synthetic = "generated_typical" in path.name
        assert ("synthetic data" in texts) if synthetic else ("semi-synthetic" in texts), path


def test_the_same_experiment_gives_the_same_file(experiment, tmp_path):
    for form in figures.FORMATS:
        first, again = (figures.save(experiment, "anytime", tmp_path / f"{i}.{form}") for i in range(2))
        assert first.read_bytes() == again.read_bytes()


def test_dollars_and_backslashes_in_names_are_drawn_as_they_are(tmp_path):
    benchmark = {
        "name": "mine",
        "table": "generated/typical/0",
        "metric": "loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "epochs",
        "config_space": {f"x{i}": {"type": "ordinal", "values": list(range(8))} for i in range(4)},
        "arguments": {"epochs": 27},
        "max_num_trials": 40,
    }
    config = hpo.load_config(benchmark, "RS", random_seed=0)
    experiment = hpo.load_experiment(hpo.run_experiment(config, tmp_path / "e").directory)
    experiment.config.method.name = r"$\frac{1$ and $x"
    experiment.config.benchmark.name = "50$_"
    path = figures.save(experiment, "curves", tmp_path / "c.svg")
    assert r"$\frac{1$ and $x" in path.read_text()


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Made-up trials over logarithmic and other hyperparameters, on a schedule with rungs."""
    place = Workplace(tmp_path_factory.mktemp("mixed"))
    place.write(
        "quick.py",
        "import sys\nfrom hpo import report\nrate = float(sys.argv[1].removeprefix('--lr='))\n"
        "for epoch in (1, 2, 3):\n    report(epoch=epoch, loss=abs(rate - 0.01) / epoch)\n",
    )
    space = {
        "lr": {"type": "float", "lower": 1e-6, "upper": 1.0, "log": True},
        "decay": {"type": "float", "lower": 0.004, "upper": 0.03, "log": True},
        "units": {"type": "int", "lower": 8, "upper": 512, "log": True},
        "act": {"type": "choice", "values": ["relu", "a_long_name_of_an_activation"]},
    }
    points = [{"lr": 1e-6}, {"lr": 1e-3}, {"lr": 1.0}]
    keys = {"config_space": space, "points_to_evaluate": points, "max_num_trials": 6}
    place.benchmark("mixed", script=str(place.path / "quick.py"), **keys)
    succeeded(place.hpo("benchmark=mixed", "method=RS", "random_seed=1", "experiment_tag=m"))
    return hpo.load_experiment(place.directory("m", benchmark="mixed"))


@pytest.fixture(scope="module")
def diverged(tmp_path_factory):
    """30 trials, one of which reports 10^8."""
    place = Workplace(tmp_path_factory.mktemp("diverged"))
    place.write(
        "far.py",
        "import sys\nfrom hpo import report\nx = float(sys.argv[1].removeprefix('--x='))\n"
        "for epoch in (1, 2, 3):\n    report(epoch=epoch, loss=1e8 if x == 1.0 else (1 + x) / epoch)\n",
    )
    points = [{"x": x / 30} for x in range(1, 31)]
    keys = {"config_space": {"x": {"type": "float", "lower": 0.0, "upper": 1.0}}, "points_to_evaluate": points}
    place.benchmark("far", script=str(place.path / "far.py"), max_num_trials=30, **keys)
    succeeded(place.hpo("benchmark=far", "method=RS", "random_seed=1", "experiment_tag=d"))
    return hpo.load_experiment(place.directory("d", benchmark="far"))


@pytest.mark.parametrize("name", ["anytime", "curves", "slices"])
def test_one_far_value_leaves_half_of_the_axis_to_the_others_and_is_marked_at_the_edge(diverged, name):
    def axes(**keys):
        drawn = figures.OF_EXPERIMENT[name](diverged, **keys)
        return getattr(drawn, "axes", drawn)[0] if name == "slices" else drawn

    last = [(1 + x / 30) / 3 for x in range(1, 30)]
    others = [value * 3 / epoch for value in last for epoch in (1, 2, 3)] if name == "curves" else last
    ax = axes()
    low, high = ax.get_ylim()
    assert low < min(last) < high
    assert (np.quantile(others, 0.9) - min(others)) / (high - low) >= 0.5
    marks = ax.collections[0]
    assert len(marks.get_offsets()) == (3 if name == "curves" else 1)
    assert "as far as 1e+08" in ax.get_xlabel() or "at 1e+08" in ax.get_xlabel()
    whole = axes(all_values=True)
    assert whole.get_ylim()[1] > 1e8
    assert not whole.collections
    assert "1e+08" not in whole.get_xlabel()


def test_the_command_draws_all_values_when_asked_to(diverged):
    folder = diverged.directory
    place = Workplace(folder.parents[4])
    succeeded(place.verb("plot", str(folder), "--format", "svg", "--output", "near"))
    succeeded(place.verb("plot", str(folder), "--format", "svg", "--output", "whole", "--all-values"))
    for name in ("anytime", "curves", "parallel", "slices"):
        near, whole = ((place.path / kind / f"{name}.svg").read_text() for kind in ("near", "whole"))
        assert "marked at the edge" in near
        assert "marked at the edge" not in whole


def test_no_label_is_raw_latex(diverged, mixed, comparison, tmp_path):
    for number, subject in enumerate((diverged, mixed)):
        for all_values in (False, True):
            figures.save_all(subject, tmp_path / f"{number}{all_values}", "svg", all_values=all_values)
    figures.save_all(comparison, tmp_path / "t", "svg")
    for path in tmp_path.rglob("*.svg"):
        texts = [element.text or "" for element in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")]
        assert texts
        assert not any("$" in text or "\\" in text for text in texts), path


def test_ticks_on_logarithmic_axes_are_plain_numbers_that_do_not_overlap(mixed):
    drawn = figures.slices(mixed)
    drawn.draw_without_rendering()
    for ax in drawn.axes:
        low, high = ax.get_xlim()
        labels = [label for label in ax.get_xticklabels() if low <= label.get_position()[0] <= high]
        assert len(labels) >= 2
        boxes = [label.get_window_extent() for label in labels if not label.get_rotation()]
        assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))
        if ax.get_xscale() == "log":
            places = [float(label.get_text()) for label in labels]
            assert places == pytest.approx([label.get_position()[0] for label in labels])
    assert [ax.get_xscale() for ax in drawn.axes] == ["log", "log", "log", "linear"]


def test_legends_lie_above_what_is_drawn_and_below_the_title(mixed, comparison):
    drawn = [figures.curves(mixed), figures.regret(comparison), figures.parallel(mixed), figures.slices(mixed).axes[0]]
    for ax in drawn:
        ax.figure.draw_without_rendering()
        legend, title = ax.get_legend().get_window_extent(), ax._left_title.get_window_extent()
        assert ax.bbox.y1 <= legend.y0
        assert legend.y1 <= title.y0
        assert legend.x1 <= ax.figure.bbox.x1


def test_figures_for_print_show_all_trials_where_the_page_thins_them(experiment, monkeypatch):
    monkeypatch.setattr(experiment_charts, "MOST_POINTS", 80)
    monkeypatch.setattr(space_charts, "MOST_LINES", 4)
    monkeypatch.setattr(space_charts, "MOST_POINTS", 4)
    count = len(history.curves(experiment))
    assert "Thinned" in experiment_charts.learning_curves(experiment).caption
    for figure in (figures.curves, figures.parallel):
        assert sum(len(pieces(line)) for line in figure(experiment).lines if line.get_color() != INK) == count
    points = figures.slice_of(experiment, name="Op0").lines
    assert sum(len(pieces(line)) for line in points) == count


def test_an_interval_that_is_not_known_throughout_leaves_a_gap_in_the_band(comparison):
    scored = comparison.scored[0]
    found = over_time(scored, comparison.random_seed)
    low, high = found.low.copy(), found.high.copy()
    low[:, 30:40] = high[:, 30:40] = np.nan
    low[:, :5] = high[:, :5] = np.nan
    chart = method_charts.regret(0, scored, dataclasses.replace(found, low=low, high=high))
    bands = [series for series in chart.panels[0].series if series["kind"] == "band"]
    assert [len(band["x"]) for band in bands] == [75] * len(bands)
    assert all(band[side][25:35] == [None] * 10 for band in bands for side in ("bottom", "top"))
    assert all(None not in [*band["top"][:25], *band["top"][35:]] for band in bands)
    for area in draw(chart).collections:
        assert len(area.get_paths()) == 2


def test_what_cannot_be_charted_is_a_sentence_in_place_of_axes(tag):
    random = hpo.load_experiment(tag / "nasbench201_cifar100" / "RS" / "seed_0")
    ax = figures.rungs(random)
    sentence = experiment_charts.rung_board(random).instead
    assert [text.get_text().replace("\n", " ") for text in ax.texts] == [sentence]


def test_the_command_writes_one_figure_or_all(complete):
    out = succeeded(complete.verb("plot", "l", "--figure", "differences", "--output", "new/d.pdf"))
    assert out.split() == ["new/d.pdf"]
    assert (complete.path / "new" / "d.pdf").read_bytes().startswith(b"%PDF")
    result = complete.verb("plot", "t", "--format", "svg")
    names = [line.rpartition("/")[2] for line in succeeded(result).split()]
    assert names == [f"{name}.svg" for name in OF_ONE if name != "importance"]
    assert all((complete.path / line).is_file() for line in result.stdout.split())
    assert re.search(r"importance cannot be drawn .*: too little data: 3 trials, 30 are needed", result.stderr)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("l", "--figure", "workers"),
            "--figure workers: of a tag of several experiments there are anytime, ranks, seeds, differences; "
            "choose one of them",
        ),
        (("t", "--figure", "curves", "-o", "c.gif"), "--output c.gif: end the name in .pdf, .svg, .png"),
        (("t", "--format", "eps"), "--format eps: use pdf, svg, png"),
        (("nothing",), "nothing: there is no experiment in that directory, and no tag of that name under outputs/"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_sentence(complete, arguments, message):
    assert error_of(complete.verb("plot", *arguments)) == message


def test_importance_without_enough_trials_and_unknown_names_are_errors(experiment, comparison, tmp_path):
    with pytest.raises(ConfigError, match=r"name=lr: the hyperparameters are Op0, "):
        figures.slice_of(experiment, name="lr")
    with pytest.raises(ConfigError, match=r"benchmark=b: compared are .*; choose one of them"):
        figures.regret(comparison, benchmark="b")
    config = hpo.load_config("generated_typical", "RS", random_seed=0, max_num_trials=3)
    small = hpo.load_experiment(hpo.run_experiment(config, tmp_path / "e").directory)
    with pytest.raises(ConfigError, match="too little data: 3 trials"):
        figures.importance(small)


def test_without_matplotlib_one_sentence_says_what_to_install(experiment, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r"pip install -e '\.\[report\]'"):
        figures.anytime(experiment)


def test_an_experiment_without_reports_has_nothing_to_draw(experiment, tmp_path):
    shutil.copytree(experiment.directory, tmp_path / "e")
    with sqlite3.connect(tmp_path / "e" / "events.db") as database:
        database.execute("DELETE FROM events WHERE seq > 3")
    database.close()
    with pytest.raises(ConfigError, match="no trial has reported yet"):
        figures.save_all(tmp_path / "e", tmp_path / "f")
