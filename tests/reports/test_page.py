"""Reports in a real browser without a network: drawn, quick, quiet, usable with the keyboard, and deaf to hostile text."""

import pytest

from hpo.figures.chart import Chart, Panel, axis
from hpo.reports import write_report
from hpo.reports.page import Section, render
from hpo.results.experiment import load_experiment
from tests.conftest import Workplace, succeeded

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("reports")]

GENEROUS = 10_000
"""Milliseconds until a report is ready, on a machine that runs other tests; the figures in docs/reporting.md are lower."""
MOST_BYTES = 8_000_000
HOSTILE = "<script>window.hacked=1;alert(1)</script>"
CLOSING = '</script><script>window.hacked=2</script>"><img src=x onerror="window.hacked=3">'


@pytest.fixture(scope="module")
def large(place):
    """The report of an experiment of 1,000 trials."""
    changes = ("max_num_trials=1000", "max_wallclock_time=1000000", "n_workers=8", "experiment_tag=large")
    succeeded(place.verb("benchmark=nasbench201_cifar100", "method=ASHA", "random_seed=1", *changes))
    return write_report(place.path / "outputs" / "large")


@pytest.fixture(scope="module")
def tag(place):
    """The report of a tag of 4 methods x 10 seeds."""
    methods = "method=RS,ASHA,ASHA-STOP,HYPERBAND"
    succeeded(
        place.verb("benchmark=nasbench201_cifar100", methods, "num_seeds=10", "random_seed=1", "experiment_tag=tag")
    )
    return write_report(place.path / "outputs" / "tag")


MARKS = """
return Object.fromEntries([...document.querySelectorAll('figure')].map(figure => [
  figure.querySelector('h3').textContent,
  [...figure.querySelectorAll('.area .mark')].filter(mark => mark.getBBox().width + mark.getBBox().height > 0).length,
]))"""


@pytest.mark.parametrize(("name", "figures"), [("large", 7), ("tag", 5)])
def test_a_report_is_ready_soon_with_marks_in_every_figure_and_a_silent_console(window, request, name, figures):
    page = request.getfixturevalue(name)
    window.requested()
    ready = window.open(page)
    marks = window.run(MARKS)
    assert len(marks) == figures
    assert all(marks.values()), marks
    assert window.messages() == []
    asked = {address for address in window.requested() if not address.startswith(("data:", "chrome:"))}
    assert asked <= {page.resolve().as_uri()}
    assert ready < GENEROUS
    assert page.stat().st_size < MOST_BYTES


def test_all_thousand_trials_are_there_and_labels_do_not_overlap(window, large):
    assert len(load_experiment(large.parent / "nasbench201_cifar100" / "ASHA" / "seed_0").state.trials) == 1000
    window.open(large)
    assert window.run("return document.querySelector('#table-trials [role=status]').textContent") == "1–100 of 1000"
    overlapping = window.run("""
        const crossing = [];
        for (const svg of document.querySelectorAll('.area svg')) {
          const texts = [...svg.querySelectorAll('text:not([transform])')];
          const boxes = texts.map(t => [t.textContent, t.getBoundingClientRect()]);
          boxes.forEach(([a, p], i) => boxes.slice(i + 1).forEach(([b, q]) => {
            const beside = p.right <= q.left + 1 || q.right <= p.left + 1;
            if (!beside && p.bottom > q.top + 2 && q.bottom > p.top + 2) crossing.push([a, b]);
          }));
        }
        return crossing""")
    assert overlapping == []
    assert window.run("return document.documentElement.scrollWidth <= innerWidth")


def test_marks_stand_where_the_axes_say(window, large):
    """The height of each point above the ticks of its own panel is its value, in every panel of a hyperparameter."""
    window.open(large)
    panels = window.run("""
        const spec = JSON.parse(document.getElementById('charts').textContent).find(chart => chart.name === 'slices');
        return [...document.querySelectorAll('#figure-slices svg[viewBox] > g:not(.over)')].map((panel, number) => {
          const labels = [...panel.querySelectorAll('.tick[text-anchor=end]:not([transform])')];
          const ticks = labels.map(t => [+t.textContent, +t.getAttribute('y') - 4]);
          const names = [...panel.querySelectorAll('.title')].map(t => t.textContent);
          const drawn = [...panel.querySelectorAll('.mark')].map(m => m.getAttribute('d').match(/M[^M]+/g)
            .map(p => p.slice(1, -2).split(' ').map(Number)));
          return { ticks, names, drawn, given: spec.panels[number].series.map(s => s.y.filter(y => y !== null)) };
        })""")
    assert [panel["names"][0] for panel in panels] == [f"Op{i}" for i in range(6)]
    assert len({str(panel["drawn"]) for panel in panels}) == 6
    for panel in panels:
        (low, bottom), *_, (high, top) = panel["ticks"]
        for points, values in zip(panel["drawn"], panel["given"], strict=True):
            assert len(points) == len(values)
            for (_, y), value in zip(points, values, strict=True):
                assert y == pytest.approx(bottom + (value - low) / (high - low) * (top - bottom), abs=0.2)


