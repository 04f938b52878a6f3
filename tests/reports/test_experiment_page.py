"""How reports look on a desk and on a phone, light and dark: asked of the browser's own geometry, with pictures."""

import itertools
import json
import re

import numpy as np
import pytest

from hpo.figures.chart import Chart, Panel, axis
from hpo.reports import write_report
from hpo.reports.page import Section, render
from tests.conftest import succeeded
from tests.support.browser import SHOWN

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("reports")]

SHORT = ("random_seed=1", "max_wallclock_time=8000")
EDGES = """
return [...document.querySelectorAll('.scroll, .area')].filter(e => e.clientWidth).map(e =>
  [e.scrollWidth > e.clientWidth + 1, e.dataset.more, getComputedStyle(e).maskImage !== 'none'])"""


@pytest.fixture(scope="module")
def pages(place):
    """The report of a tag, and that of one of its experiments."""
    words = ("benchmark=nasbench201_cifar100", "method=RS,ASHA", "num_seeds=3", "experiment_tag=look", *SHORT)
    succeeded(place.verb(*words))
    folder = place.path / "outputs" / "look"
    experiment = write_report(folder / "nasbench201_cifar100" / "ASHA" / "seed_0")
    return {"report": experiment, "tag-report": write_report(folder)}


@pytest.fixture(autouse=True)
def usual(window):
    yield
    window.show()


def drawn(window, tmp_path, chart):
    """A page with one figure."""
    page = tmp_path / "page.html"
    page.write_text(render("P", "", [], [Section("s", "S", [chart])]))
    window.open(page)


@pytest.mark.parametrize("name", ["report", "tag-report"])
def test_a_report_fits_its_page_and_what_is_cut_looks_cut(window, pages, name):
    for width, scheme in SHOWN:
        window.show(width, scheme)
        window.open(pages[name])
        assert window.run("return document.documentElement.scrollWidth <= innerWidth")
        edges = window.run(EDGES)
        assert edges
        assert all(more == ("right" if cut else "") and faded == cut for cut, more, faded in edges), edges
        if width == 360:
            assert any(cut for cut, _, _ in edges), "tables of many columns do not fit"
            end = "e.scrollLeft = e.scrollWidth; e.dispatchEvent(new Event('scroll'))"
            window.run(f"document.querySelectorAll('.scroll, .area').forEach(e => {{ {end} }})")
            assert {more for cut, more, _ in window.run(EDGES) if cut} == {"left"}
        picture = window.picture(f"{name}-{width}-{scheme}")
        assert picture[0] == width
        assert picture[1] > 900


PLATES = """
const chart = document.querySelector('#figure-parallel svg[viewBox]');
const box = (e) => { const r = e.getBoundingClientRect(); return [r.left, r.right, r.top, r.bottom]; };
return [[...chart.querySelectorAll('.noted')].map(n => [n.textContent, ...box(n)]),
        [...chart.querySelectorAll('.vertical')].map(v => box(v)[0])]"""


@pytest.mark.parametrize("width", [360, 1366])
def test_in_parallel_coordinates_every_value_has_its_label_between_its_own_axis_and_the_next(window, pages, width):
    window.show(width)
    window.open(pages["report"])
    notes, axes = window.run(PLATES)
    assert len(notes) == 6 * 5 + 2, "none is left out: six choices among five, and the ends of the metric"
    gap = axes[1] - axes[0]
    for _, left, right, *_ in notes:
        own = max(place for place in axes if place <= left)
        assert right < own + gap
    for (_, a, b, c, d), (_, e, f, g, h) in itertools.combinations(notes, 2):
        assert b <= e or f <= a or d <= g or h <= c
    assert {"nor_conv_1x1", "nor_conv_3x3", "skip_connect"} <= {text for text, *_ in notes}, "can be told apart"


