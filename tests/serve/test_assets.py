"""How the live pages look on a desk and on a phone, light and dark: asked of the browser's own geometry, with pictures."""

import itertools
import json
import time

import pytest

from hpo.figures.style import STATUS_COLOURS
from tests.conftest import Workplace, succeeded
from tests.serve.conftest import Served, Story
from tests.support.browser import SHOWN, browser, install
from tests.support.marks import or_slow

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("serve")]

SENTENCE = "max_failures=3: so many trials in a row failed without a report"
FOLDER = "nasbench201_cifar100/ASHA"


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory):
    """The same experiments under two tags, one that runs with a long name, and one that an error has ended."""
    work = Workplace(tmp_path_factory.mktemp("looked_at"))
    words = ("benchmark=nasbench201_cifar100", "method=RS,ASHA", "random_seed=1", "max_wallclock_time=8000")
    for tag in ("first", "second"):
        succeeded(work.verb(*words, "num_seeds=2", f"experiment_tag={tag}"))
    running = Story(work.path / "outputs" / "a_tag_with_a_rather_long_name" / FOLDER / "seed_1000")
    statuses = [status for status in STATUS_COLOURS if status != "running"]
    for trial, status in enumerate(statuses):
        running.start(trial)
        running.report(trial, 1, 41.23456789 + trial)
        running.end(trial, status)
    running.start(len(statuses))
    failed = Story(work.path / "outputs" / "failed" / FOLDER / "seed_0")
    (failed.directory / "metadata.json").write_text(json.dumps({"status": "interrupted", "error": SENTENCE}))
    server = Served(work)
    yield server
    server.stop()
    running.close()
    failed.close()


@pytest.fixture(scope="module")
def window(tmp_path_factory, looked_at):
    if reason := install():
        pytest.skip(reason)
    with browser(tmp_path_factory.mktemp("profile"), network=True) as opened:
        opened.driver.set_script_timeout(60)
        opened.visit(looked_at.link)
        yield opened