def test_a_band_that_is_not_known_throughout_has_a_gap(window, tmp_path):
    limits = {"bottom": [0, 0, None, 0, 0], "top": [1, 1, None, 1, 1]}
    band = {"kind": "band", "name": "b", "colour": "#0072B2", "x": [0, 1, 2, 3, 4], **limits}
    chart = Chart("bands", "Bands", panels=[Panel(axis(), axis(), [band])])
    page = tmp_path / "page.html"
    page.write_text(render("Bands", "", [], [Section("bands", "Bands", [chart])]))
    window.open(page)
    assert window.run("return document.querySelector('.area .mark').getAttribute('d').match(/M/g).length") == 2
    assert window.messages() == []


def find(window, selector):
    return window.driver.find_element("css selector", selector)


def test_a_table_is_sorted_searched_and_paged_with_the_keyboard(window, large):
    from selenium.webdriver.common.keys import Keys

    window.open(large)

    def column(number):
        cells = f"return [...document.querySelectorAll('#table-trials tbody td:nth-child({number})')].map(c => c.textContent)"
        return window.run(cells)

    header = find(window, "#table-trials th:nth-child(1) button")
    header.send_keys(Keys.ENTER)
    assert column(1) == [str(i) for i in range(100)]
    header.send_keys(Keys.SPACE)
    assert column(1)[:2] == ["999", "998"]
    assert find(window, "#table-trials th").get_attribute("aria-sort") == "descending"
    find(window, "#table-trials .tools button:nth-of-type(2)").send_keys(Keys.ENTER)
    assert column(1)[0] == "899"
    find(window, "#table-trials input").send_keys("completed")
    assert set(column(2)) == {"completed"}
    find(window, "#table-trials input").send_keys(" no such thing")
    assert column(1) == []


def test_points_are_read_and_zoomed_to_with_the_keyboard(window, large):
    from selenium.webdriver.common.keys import Keys

    window.open(large)
    area = find(window, "#figure-anytime .area")
    area.send_keys(Keys.ARROW_RIGHT)
    experiment = load_experiment(large.parent / "nasbench201_cifar100" / "ASHA" / "seed_0")
    first = experiment.trials.iloc[0]
    tip = window.run("return [...document.querySelectorAll('#figure-anytime .tip div')].map(d => d.textContent)")
    assert tip[0] == "trial 0"
    assert tip[2].startswith("val_acc: ")
    assert float(tip[2].removeprefix("val_acc: ")) == pytest.approx(first["val_acc"], rel=1e-5)
    ticks = "return [...document.querySelectorAll('#figure-anytime .tick')].map(t => t.textContent).join()"
    whole = window.run(ticks)
    area.send_keys("+")
    assert window.run(ticks) != whole
    show_all = window.driver.find_element("xpath", "//figure[.//h3='Best result so far']//button[.='Show all']")
    show_all.send_keys(Keys.ENTER)
    assert window.run(ticks) == whole
    assert not show_all.is_displayed()


def test_the_pointer_shows_values_and_dragging_zooms(window, large):
    from selenium.webdriver.common.action_chains import ActionChains

    window.open(large)
    area = find(window, "#figure-curves .area")
    window.run("arguments[0].scrollIntoView({block: 'center'})", area)
    ActionChains(window.driver).move_to_element_with_offset(area, 0, -120).perform()
    path = "return document.querySelectorAll('#figure-curves .chosen').length"
    assert window.run(path) == 1
    ticks = "return [...document.querySelectorAll('#figure-curves .tick')].map(t => t.textContent).join()"
    whole = window.run(ticks)
    drag = ActionChains(window.driver).move_to_element_with_offset(area, -200, -100).click_and_hold()
    drag.move_by_offset(150, 90).release().perform()
    assert window.run(ticks) != whole
    ActionChains(window.driver).double_click(area).perform()
    assert window.run(ticks) == whole