def test_an_axis_has_three_ticks_or_more_however_narrow_it_is(window, pages):
    window.open(pages["report"])
    ticks = "return Chart.ticks(arguments[0], arguments[1], 3).map(([value]) => value)"
    for last in (3, 4, 6, 9, 12, 27, 50, 81, 100, 243, 1000):
        found = window.run(ticks, {"whole": True}, [1 - 0.04 * (last - 1), last + 0.04 * (last - 1)])
        assert len(found) >= 3, last
        assert all(value == round(value) for value in found)
    for low, high in ((0.0, 1.0), (0.93, 0.951), (-3.0, 7.3), (1e-5, 8e-5)):
        found = window.run(ticks, {}, [low, high])
        assert 3 <= len(found) <= 12
        assert all(low <= value <= high for value in found)
    assert len(window.run(ticks, {"log": True}, [1.1, 1.4])) >= 3, "between two ticks of the decade"


def test_learning_curves_of_nine_epochs_have_three_ticks_on_a_phone(window, tmp_path):
    window.show(360)
    series = {"kind": "line", "name": "a", "colour": "#0072B2", "x": [*range(1, 10)], "y": [0.1] * 8 + [1.0]}
    drawn(window, tmp_path, Chart("c", "C", panels=[Panel(axis("epoch", whole=True), axis("loss"), [series])]))
    texts = window.run("return [...document.querySelectorAll('.tick[text-anchor=middle]')].map(t => t.textContent)")
    assert len(texts) >= 3
    assert all(re.fullmatch(r"[1-9]", text) for text in texts)


def test_a_figure_without_a_neighbour_takes_the_whole_row(window, tmp_path):
    def chart(name, wide):
        series = {"kind": "points", "name": "a", "colour": "#0072B2", "x": [0, 1], "y": [0, 1]}
        return Chart(name, name, panels=[Panel(axis(), axis(), [series])], wide=wide)

    page = tmp_path / "page.html"
    shapes = [("one", False), ("two", False), ("three", False), ("four", True)]
    page.write_text(render("P", "", [], [Section("s", "S", [chart(*shape) for shape in shapes])]))
    window.open(page)
    boxes = window.run(
        "return [...document.querySelectorAll('figure')].map(f => [f.getBoundingClientRect().left, f.offsetWidth])"
    )
    (whole,) = {window.run("return document.querySelector('.figures').offsetWidth")}
    assert [width == whole for _, width in boxes] == [False, False, True, True]
    assert boxes[0][0] < boxes[1][0]


def test_attempts_and_curves_that_were_interrupted_are_not_drawn_as_paused(pages, window):
    window.open(pages["report"])
    keys = """
return [...document.querySelectorAll('#figure-workers .key')].map(k =>
  [k.textContent, getComputedStyle(k.querySelector('[fill]')).fill])"""
    colours = dict(window.run(keys))
    assert {"completed", "paused", "interrupted"} <= set(colours)
    assert len(set(colours.values())) == len(colours)
    dots = """
return [...document.querySelectorAll('#table-trials tbody tr')].map(r =>
  [r.cells[1].textContent, getComputedStyle(r.querySelector('.dot')).backgroundColor])"""
    states = set(map(tuple, window.run(dots)))
    assert {"completed", "paused"} <= {state for state, _ in states}
    assert len({colour for _, colour in states}) == len(states)


def test_first_values_near_zero_leave_half_of_the_figure_to_where_the_curves_stay(pages):
    text = pages["tag-report"].read_text()
    charts = json.loads(re.search(r'<script type="application/json" id="charts">(.*?)</script>', text, re.S).group(1))
    (panel,) = next(chart for chart in charts if chart["name"] == "runs-0")["panels"]
    stayed, first = [], []
    for series in panel["series"]:
        curves = itertools.groupby(zip(series["x"], series["y"], strict=True), key=lambda point: point[0] is None)
        for curve in (np.array(list(points)) for gap, points in curves if not gap):
            moments = np.linspace(curve[0, 0], curve[-1, 0], 500)
            stayed += curve[np.searchsorted(curve[:, 0], moments, side="right") - 1, 1].tolist()
            first.append(curve[0, 1])
    low, high = panel["y"]["limits"]
    assert high == max(stayed)
    assert (high - np.quantile(stayed, 0.1)) / (high - low) > 0.5
    assert (high - np.quantile(stayed, 0.1)) / (high - min(first)) < 0.2, "else nothing was pressed flat"
