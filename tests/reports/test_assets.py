"""How reports look, measured in a browser: on narrow and wide pages, light and dark, with and without values far out."""

import json
import re

import numpy as np
import pytest

from hpo.reports import write_report
from tests.conftest import succeeded
from tests.support import fronts
from tests.support.marks import or_slow

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("reports")]

WIDTHS = or_slow((360, 400, 800, 1366), (360, 1366))
FAR = 1e8
PAGES = ("diverged", "synthetic", "tag")

SCRIPT = f"""
import sys
from hpo import report
given = dict(word.removeprefix("--").split("=", 1) for word in sys.argv[1:])
for epoch in range(1, int(given["epochs"]) + 1):
    far = given["layers"] == "4" and given["schedule"] == "cosine"
    report(epoch=epoch, loss={FAR} if far else (1 + float(given["momentum"])) / epoch)
"""


@pytest.fixture(scope="module")
def diverged(place):
    """The report of an experiment one of whose trials diverged, over nine hyperparameters with long names and values."""
    place.write("train.py", SCRIPT)
    space = {
        "learning_rate_of_the_encoder": {"type": "float", "lower": 1e-6, "upper": 1.0, "log": True},
        "weight_decay": {"type": "float", "lower": 0.004, "upper": 0.03, "log": True},
        "momentum": {"type": "float", "lower": 0.5, "upper": 0.999, "reverse_log": True},
        "layers": {"type": "int", "lower": 1, "upper": 4},
        "schedule": {"type": "choice", "values": ["cosine", "constant_with_warmup", "linear"]},
        "units": {"type": "ordinal", "values": [16, 32, 64, 128, 256, 512]},
        "pretrained": {"type": "choice", "values": [True, False]},
        **{f"dropout_{i}": {"type": "choice", "values": [0.0, 0.3, 0.6]} for i in range(2)},
    }
    near = [{"layers": i % 4 + 1, "schedule": "linear", "momentum": 0.5 + i / 100} for i in range(29)]
    points = [*near[:20], {"layers": 4, "schedule": "cosine"}, *near[20:]]
    keys = {"config_space": space, "points_to_evaluate": points, "max_num_trials": 30, "arguments": {"epochs": 9}}
    place.benchmark("far", script=str(place.path / "train.py"), **keys)
    succeeded(place.hpo("benchmark=far", "method=ASHA", "random_seed=1", "experiment_tag=far"))
    return write_report(place.directory("far", "ASHA", benchmark="far"))


@pytest.fixture(scope="module")
def synthetic(place):
    """The report of a simulated experiment whose own values have a long tail."""
    succeeded(place.verb("benchmark=fcnet_protein_structure", "method=ASHA", "random_seed=1", "experiment_tag=long"))
    return write_report(place.path / "outputs" / "long")


@pytest.fixture(scope="module")
def tag(place):
    """The report of 24 experiments of 3 methods."""
    keys = ("method=RS,ASHA,HYPERBAND", "num_seeds=8", "random_seed=1", "experiment_tag=tag")
    succeeded(place.verb("benchmark=fcnet_protein_structure", *keys))
    return write_report(place.path / "outputs" / "tag")


@pytest.fixture
def shown(window):
    """Opens a page at a width, light or dark."""

    def show(page, width=1366, scheme="light"):
        window.show(width, scheme)
        window.open(page)
        return window

    yield show
    window.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    window.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


OVERLAPPING = """
const found = [];
for (const svg of document.querySelectorAll('.area svg')) {
  const shapes = [...svg.querySelectorAll('text')].map(text => {
    const { x, y, width, height } = text.getBBox(), m = text.getScreenCTM();
    const corner = (u, v) => [m.a * u + m.c * v + m.e, m.b * u + m.d * v + m.f];
    const ends = [[x, y + 2], [x + width, y + 2], [x + width, y + height - 2], [x, y + height - 2]];
    return { text: text.textContent, corners: ends.map(([u, v]) => corner(u, v)) };
  });
  const separated = (p, q) => [p, q].some(({ corners }) => [0, 1].some(i => {
    const normal = [corners[i + 1][1] - corners[i][1], corners[i][0] - corners[i + 1][0]];
    const [a, b] = [p, q].map(s => s.corners.map(([x, y]) => x * normal[0] + y * normal[1]));
    return Math.max(...a) <= Math.min(...b) + 1e-6 || Math.max(...b) <= Math.min(...a) + 1e-6;
  }));
  shapes.forEach((p, i) => shapes.slice(i + 1).forEach(q => { if (!separated(p, q)) found.push([p.text, q.text]); }));
}
return found"""


