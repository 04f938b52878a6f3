"""One source: figures and tables of a page are those of the report, number by number, also when followed event by event."""

import json
import re
import time

import pytest

from hpo.events.types import Kind
from hpo.reports import write_report
from hpo.results.experiment import load_experiment
from hpo.serve import answers
from hpo.serve.answers import Figures, trial_body, trials_body
from hpo.serve.comparing import Comparisons
from hpo.serve.feed import Feed
from hpo.serve.wire import encoded
from tests.support import fronts

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("answers")]


def of_page(page, name):
    text = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page.read_text(), re.DOTALL)[1]
    return {item["name"]: item for item in json.loads(text)}


def read(directory):
    feed = Feed(directory)
    while feed.look():
        pass
    return feed


def plain(content):
    return json.loads(encoded(content))


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """A tag of two experiments with three objectives and a constraint."""
    folder = tmp_path_factory.mktemp("several")
    made = fronts.table(folder)
    bound = {"speed": {"lower": 4.0}}
    for method in ("RS", "MO-ASHA"):
        fronts.run(folder / "outputs", made, method, objectives=fronts.THREE, trials=40, constraints=bound)
    return folder / "outputs" / "t"


@pytest.fixture(params=["t/nasbench201_cifar100/ASHA/seed_1", "real/mine/RS/seed_0", "several"])
def directory(request, place):
    if request.param == "several":
        return request.getfixturevalue("several") / "fronts" / "MO-ASHA" / "seed_0"
    return place.path / "outputs" / request.param


def test_a_page_s_figures_are_those_of_the_report(directory, tmp_path):
    report = of_page(write_report(directory, tmp_path / "report.html"), "charts")
    figures = Figures(read(directory))
    found = [chart for group in answers.GROUPS for chart in json.loads(figures.body(group))["charts"]]
    of_progress, of_each = {"anytime"}, {"importance", "slices"}
    if load_experiment(directory).state.objective.aims:
        of_progress, of_each = (
            {"front", "hypervolume"},
            of_each | {"importance-1", "importance-2", "slices-1", "slices-2"},
        )
    shared = {"curves", "rungs", "workers", "parallel"}
    assert {chart["name"] for chart in found} == shared | of_progress | of_each
    for chart in found:
        if chart["needless"]:
            assert chart["name"] not in report
        else:
            assert {key: chart[key] for key in report[chart["name"]]} == report[chart["name"]]