def test_a_figure_gives_its_numbers_as_a_table(window, large):
    from selenium.webdriver.common.keys import Keys

    window.open(large)
    button = window.driver.find_element("xpath", "//figure[.//h3='Rungs']//button[.='Numbers']")
    button.send_keys(Keys.ENTER)
    assert button.get_attribute("aria-expanded") == "true"
    text = find(window, "#table-numbers-rungs").text
    assert "epoch 27" in text
    assert "went on" in text
    button.send_keys(Keys.ENTER)
    assert window.run("return document.querySelector('#table-numbers-rungs')") is None


def test_light_and_dark_follow_the_system_and_the_button(window, large):
    ground = "return getComputedStyle(document.body).backgroundColor"
    try:
        for scheme in ("light", "dark"):
            feature = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
            window.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", feature)
            window.open(large)
            before = window.run(ground)
            assert (before == "rgb(255, 255, 255)") == (scheme == "light")
            find(window, "#theme").send_keys(" ")
            assert (window.run(ground) == "rgb(255, 255, 255)") == (scheme == "dark")
    finally:
        window.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_a_keyboard_reaches_everything_that_reacts(window, large):
    window.open(large)
    unreachable = window.run("""
        return [...document.querySelectorAll('button, a, input, summary, .area, .scroll')]
          .filter(e => e.tabIndex < 0).map(e => e.outerHTML.slice(0, 80))""")
    assert unreachable == []


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """The reports of an experiment, and of a tag, whose every text tries to be HTML."""
    place = Workplace(tmp_path_factory.mktemp("hostile"))
    script = f"import sys\nif {CLOSING!r} in sys.argv[1] + sys.argv[2]:\n    sys.exit({HOSTILE + CLOSING!r})\n"
    script += "from hpo import report\nfor epoch in (1, 2, 3):\n    report(epoch=epoch, loss=1 / epoch)\n"
    place.write("train.py", script)
    place.benchmark(
        "mine",
        script=str(place.path / "train.py"),
        arguments={"epochs": 3, "note": HOSTILE},
        config_space={
            "<b>bold": {"type": "choice", "values": [HOSTILE, CLOSING, "&lt;i&gt;"]},
            "x": {"type": "choice", "values": [1, 2]},
        },
        max_num_trials=6,
    )
    done = place.hpo("benchmark=mine", "method=GRID,RS", "experiment_tag=h", "max_failures=9")
    assert done.returncode in (0, 1), done.stderr
    return write_report(place.directory("h", "GRID")), write_report(place.path / "outputs" / "h")


def test_text_of_users_stays_text(window, hostile):
    for page in hostile:
        window.open(page)
        assert window.messages() == []
        assert window.run("return window.hacked") is None
        assert (
            window.run("return document.images.length + document.querySelectorAll('main script, svg script').length")
            == 0
        )
    window.open(hostile[0])
    rows = "return [...document.querySelectorAll('#table-trials tbody td')].map(c => c.textContent)"
    assert {HOSTILE, CLOSING, "&lt;i&gt;"} <= set(window.run(rows))
    assert "<b>bold" in window.run("return document.querySelector('#table-trials thead').textContent")
    for details in window.driver.find_elements("css selector", "#failures details"):
        assert HOSTILE + CLOSING in details.get_attribute("textContent")
    assert find(window, "#failures").is_displayed()
    for area in window.driver.find_elements("css selector", ".area"):
        area.send_keys("\ue014")  # arrow right: labels of points are texts of users, too
    assert window.run("return window.hacked") is None
    assert window.messages() == []


def test_the_policy_stops_a_script_that_got_into_the_page_all_the_same(window, large, tmp_path):
    """The second guard, alone: as if escaping had failed."""
    page = tmp_path / "broken.html"
    page.write_text(
        large.read_text().replace("<main>", "<main><script>window.hacked=4</script><img src=x onerror='hacked=5'>")
    )
    window.open(page)
    assert window.run("return window.hacked") is None
    assert any("Content Security Policy" in message for message in window.messages())


def test_links_to_logs_open_from_where_the_report_lies(window, tmp_path):
    place = Workplace(tmp_path / "with space & #1")
    place.path.mkdir()
    place.benchmark()
    succeeded(place.hpo("benchmark=mine", "method=RS", "experiment_tag=t"))
    page = write_report(place.directory("t"), tmp_path / "moved" / "report.html")
    window.open(page)
    links = window.run("return [...document.querySelectorAll('#table-trials a')].map(a => a.href)")
    assert len(links) == 6
    window.driver.get(next(link for link in links if "stderr" in link))
    assert "stderr.log" in window.driver.current_url
    assert window.run("return document.contentType").startswith("text/")