def until(window, script, *arguments, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not (found := window.run(script, *arguments)):
        assert time.monotonic() < deadline, (script, window.messages())
        time.sleep(0.05)
    return found


SETTLED = """
const body = document.querySelector('main tbody');
return body.children.length === 10 && !body.textContent.includes('reading')"""
ROW = "return [...document.querySelectorAll('main tbody tr')].find(r => r.textContent.includes(arguments[0]))"


def front(window, looked_at):
    window.visit(looked_at.root)
    until(window, SETTLED)


@pytest.fixture(scope="module")
def addresses(window, looked_at):
    front(window, looked_at)
    found = {
        name: window.run(f"{ROW}.querySelector('a').href", name) for name in ("rather", "failed", "ASHA · seed 1first")
    }
    tag = window.run("return [...document.querySelectorAll('main a')].find(a => a.textContent === 'first').href")
    complete, running = found["ASHA · seed 1first"], found["rather"]
    names = {
        "experiment": complete,
        "running": running,
        "error": found["failed"],
        "trial": f"{running}/t/0",
        "tag": tag,
    }
    return {"front": looked_at.root, **names}


def visit(window, addresses, page):
    window.visit(addresses[page])
    if page == "front":
        until(window, SETTLED)
    if page in ("experiment", "running"):
        until(window, "return document.documentElement.dataset.figures && document.documentElement.dataset.trials")


PARTS = """
const parts = [...document.querySelectorAll('.scroll, .area')].filter(e => e.clientWidth).map(e =>
  [e.getAttribute('aria-label'), e.scrollWidth > e.clientWidth + 1, e.dataset.more,
   getComputedStyle(e).maskImage !== 'none'])"""
CUT_AND_SHOWN_SO = (
    f"{PARTS}; return parts.every(([, cut, more, faded]) => more === (cut ? 'right' : '') && faded === cut)"
)


PAGES = ("front", "experiment", "running", "trial", "tag")


@pytest.mark.parametrize("page", or_slow(PAGES, ("front", "experiment")))
def test_a_page_fits_its_window_and_what_is_cut_looks_cut(window, addresses, page):
    for width, scheme in SHOWN:
        window.show(width, scheme)
        visit(window, addresses, page)
        assert window.run("return document.documentElement.scrollWidth <= innerWidth"), width
        until(window, CUT_AND_SHOWN_SO)  # a page that is drawn anew is marked a frame later
        assert window.run(f"{PARTS}; return parts.length") or page == "tag"
        assert window.picture(f"{page}-{width}-{scheme}")[0] == width


OUTSIDE = """
const scroll = document.querySelector('main .scroll').getBoundingClientRect();
return [...document.querySelectorAll('main tbody td, main tbody td *')].filter(e => e.getClientRects().length)
  .filter(e => e.getBoundingClientRect().right > Math.min(scroll.right, innerWidth) + 0.5)
  .map(e => e.tagName + e.textContent)"""


@pytest.mark.parametrize("width", [1366, 360])
def test_no_cell_of_the_first_page_is_cut_with_a_running_experiment_and_long_names(window, looked_at, width):
    window.show(width)
    front(window, looked_at)
    assert window.run(OUTSIDE) == []
    if width == 1366:
        row = window.run(f"{ROW}.innerText", "rather").split("\t")
        assert "1 of 2" in row, "workers are busy, and their column is filled"
        assert window.run("return document.querySelectorAll('main tbody svg.spark').length") == 10


def test_on_a_phone_the_tag_tells_experiments_of_the_same_name_apart_and_is_not_shown_twice_on_a_desk(
    window, looked_at
):
    texts = "return [...document.querySelectorAll('main tbody tr')].map(r => r.innerText)"
    window.show(360)
    front(window, looked_at)
    shown = window.run(texts)
    names = [" ".join(text.split()) for text in shown]
    assert sum("first" in name for name in names) == sum("second" in name for name in names) == 4
    assert len(set(names)) == len(names)
    assert sum("100%" in name for name in names) == 8
    window.show(1366)
    assert all(text.count("first") <= 1 for text in window.run(texts))


def test_each_state_of_a_trial_has_a_dot_of_its_own_colour_from_the_first_moment(window, addresses):
    dots = """
const probe = document.createElement('span');
document.body.append(probe);
const rgb = (colour) => { probe.style.color = colour; return getComputedStyle(probe).color; };
const found = [...document.querySelectorAll('#trials tbody tr')].map(r =>
  [r.cells[1].textContent, getComputedStyle(r.querySelector('.dot')).backgroundColor]);
const wanted = Object.entries(arguments[0]).map(([status, colour]) => [status, rgb(colour)]);
probe.remove();
return [found, wanted]"""
    window.show()
    window.visit(addresses["running"])
    until(window, "return document.documentElement.dataset.trials")
    found, wanted = window.run(dots, STATUS_COLOURS)
    assert sorted(found) == sorted(wanted)


def test_there_is_one_heading_for_rungs_and_table_and_figure_share_the_width(window, addresses):
    box = "const r = arguments[0].getBoundingClientRect(); return [r.left, r.right, r.top]"
    window.show()
    visit(window, addresses, "experiment")
    heads = [head.text for head in window.driver.find_elements("css selector", "h2, h3")]
    assert heads.count("Rungs") == 1
    section, table, figure = (
        window.run(box, window.driver.find_element("css selector", f"#rungs {part}".strip()))
        for part in ("", ".scroll", "figure")
    )
    assert table[0] == section[0]
    assert table[1] < figure[0] < section[0] + 0.55 * (section[1] - section[0])
    assert figure[1] == section[1]
    assert abs(table[2] - figure[2]) < 20
    window.show(360)
    assert window.run("return document.querySelector('#rungs figure').offsetWidth <= innerWidth")


def test_no_figure_stands_beside_an_empty_half(window, addresses):
    window.show()
    visit(window, addresses, "experiment")
    rows = window.run("""
return [...document.querySelectorAll('#progress .figures > figure')].map(f =>
  [f.offsetTop, f.offsetWidth, f.parentElement.offsetWidth])""")
    for _, row in itertools.groupby(rows, key=lambda one: one[0]):
        widths = list(row)
        assert sum(width for _, width, _ in widths) > 0.95 * widths[0][2]


def test_an_end_by_an_error_is_shown_as_one_on_every_page(window, looked_at, addresses):
    window.show()
    front(window, looked_at)
    assert window.run(f"{ROW}.querySelector('.state').textContent", "failed") == "error"
    assert window.run("return [...document.querySelectorAll('.filters button')].map(b => b.textContent)").count(
        "error 1"
    )
    window.visit(addresses["error"])
    subtitle = until(window, "return document.getElementById('subtitle').textContent")
    assert subtitle.endswith(f"error: {SENTENCE}; its command resumes it")


def test_the_age_of_a_simulated_experiment_is_not_told_for_its_clock_is_not_ours(window, addresses):
    visit(window, addresses, "experiment")
    assert window.run("return document.getElementById('age').textContent") == ""


def test_a_first_value_near_zero_leaves_a_small_graph_its_height(window, addresses):
    window.visit(addresses["front"])
    heights = """
const line = spark(arguments[0]).querySelector('polyline');
return line.getAttribute('points').split(' ').map(p => +p.split(',')[1])"""
    times, values = [0, 1, 2, 40, 70, 100], [0.01, 0.5, 0.9, 0.93, 0.95, 0.95]
    for shown in (values, [-value for value in values]):
        found = window.run(heights, [times, shown])
        assert abs(found[5] - found[-1]) > 5, "from 0.9 to 0.95, of 18 pixels"
        assert all(2 <= height <= 20 for height in found)