def test_followed_event_by_event_the_figures_are_the_same(directory, story):
    """The log is written again under a page's eyes, so that nothing is folded at once."""
    experiment = load_experiment(directory)
    target = story.directory
    story.close()
    for file in target.glob("events.db*"):
        file.unlink()
    (target / "experiment.yaml").write_bytes((directory / "experiment.yaml").read_bytes())
    (target / "metadata.json").write_bytes((directory / "metadata.json").read_bytes())
    from hpo.store.event_store import Store

    feed = Feed(target)
    store = Store(target / "events.db")
    size = max(len(experiment.events) // 7, 1)
    for begin in range(0, len(experiment.events), size):
        store.append(experiment.events[begin : begin + size])
        while feed.look():
            pass
        Figures(feed).body("main")
    store.close()
    whole, followed = Figures(read(directory)), Figures(feed)
    for group in answers.GROUPS:
        assert json.loads(followed.body(group))["charts"] == json.loads(whole.body(group))["charts"]


def test_a_table_s_rows_are_those_of_the_report_in_any_order_it_is_asked_for(directory, tmp_path):
    report = of_page(write_report(directory, tmp_path / "report.html"), "tables")["trials"]
    kept = [i for i, column in enumerate(report["columns"]) if not column["links"]]
    expected = [[row[i] for i in kept] for row in report["rows"]]
    feed = read(directory)

    def ask(**keys):
        rows, page = [], 0
        while True:
            found = json.loads(trials_body(feed, **{"sort": "trial", "down": False, "words": "", **keys}, page=page))
            rows += found["rows"]
            page += 1
            if page >= found["pages"]:
                return found, rows

    found, rows = ask()
    assert [column["name"] for column in found["columns"]] == [report["columns"][i]["name"] for i in kept]
    assert rows == expected
    best = [column["key"] for column in found["columns"]].index("best")
    for down in (False, True):
        values = [row[best] for row in ask(sort="best", down=down)[1]]
        known = [value for value in values if value is not None]
        assert values == [*sorted(known, reverse=down), *[None] * (len(values) - len(known))]
    keys = [column["key"] for column in found["columns"]]
    at = next(i for i, key in enumerate(keys) if key.startswith("x."))
    assert keys[8:at] == (["o.speed", "o.size"] if at > 8 else [])
    for i in range(8, at + 1):
        values = [row[i] for row in expected if row[i] is not None]
        found_values = [row[i] for row in ask(sort=keys[i])[1] if row[i] is not None]
        assert found_values == sorted(values, key=lambda v: (isinstance(v, str), v))
    assert {row[1] for row in ask(words=expected[0][1])[1]} == {expected[0][1]}
    assert ask(words="no-such-word")[0]["found"] == 0
    assert ask(sort="no such column")[1] == expected


def test_figures_are_made_anew_when_something_came_but_not_at_each_question(story, monkeypatch):
    feed = Feed(story.directory)
    story.start(0)
    story.report(0, 1, 50.0)
    feed.look()
    figures = Figures(feed)
    first = figures.body("main")
    assert figures.body("main") is first
    story.report(0, 2, 51.0)
    feed.look()
    assert figures.body("main") is first, "the page draws what is new by itself meanwhile"
    later = time.monotonic() + 3600
    monkeypatch.setattr(answers.time, "monotonic", lambda: later)
    assert json.loads(figures.body("main"))["sequence"] == 4


def test_an_experiment_that_is_over_is_shown_as_it_ended_at_once(story):
    feed = Feed(story.directory)
    story.start(0)
    story.report(0, 1, 50.0)
    feed.look()
    figures = Figures(feed)
    figures.body("main")
    story.end(0)
    story.finish()
    feed.look()
    assert json.loads(figures.body("main"))["sequence"] == 5


def test_one_trial_has_its_reports_attempts_and_the_command_that_trains_it_again(place):
    directory = place.path / "outputs" / "real" / "mine" / "RS" / "seed_0"
    found = json.loads(trial_body(read(directory), 1))
    experiment = load_experiment(directory)
    own = experiment.reports[experiment.reports.trial_id == 1]
    assert found["curve"] == {"x": own.epoch.tolist(), "y": own.loss.tolist()}
    assert found["configuration"] == dict(experiment.state.trials[1].trial.configuration)
    assert found["best_trial"] == experiment.best["trial_id"]
    (attempt,) = found["attempts"]
    assert attempt["logs"] == {
        name: (directory / f"trials/1/attempt_0/{name}.log").stat().st_size for name in ("stdout", "stderr")
    }
    assert found["command"] == f"hpo reproduce {directory} --trial 1"
    assert trial_body(read(directory), 99) is None


def test_an_attempt_says_where_it_runs_or_ran(story):
    story.start(0)
    story.start(1)
    story.say(Kind.NOTED, 0, body={"text": "at work", "node": "machine-7"})

    def nodes(trial):
        return [one["node"] for one in json.loads(trial_body(read(story.directory), trial))["attempts"]]

    assert (nodes(0), nodes(1)) == (["machine-7"], [None])
    story.end(0)
    assert nodes(0) == ["machine-7"]


@pytest.mark.parametrize("tag", ["t", "several"])
def test_a_tag_s_page_says_what_its_report_says(place, tmp_path, request, tag):
    folder = request.getfixturevalue("several") if tag == "several" else place.path / "outputs" / tag
    page = write_report(folder, tmp_path / "report.html")
    found = json.loads(Comparisons().body(folder, ("1",)))
    charts, tables = of_page(page, "charts"), of_page(page, "tables")
    for part in found["parts"]:
        if "chart" in part:
            assert {key: part["chart"][key] for key in charts[part["chart"]["name"]]} == charts[part["chart"]["name"]]
        else:
            assert part["table"] == tables[part["table"]["name"]]
    assert {part["chart"]["name"] for part in found["parts"] if "chart" in part} == set(charts)
    assert found["verdict"]
    assert all(sentence.partition("<")[0][:60] in page.read_text() for sentence in found["verdict"])


def test_one_trial_has_all_objectives_of_its_last_report(several):
    directory = several / "fronts" / "RS" / "seed_0"
    _, trial, _, (error, minus_speed, size) = fronts.losses_of(load_experiment(directory), fronts.THREE)[-1]
    found = json.loads(trial_body(read(directory), trial))
    assert (found["metric"], found["value"]) == ("error", error)
    assert found["further"] == f"speed={-minus_speed:.6g} size={size:.6g}"


def test_a_tag_that_cannot_be_compared_says_why(story):
    story.start(0)
    story.report(0, 1, 50.0)
    found = json.loads(Comparisons().body(story.directory.parents[2], ("1",)))
    assert found["verdict"] == []
    assert found["sentence"].startswith("Methods are not compared: ")
    assert [part["chart"]["name"] for part in found["parts"]] == ["runs-0"]