CUT_OFF = """
return [...document.querySelectorAll('.area svg')].flatMap(svg => {
  const f = svg.getBoundingClientRect();
  const out = b => b.left < f.left - 1 || b.right > f.right + 1 || b.top < f.top - 1 || b.bottom > f.bottom + 1;
  return [...svg.querySelectorAll('text')].filter(t => out(t.getBoundingClientRect())).map(t => t.textContent);
})"""


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("page", PAGES)
def test_nothing_scrolls_sideways_and_no_label_lies_on_another_or_is_cut_off(shown, request, page, width):
    window = shown(request.getfixturevalue(page), width)
    assert window.run("return innerWidth") == width
    assert window.run("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert window.run(OVERLAPPING) == []
    assert window.run(CUT_OFF) == []
    assert all(
        window.run("return [...document.querySelectorAll('.area svg')].map(s => s.querySelectorAll('.tick').length)")
    )
    assert window.messages() == []


PALE = """
const part = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const luminance = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
const rgb = text => text.match(/[\\d.]+/g).map(Number);
const ground = rgb(getComputedStyle(document.body).backgroundColor).slice(0, 3);
const contrast = (colour, opacity) => {
  const [r, g, b, alpha = 1] = rgb(colour), a = alpha * opacity;
  const blended = [r, g, b].map((v, i) => v * a + ground[i] * (1 - a));
  const [high, low] = [luminance(blended), luminance(ground)].sort((p, q) => q - p);
  return (high + 0.05) / (low + 0.05);
};
const pale = [];
let count = 0;
for (const mark of document.querySelectorAll('.area .mark:not(.context), .key svg *')) {
  const style = getComputedStyle(mark), filled = style.fill !== 'none' && style.fillOpacity === '1';
  const found = filled ? contrast(style.fill, style.opacity) : contrast(style.stroke, style.opacity * style.strokeOpacity);
  count += 1;
  if (!(found >= 3)) pale.push([mark.closest('figure').querySelector('h3').textContent, style.fill, style.stroke]);
}
for (const dot of document.querySelectorAll('.dot')) {
  count += 1;
  if (contrast(getComputedStyle(dot).backgroundColor, 1) < 3) pale.push(dot.parentElement.textContent);
}
return [count, pale]"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_every_mark_stands_out_from_the_page(shown, request, page, scheme):
    count, pale = shown(request.getfixturevalue(page), scheme=scheme).run(PALE)
    assert count > 20
    assert pale == []


@pytest.mark.parametrize(("width", "scheme"), [(1366, "light"), (360, "dark")])
@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_nothing_wrong(shown, request, page, width, scheme):
    window = shown(request.getfixturevalue(page), width, scheme)
    numbers = window.driver.find_elements("xpath", "//button[.='Numbers']")[0]
    numbers.send_keys(" ")
    assert window.violations() == []


def test_a_front_is_steps_and_what_breaks_a_constraint_is_hollow_as_the_browser_draws_them(shown, place):
    bound = {"size": {"upper": 6.0}}
    fronts.run(place.path / "outputs", fronts.table(place.path), tag="steps", constraints=bound)
    window = shown(write_report(place.path / "outputs" / "steps"))
    drawn = """return [...document.querySelectorAll('#figure-front path.mark')].map(
        p => [p.getAttribute('d'), p.getAttribute('stroke'), p.getAttribute('fill')])"""
    marks = window.run(drawn)
    (line,) = [d for d, *_ in marks if re.fullmatch(r"M[\d.]+ [\d.]+(H[\d.]+V[\d.]+)+", d)]
    assert line.count("H") > 3  # never a straight piece from one to the next
    assert sum("a2 2 0 1 0" in d and fill == "none" for d, _, fill in marks) == 1  # circles
    assert window.violations() == []
    area = window.driver.find_element("css selector", "#figure-front .area")
    area.send_keys("\ue014")  # arrow right
    tip = window.run("return [...document.querySelectorAll('#figure-front .tip div')].map(d => d.textContent)")
    assert re.match(r"trial \d+, epoch 4: width=\d+ kind=[ab]", tip[0])
    assert [line.partition(":")[0] for line in tip[1:]] == ["speed", "error"]


def test_what_is_at_a_point_is_said_outside_of_the_drawing_and_the_pointer_says_nothing(shown, diverged):
    """Children of an image are presentational: a screen reader need not say them."""
    window = shown(diverged)
    area = window.driver.find_element("css selector", "#figure-anytime .area")
    assert area.get_attribute("role") == "group"
    assert area.accessible_name.startswith("Best result so far")
    said = "return document.querySelector('#figure-anytime [role=status]').textContent"
    assert window.run("return document.querySelector('#figure-anytime [role=status]').closest('.area')") is None
    area.send_keys("\ue014")  # arrow right
    tip = window.run(
        "return [...document.querySelectorAll('#figure-anytime .tip div')].map(d => d.textContent).join(', ')"
    )
    assert tip.startswith("trial 0, ")
    assert window.run(said) == tip
    window.run("arguments[0].dispatchEvent(new Event('blur'))", area)
    assert window.run(said) == ""
    window.run(
        """const box = arguments[0].getBoundingClientRect();
        for (let i = 0; i < 40; i++) arguments[0].dispatchEvent(new PointerEvent('pointermove', {
          clientX: box.left + box.width * i / 40, clientY: box.top + box.height / 2}))""",
        area,
    )
    assert window.run(said) == ""


def charts_of(page):
    text = re.search(r'<script type="application/json" id="charts">(.*?)</script>', page.read_text(), re.DOTALL)[1]
    return {chart["name"]: chart for chart in json.loads(text)}


TICKS = """
return [...document.querySelectorAll(`#figure-${arguments[0]} .tick[text-anchor=end]:not([transform])`)]
  .map(tick => [+tick.textContent, +tick.getAttribute('y') - 4])"""
FRAME = "return +document.querySelector(`#figure-${arguments[0]} .ground`).getAttribute('height')"
EDGES = "return document.querySelectorAll(`#figure-${arguments[0]} .beyond`).length"


@pytest.mark.parametrize("name", ["anytime", "curves", "slices"])
def test_one_far_value_leaves_half_of_the_axis_to_the_others_and_is_marked_at_the_edge(shown, diverged, name):
    series = [s for panel in charts_of(diverged)[name]["panels"] for s in panel["series"]]
    values = [y for s in series for y in s["y"] if y is not None]
    assert FAR in values
    others = [value for value in values if value != FAR]
    window = shown(diverged)
    ticks = window.run(TICKS, name)
    (low, bottom), (high, top) = ticks[0], ticks[1]
    assert "log" not in charts_of(diverged)[name]["panels"][0]["y"] or low > 0
    pixels = (np.quantile(others, 0.9) - min(others)) / (high - low) * (bottom - top)
    assert pixels >= window.run(FRAME, name) / 2
    assert window.run(EDGES, name) >= 1


def test_the_last_of_parallel_coordinates_is_limited_too(shown, diverged):
    (panel,) = charts_of(diverged)["parallel"]["panels"]
    ends = [
        y
        for s in panel["series"]
        for y, after in zip(s["y"], [*s["y"][1:], None], strict=True)
        if after is None and y is not None
    ]
    others = [end for end in ends if end <= 1]
    assert len(others) < len(ends)
    assert np.quantile(others, 0.9) >= 0.5
    assert shown(diverged).run(EDGES, "parallel") == 1


@pytest.mark.parametrize("name", ["anytime", "curves", "slices", "parallel"])
def test_a_switch_puts_all_values_on_the_axis_and_takes_them_off_with_the_keyboard(shown, diverged, name):
    from selenium.webdriver.common.keys import Keys

    window = shown(diverged)
    labels = f"return [...document.querySelectorAll('#figure-{name} text')].map(t => t.textContent).join()"
    limited = window.run(labels)
    assert not re.search(r"1e\+08|10000000", limited)
    title = charts_of(diverged)[name]["title"]
    switch = window.driver.find_element("xpath", f"//figure[.//h3='{title}']//button[.='All values']")
    switch.send_keys(Keys.ENTER)
    assert switch.get_attribute("aria-pressed") == "true"
    assert window.run(EDGES, name) == 0
    assert re.search(r"1e\+08|10000000", window.run(labels))
    switch.send_keys(Keys.SPACE)
    assert switch.get_attribute("aria-pressed") == "false"
    assert window.run(labels) == limited
    assert window.messages() == []


def test_the_tip_of_a_mark_at_the_edge_says_its_value(shown, diverged):
    window = shown(diverged)
    area = window.driver.find_element("css selector", "#figure-anytime .area")
    series = charts_of(diverged)["anytime"]["panels"][0]["series"][0]
    steps = [y for y in series["y"] if y is not None].index(FAR) + 1
    for _ in range(steps):
        area.send_keys("\ue014")  # arrow right
    tip = window.run("return [...document.querySelectorAll('#figure-anytime .tip div')].map(d => d.textContent)")
    assert tip[2] == "loss: 100000000"


def test_where_nothing_is_far_out_there_is_no_switch(shown, tag):
    assert charts_of(tag)["ranks-0"]["panels"][0]["y"].get("limits") is None
    figure = "//figure[contains(.//h3, 'Ranks')]//button[.='All values']"
    assert shown(tag).driver.find_elements("xpath", figure) == []


def test_logs_are_in_sight_on_a_common_screen(shown, diverged):
    window = shown(diverged)
    right = "Math.max(...[...document.querySelectorAll('#table-trials a')].map(a => a.getBoundingClientRect().right))"
    assert window.run(f"return {right}") <= window.run(
        "return document.querySelector('#table-trials .scroll').getBoundingClientRect().right"
    )


def test_a_number_that_is_almost_one_is_told_apart_from_it(shown, tag):
    window = shown(tag)
    for value, text in (("0.9999994", "0.9999994"), ("0.123456789", "0.123457"), ("1e7", "10000000"), ("1", "1")):
        assert window.run(f"return [Chart.number({value}), shorter({value})]") == [text, text]
