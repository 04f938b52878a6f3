"""Reports: every number in figures and tables is recomputed here from events.db with plain SQL, and must be equal."""

import html
import itertools
import json
import math
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import defaultdict

import numpy as np
import pytest

import hpo
from hpo.analysis import compare
from hpo.config.reading import read_config
from hpo.errors import ConfigError, StoreError
from hpo.figures import method_charts
from hpo.reports import write_report
from hpo.store.event_store import Store
from tests.conftest import Workplace, error_of, succeeded

pytestmark = [pytest.mark.process, pytest.mark.xdist_group("reports")]

METHODS = ("RS", "ASHA", "ASHA-STOP", "HYPERBAND")
SEEDS = 6
METRIC = "val_acc"
"""Of nasbench201_cifar100, whose mode is max, and whose rungs are 1, 3, 9 with a maximum of 27."""


@pytest.fixture(scope="module")
def tag(tmp_path_factory):
    """A tag of 4 methods x 6 seeds over a table; the place where it was run."""
    place = Workplace(tmp_path_factory.mktemp("tag"))
    methods = f"method={','.join(METHODS)}"
    command = ("benchmark=nasbench201_cifar100", methods, f"num_seeds={SEEDS}", "random_seed=1", "experiment_tag=t")
    succeeded(place.verb(*command, "max_wallclock_time=6000"))
    return place.path / "outputs" / "t"


def experiment_of(tag, method, seed=0):
    return tag / "nasbench201_cifar100" / method / f"seed_{seed}"


def sql(directory, query, *values):
    with sqlite3.connect(f"file:{directory / 'events.db'}?mode=ro", uri=True) as database:
        found = database.execute(query, values).fetchall()
    database.close()
    return found


def data_of(page, name):
    """The JSON that a page carries, by name of figure or table."""
    text = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page.read_text(), re.DOTALL)[1]
    return {item["name"]: item for item in json.loads(text)}


def reported(directory):
    """(elapsed, trial, resource, metric, decision) of each report in the order of the log."""
    query = """SELECT elapsed, trial, resource, json_extract(body, ?), json_extract(body, '$.decision') FROM events
               WHERE kind = 'reported' ORDER BY seq"""
    return sql(directory, query, f"$.metrics.{METRIC}")


@pytest.fixture(scope="module", params=METHODS)
def written(request, tag, tmp_path_factory):
    """An experiment of each method: its directory, figures and tables."""
    directory = experiment_of(tag, request.param)
    page = write_report(directory, tmp_path_factory.mktemp("page") / "report.html")
    return directory, data_of(page, "charts"), data_of(page, "tables")


def pieces(series):
    """The curves of a series that has gaps between them: label -> (x, y)."""
    found = defaultdict(list)
    for x, y, label in zip(series["x"], series["y"], series["labels"], strict=True):
        if x is not None:
            found[label].append((x, y))
    return found


def all_series(chart):
    return [series for panel in chart["panels"] for series in panel["series"]]


def by_name(chart, name):
    return next(series for series in all_series(chart) if series["name"] == name)


def test_the_anytime_curve_is_the_running_maximum(written):
    directory, charts, _ = written
    steps, best = [], -math.inf
    for elapsed, _, _, value, _ in reported(directory):
        if value > best:
            best = value
            steps.append((elapsed, value))
    (shown,) = pieces(by_name(charts["anytime"], "best so far")).values()
    assert "minutes" in charts["anytime"]["panels"][0]["x"]["title"]
    end = sql(directory, "SELECT max(elapsed) FROM events")[0][0]
    assert np.array(shown) == pytest.approx(np.array([(t / 60, v) for t, v in [*steps, (end, best)]]))


def test_learning_curves_are_the_reports_coloured_by_outcome(written):
    directory, charts, _ = written
    curves = defaultdict(list)
    for _, trial, resource, value, _ in reported(directory):
        curves[f"trial {trial}"].append((resource, value))
    last = "SELECT trial, json_extract(body, '$.status') FROM events WHERE kind = 'ended' ORDER BY seq"
    status = {f"trial {trial}": state for trial, state in sql(directory, last)}
    status = {trial: {"timeout": "failed"}.get(state, state) for trial, state in status.items()}
    shown = {}
    for series in all_series(charts["curves"]):
        outcome, count = re.fullmatch(r"(\w+) \((\d+)\)", series["name"]).groups()
        assert int(count) == sum(status[trial] == outcome for trial in curves)
        for trial, points in pieces(series).items():
            assert status[trial] == outcome
            shown[trial] = points
    assert shown == curves


def test_the_rung_board_counts_who_got_there_and_who_went_on(written):
    directory, charts, _ = written
    top, sent, paused = defaultdict(int), defaultdict(int), {}
    for _, trial, resource, _, _ in reported(directory):
        top[trial] = max(top[trial], resource)
    query = """SELECT trial, kind, json_extract(body, '$.until'), json_extract(body, '$.status') FROM events
               WHERE trial IS NOT NULL AND kind IN ('started', 'resumed', 'restarted', 'ended') ORDER BY seq"""
    for trial, kind, until, state in sql(directory, query):
        if kind == "ended":
            paused[trial] = state
        else:
            sent[trial] = max(sent[trial], until)
    if directory.parent.name == "RS":
        assert "rungs" not in charts
        return
    names = [text for _, text in charts["rungs"]["panels"][0]["y"]["ticks"]]
    assert {"epoch 1", "epoch 3", "epoch 9"} <= set(names)
    for place, name in enumerate(names):
        level = int(name.removeprefix("epoch "))
        reached = [trial for trial in top if top[trial] >= level]
        on = [t for t in reached if top[t] > level or (sent[t] > level and paused[t] in ("interrupted", "failed"))]
        waiting = [t for t in reached if t not in on and paused[t] == "paused"]
        expected = {"went on": len(on), "waiting": len(waiting), "ended here": len(reached) - len(on) - len(waiting)}
        for part, count in expected.items():
            bars = by_name(charts["rungs"], part)
            assert bars["x"][place] - bars["x0"][place] == count, (name, part)


def attempts_of(directory):
    """(trial, attempt, start, end), with SQL alone: an attempt ends with the first end after its start."""
    query = """SELECT trial, attempt, elapsed, (SELECT min(seq) FROM events e WHERE e.kind = 'ended'
                   AND e.trial = s.trial AND e.seq > s.seq) FROM events s
               WHERE kind IN ('started', 'resumed', 'restarted')"""
    ends = dict(sql(directory, "SELECT seq, elapsed FROM events WHERE kind = 'ended'"))
    return sorted((trial, attempt, start, ends[end]) for trial, attempt, start, end in sql(directory, query))


def test_workers_show_every_attempt_without_overlap_and_their_utilisation(written):
    directory, charts, _ = written
    bars, lanes = [], defaultdict(list)
    for series in all_series(charts["workers"]):
        for start, end, lane, label in zip(series["x0"], series["x"], series["y"], series["labels"], strict=True):
            trial, attempt = re.match(r"trial (\d+), attempt (\d+)", label).groups()
            bars.append((int(trial), int(attempt), start * 60, end * 60))
            lanes[lane].append((start, end))
    expected = attempts_of(directory)
    assert np.array(sorted(bars)) == pytest.approx(np.array(expected))
    workers = read_config(directory / "experiment.yaml").n_workers
    assert set(lanes) == set(range(1, workers + 1))
    for spans in lanes.values():
        spans.sort()
        assert all(a[1] <= b[0] + 1e-9 for a, b in itertools.pairwise(spans))


def test_utilisation_and_headline_are_those_of_the_log(tag):
    directory = experiment_of(tag, "ASHA")
    text = write_report(directory).read_text()
    busy = sum(end - start for _, _, start, end in attempts_of(directory))
    end = sql(directory, "SELECT max(elapsed) FROM events")[0][0]
    hours = f"{busy / 3600:.3g} h of {4 * end / 3600:.3g} h"  # three figures, in a unit that suits them
    assert f"4 workers were busy {busy / (4 * end):.1%} of the time ({hours} in all)" in text
    rows = reported(directory)
    assert f"<dd>{max(row[3] for row in rows):.6g}<small>" in text
    assert f"<dd>{len(rows):,}<small>" in text
    assert f"<dd>{sql(directory, 'SELECT count(DISTINCT trial) FROM events')[0][0]:,}<small>" in text


def test_slices_and_parallel_coordinates_show_the_last_report_of_each_trial(written):
    directory, charts, _ = written
    last = {trial: value for _, trial, _, value, _ in reported(directory)}
    configurations = dict(
        sql(directory, "SELECT trial, json_extract(body, '$.configuration') FROM events WHERE kind='started'")
    )
    space = read_config(directory / "experiment.yaml").benchmark.config_space
    for panel, (name, domain) in zip(charts["slices"]["panels"], space.items(), strict=True):
        shown = {}
        for series in panel["series"]:
            for label, ((x, y),) in pieces(series).items():
                trial = int(re.match(r"trial (\d+)", label)[1])
                value = json.loads(configurations[trial])[name]
                assert label.endswith(f"{name}={value}")
                assert round(x) == domain["values"].index(value)
                shown[trial] = y
        assert shown == last
    low, high = min(last.values()), max(last.values())
    ends = {
        int(re.match(r"trial (\d+)", label)[1]): points[-1][1]
        for series in all_series(charts["parallel"])
        for label, points in pieces(series).items()
    }
    assert ends == pytest.approx({trial: (value - low) / (high - low) for trial, value in last.items()})


def test_the_table_of_trials_is_that_of_the_log(written):
    directory, _, tables = written
    names = [column["name"] for column in tables["trials"]["columns"]]
    rows = [dict(zip(names, row, strict=True)) for row in tables["trials"]["rows"]]
    started = sql(directory, "SELECT trial, json_extract(body, '$.configuration') FROM events WHERE kind='started'")
    assert [row["trial"] for row in rows] == [trial for trial, _ in started]
    spent, count, status = defaultdict(float), defaultdict(int), {}
    for trial, _, start, end in attempts_of(directory):
        spent[trial] += end - start
        count[trial] += 1
    for trial, state in sql(
        directory, "SELECT trial, json_extract(body,'$.status') FROM events WHERE kind='ended' ORDER BY seq"
    ):
        status[trial] = state
    values = defaultdict(list)
    for _, trial, resource, value, _ in reported(directory):
        values[trial].append((resource, value))
    for row, (trial, configuration) in zip(rows, started, strict=True):
        assert {name: row[name] for name in json.loads(configuration)} == json.loads(configuration)
        assert row["status"] == status[trial]
        assert row["attempts"] == count[trial]
        assert row["seconds"] == pytest.approx(spent[trial])
        if values[trial]:
            best = max(value for _, value in values[trial])
            assert (row["epoch"], row[METRIC]) == values[trial][-1]
            assert row[f"best {METRIC}"] == best
            assert row["at epoch"] == next(resource for resource, value in values[trial] if value == best)
        else:
            assert row[METRIC] is None


def test_semi_synthetic_data_are_labelled_in_every_figure_and_in_the_title(written):
    _, charts, _ = written
    assert all(chart["label"] == "semi-synthetic data" for chart in charts.values() if chart["panels"])


@pytest.fixture(scope="module")
def compared(tag):
    page = write_report(tag)
    assert page == tag / "report.html"
    return page, data_of(page, "charts"), data_of(page, "tables")


def steps_of(directory):
    """Improvements of the incumbent, as losses."""
    found, best = [], math.inf
    for elapsed, _, _, value, _ in reported(directory):
        if -value < best:
            best = -value
            found.append((elapsed, best))
    return found


@pytest.fixture(scope="module")
def regret(tag):
    """Normalised regret of (method, seed) at a time, from its definition."""
    optimum = -json.loads((experiment_of(tag, "RS") / "metadata.json").read_text())["table_optimum"]
    bests = []
    for seed in range(SEEDS):
        trials = defaultdict(lambda: math.inf)
        for _, trial, _, value, _ in reported(experiment_of(tag, "RS", seed)):
            trials[trial] = min(trials[trial], -value)
        bests += trials.values()
    reference = float(np.median(bests))
    known = {(m, s): steps_of(experiment_of(tag, m, s)) for m in METHODS for s in range(SEEDS)}

    def at(method, seed, time):
        loss = min((loss for elapsed, loss in known[method, seed] if elapsed <= time), default=math.inf)
        return min(max((loss - optimum) / (reference - optimum), 0.0), 1.0)

    at.times = {key: [elapsed for elapsed, _ in steps] for key, steps in known.items()}
    return at


def middle_half(values):
    ordered = sorted(values)
    cut = len(ordered) // 4
    return sum(ordered[cut : len(ordered) - cut]) / (len(ordered) - 2 * cut)


def test_regret_over_time_is_the_middle_half_of_the_seeds(compared, regret):
    _, charts, _ = compared
    lines = {series["name"]: series for series in all_series(charts["regret-0"]) if series["kind"] == "line"}
    assert set(lines) == set(METHODS)
    for method, series in lines.items():
        points = [(x * 60, y) for x, y in zip(series["x"], series["y"], strict=True) if x is not None]
        assert points[0][0] == pytest.approx(600)
        assert points[-1][0] == pytest.approx(6000)
        for time, shown in points[1:-1:7]:
            assert shown == pytest.approx(middle_half([regret(method, s, time) for s in range(SEEDS)])), (method, time)
    bands = {series["name"]: series for series in all_series(charts["regret-0"]) if series["kind"] == "band"}
    for name, band in bands.items():
        inside = dict(zip(lines[name]["x"], lines[name]["y"], strict=True))
        limits = zip(band["x"], band["bottom"], band["top"], strict=True)
        assert all(low - 1e-12 <= inside[x] <= high + 1e-12 for x, low, high in limits)


def test_ranks_over_time_are_means_over_seeds(compared, regret):
    _, charts, _ = compared
    lines = {series["name"]: series for series in all_series(charts["ranks-0"])}
    times = [x * 60 for x in lines["RS"]["x"] if x is not None]
    for place in range(1, len(times) - 1, 9):
        ranks = defaultdict(list)
        for seed in range(SEEDS):
            values = {method: regret(method, seed, times[place]) for method in METHODS}
            if len(set(values.values())) < len(values) and 1.0 in values.values():
                break  # cut regrets tie where losses do not
            for method, value in values.items():
                better = sum(other < value for other in values.values())
                ranks[method].append(better + (sum(other == value for other in values.values()) + 1) / 2)
        else:
            for method in METHODS:
                assert lines[method]["y"][place] == pytest.approx(np.mean(ranks[method]))


def test_the_score_of_each_seed_is_the_mean_over_log_time(compared, regret):
    _, charts, _ = compared
    points = [series for series in all_series(charts["seeds-0"]) if series["kind"] == "points"]
    shown = {label: y for series in points for label, y in zip(series["labels"], series["y"], strict=True)}
    for method in METHODS:
        for seed in range(SEEDS):
            edges = [600.0, *(t for t in regret.times[method, seed] if 600 < t < 6000), 6000.0]
            parts = [(math.log(b) - math.log(a)) * regret(method, seed, a) for a, b in itertools.pairwise(edges)]
            assert shown[f"{method}, seed {seed}"] == pytest.approx(sum(parts) / math.log(10))


def test_paired_differences_are_those_of_the_scores_shown(compared):
    _, charts, tables = compared
    points = [series for series in all_series(charts["seeds-0"]) if series["kind"] == "points"]
    score = {label: y for series in points for label, y in zip(series["labels"], series["y"], strict=True)}
    names = [column["name"] for column in tables["pairs"]["columns"]]
    rows = [dict(zip(names, row, strict=True)) for row in tables["pairs"]["rows"]]
    drawn = {
        label.partition(":")[0]: x
        for s in all_series(charts["differences"])
        for label, x in zip(s["labels"], s["x"], strict=True)
    }
    anytime = [row for row in rows if row["score"] == "anytime"]
    assert len(anytime) == 6
    for row in anytime:
        pairs = [score[f"{row['first']}, seed {s}"] - score[f"{row['second']}, seed {s}"] for s in range(SEEDS)]
        assert row["difference"] == pytest.approx(middle_half(pairs))
        assert drawn[f"{row['first']} − {row['second']}"] == row["difference"]
        better = sum(1.0 if d < 0 else 0.5 if d == 0 else 0.0 for d in pairs) / SEEDS
        assert row["P(first)"] == pytest.approx(better)


def test_the_table_of_experiments_and_their_curves_are_those_of_the_logs(compared, tag):
    page, charts, tables = compared
    names = [column["name"] for column in tables["experiments"]["columns"]]
    rows = [dict(zip(names, row, strict=True)) for row in tables["experiments"]["rows"]]
    assert len(rows) == len(METHODS) * SEEDS
    thin = [series for series in all_series(charts["runs-0"]) if series.get("context")]
    curves = {key: value for series in thin for key, value in pieces(series).items()}
    for row in rows:
        directory = experiment_of(tag, row["method"], row["seed"])
        values = reported(directory)
        assert row["best"] == max(value[3] for value in values)
        assert row["reports"] == len(values)
        assert row["trials"] == sql(directory, "SELECT count(*) FROM events WHERE kind = 'started'")[0][0]
        assert row["seconds"] == pytest.approx(sql(directory, "SELECT max(elapsed) FROM events")[0][0])
        ((_, target),) = row["open"]
        assert (page.parent / target).exists()
        steps = [(elapsed / 60, -loss) for elapsed, loss in steps_of(directory)]
        assert curves[f"{row['method']}, seed {row['seed']}"][:-1] == [
            (pytest.approx(time), value) for time, value in steps
        ]


def test_of_many_experiments_the_median_and_the_middle_half_of_each_method_stand_out(compared, tag):
    _, charts, _ = compared
    series = all_series(charts["runs-0"])
    assert len(METHODS) * SEEDS > method_charts.MANY_RUNS
    for method in METHODS:
        steps = [steps_of(experiment_of(tag, method, seed)) for seed in range(SEEDS)]
        middle = next(s for s in series if s["name"] == method and s["kind"] == "line" and not s.get("context"))
        band = next(s for s in series if s["name"] == method and s["kind"] == "band")
        points = [(x, y) for x, y in zip(middle["x"], middle["y"], strict=True) if x is not None]
        assert points[0][0] * 60 == pytest.approx(max(found[0][0] for found in steps)), "from when all have a result"
        for (x, y), low, high in zip(points, band["bottom"], band["top"], strict=True):
            best = [-loss_at(found, x * 60 + 1e-6) for found in steps]
            assert (low, y, high) == pytest.approx(tuple(np.percentile(best, (25, 50, 75))))


def loss_at(steps, time):
    """The incumbent's loss at a time."""
    return [loss for elapsed, loss in steps if elapsed <= time][-1]


def test_a_tag_shows_the_verdict_and_labels_its_data(compared, tag):
    page, charts, _ = compared
    text = page.read_text()
    for sentence in hpo.analysis.compare(tag).sentences:
        assert sentence.replace("'", "&#x27;") in text
    assert all(chart["label"] == "semi-synthetic data" for chart in charts.values())
    assert "24 experiments · semi-synthetic data" in text


def test_a_page_says_the_day_from_what_is_stored(tag, tmp_path):
    folder = tmp_path / "t"
    shutil.copytree(tag / "nasbench201_cifar100" / "RS", folder)
    times = {"seed_0": (1767225540, 1767225660), "seed_1": (1767225600, 1767229200)}
    for seed in range(SEEDS):
        path = folder / f"seed_{seed}" / "metadata.json"
        began, ended = times.get(f"seed_{seed}", times["seed_1"])
        stored = json.loads(path.read_text())
        path.write_text(json.dumps({**stored, "st_tuner_creation_timestamp": began, "st_tuner_end_timestamp": ended}))
    shown = {place: write_report(folder / place).read_text() for place in ("seed_0", "seed_1", "")}
    assert "2025-12-31 23:59 to 2026-01-01 00:01 UTC" in shown["seed_0"]
    assert "2026-01-01 00:00 to 01:00 UTC" in shown["seed_1"]
    assert "2025-12-31 23:59 to 2026-01-01 01:00 UTC" in shown[""]


def test_seeds_are_in_the_order_of_numbers(tag, tmp_path):
    folder = tmp_path / "t"
    for seed in (0, 1, 2, 10, 11):
        shutil.copytree(experiment_of(tag, "RS", min(seed, 3)), folder / "RS" / f"seed_{seed}")
        path = folder / "RS" / f"seed_{seed}" / "experiment.yaml"
        path.write_text(re.sub(r"^seed: \d+$", f"seed: {seed}", path.read_text(), flags=re.MULTILINE))
    table = data_of(write_report(folder), "tables")["experiments"]
    column = [column["name"] for column in table["columns"]].index("seed")
    assert [row[column] for row in table["rows"]] == [0, 1, 2, 10, 11]


def test_a_page_is_one_file_that_asks_for_nothing(compared, tag):
    for page in (compared[0], write_report(experiment_of(tag, "ASHA"))):
        text = page.read_text()
        assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", text)
        assert not re.search(r"@import|url\((?!#)", text)
        assert "default-src 'none'" in text


@pytest.mark.parametrize("events", [1, 2, 5, 12, 30, 200])
def test_an_experiment_has_a_report_at_every_moment(tag, tmp_path, events):
    """As after so many events: a reader beside a running tuner sees a prefix of the log."""
    directory = tmp_path / "e"
    shutil.copytree(experiment_of(tag, "ASHA"), directory)
    with sqlite3.connect(directory / "events.db") as database:
        database.execute("DELETE FROM events WHERE seq > ?", (events,))
    database.close()
    page = write_report(directory)
    assert "not complete when this report was written" in page.read_text()
    tables, charts = data_of(page, "tables"), data_of(page, "charts")
    count = sql(directory, "SELECT count(*) FROM events WHERE kind = 'started'")[0][0]
    assert len(tables["trials"]["rows"]) == count
    running = {row[0] for row in tables["trials"]["rows"] if row[1] == "running"}
    if running:
        bars = by_name(charts["workers"], "running")
        assert {int(re.match(r"trial (\d+)", label)[1]) for label in bars["labels"]} == running


def test_numbers_that_are_not_finite_leave_gaps_and_every_kind_of_hyperparameter_is_drawn(workplace):
    workplace.write(
        "diverge.py",
        "import sys\nfrom hpo import report\nlarge = 'act=tanh' in ' '.join(sys.argv)\n"
        "for epoch in (1, 2, 3):\n    report(epoch=epoch, loss=float('nan') if large and epoch > 1 else 1 / epoch)\n",
    )
    space = {
        "lr": {"type": "float", "lower": 1e-4, "upper": 1.0, "log": True},
        "momentum": {"type": "float", "lower": 0.5, "upper": 0.999, "reverse_log": True},
        "layers": {"type": "int", "lower": 1, "upper": 4},
        "act": {"type": "choice", "values": ["relu", "tanh"]},
        "on": {"type": "choice", "values": [True, False]},
    }
    points = [{"act": act, "lr": lr} for act in ("relu", "tanh") for lr in (1e-3, 1e-2)]
    workplace.benchmark(
        "mixed",
        script=str(workplace.path / "diverge.py"),
        config_space=space,
        points_to_evaluate=points,
        max_num_trials=4,
    )
    succeeded(workplace.hpo("benchmark=mixed", "method=RS", "experiment_tag=m"))
    page = write_report(workplace.directory("m", benchmark="mixed"))
    charts, tables = data_of(page, "charts"), data_of(page, "tables")
    assert not re.search("True|False", page.read_text()), "truth values are spelled as in YAML"
    names = [column["name"] for column in tables["trials"]["columns"]]
    rows = [dict(zip(names, row, strict=True)) for row in tables["trials"]["rows"]]
    assert {row["act"]: (row["loss"], row["best loss"], row["at epoch"]) for row in rows} == {
        "relu": (pytest.approx(1 / 3), pytest.approx(1 / 3), 3),
        "tanh": (None, 1, 1),
    }
    curves = {label: ys for s in all_series(charts["curves"]) for label, ys in pieces(s).items()}
    assert [curves[f"trial {i}"] for i in (2, 3)] == [[(1, 1), (2, None), (3, None)]] * 2
    assert [panel["x"].get("log", False) for panel in charts["slices"]["panels"]] == [True, False, False, False, False]
    assert len(charts["slices"]["panels"][0]["series"][0]["x"]) == 8  # four trials, a gap after each
    assert {label.split(":")[0] for s in all_series(charts["parallel"]) for label in pieces(s)} == {
        "trial 0",
        "trial 1",
    }


def test_an_experiment_with_one_report_per_trial_has_neither_curves_nor_rungs(workplace):
    workplace.write("once.py", "from hpo import report\nreport(epoch=1, loss=0.5)\n")
    workplace.benchmark("once", script=str(workplace.path / "once.py"), arguments={"epochs": 1}, max_num_trials=3)
    succeeded(workplace.hpo("benchmark=once", "method=RS", "experiment_tag=o"))
    page = write_report(workplace.directory("o", benchmark="once"))
    assert set(data_of(page, "charts")) == {"anytime", "importance", "workers", "parallel", "slices"}
    assert not re.search("<h3>(Rungs|Learning curves)", page.read_text())


def test_what_is_thinned_says_so_and_keeps_first_and_last(tag, monkeypatch, tmp_path):
    from hpo.figures import experiment_charts, space_charts

    monkeypatch.setattr(experiment_charts, "MOST_POINTS", 80)
    monkeypatch.setattr(space_charts, "MOST_LINES", 4)
    monkeypatch.setattr(space_charts, "MOST_POINTS", 4)
    directory = experiment_of(tag, "RS")
    page = write_report(directory, tmp_path / "r.html")
    charts = data_of(page, "charts")
    rows = defaultdict(list)
    for _, trial, resource, value, _ in reported(directory):
        rows[f"trial {trial}"].append((resource, value))
    curves = {label: points for s in all_series(charts["curves"]) for label, points in pieces(s).items()}
    assert sum(map(len, curves.values())) <= 80 < sum(map(len, rows.values()))
    for label, points in curves.items():
        assert points[0] == rows[label][0]
        assert points[-1] == rows[label][-1]
        assert set(points) <= set(rows[label])
    lines = {label for s in all_series(charts["parallel"]) for label in pieces(s)}
    best = max(rows, key=lambda trial: rows[trial][-1][1])
    assert len(lines) == 4
    assert any(label.startswith(f"{best}:") for label in lines)
    text = page.read_text()
    total = sum(map(len, rows.values()))
    assert f"Thinned: of {total:,} reports each curve shows at most" in text
    assert f"Thinned: 4 of {len(rows)} trials, evenly spaced by rank" in text
    assert f"Thinned: 4 of {len(rows)} trials, evenly spaced by number" in text


def test_failures_show_their_stderr_and_logs_are_linked(workplace):
    workplace.write("fail.py", "import sys\nsys.exit('the disk of node <7> & co is full')\n")
    workplace.benchmark("failing", script=str(workplace.path / "fail.py"), max_num_trials=2)
    succeeded(workplace.hpo("benchmark=mine", "method=RS", "experiment_tag=t"))
    failed = workplace.hpo("benchmark=failing", "method=RS", "experiment_tag=f", "max_failures=5")
    assert failed.returncode in (0, 1)
    page = workplace.directory("f", benchmark="failing") / "report.html"
    assert str(page.relative_to(workplace.path)) in succeeded(workplace.verb("report", str(page.parent)))
    text = page.read_text()
    assert text.count("the disk of node &lt;7&gt; &amp; co is full") == 4  # two trials, summary and text
    assert "Failures (2)" in text
    out = succeeded(workplace.verb("report", "t", "--output", "elsewhere/r.html"))
    assert "elsewhere/r.html" in out
    table = data_of(workplace.path / "elsewhere" / "r.html", "tables")["trials"]
    logs = [column["name"] for column in table["columns"]].index("logs")
    links = [target for row in table["rows"] for _, target in row[logs]]
    assert len(links) == 6
    assert all((workplace.path / "elsewhere" / link).is_file() for link in links)
    assert not any(link.startswith("/") for link in links)


def test_what_was_trained_again_is_said_by_the_run_its_summary_and_its_report(workplace):
    script = "import sys\nimport hpo\nfor epoch in range(1, int(sys.argv[-1].split('=')[1]) + 1):\n"
    script += "    hpo.report(epoch=epoch, loss=epoch)\n"
    workplace.benchmark(script=str(workplace.write("train.py", script)), arguments={"epochs": 9})
    done = workplace.hpo("benchmark=mine", "method=ASHA", "experiment_tag=t", "max_num_trials=6")
    assert succeeded(done)
    assert done.stderr.count("starts over") == 1
    assert 'method="ASHA-STOP"' in done.stderr
    directory = workplace.directory("t", method="ASHA")
    highest, again = {}, 0
    for kind, trial, resource in sql(directory, "SELECT kind, trial, resource FROM events ORDER BY seq"):
        if kind == "reported":
            highest[trial] = resource
        elif kind == "resumed":
            again += highest[trial]
    total = sum(highest.values()) + again
    text = f"{again} of {total} epochs ({again / total:.0%}) were trained before: promoted trials did not resume where they"
    assert again > 0
    assert f"  again    {text} were\n" in done.stdout
    assert text in write_report(directory, workplace.path / "report.html").read_text()


def test_one_method_over_seeds_is_reported_without_a_comparison(tag, tmp_path):
    folder = tmp_path / "outputs" / "half"
    shutil.copytree(tag / "nasbench201_cifar100" / "RS", folder / "nasbench201_cifar100" / "RS")
    page = write_report(folder)
    assert "Methods are not compared: only RS to compare" in page.read_text()
    assert len(data_of(page, "tables")["experiments"]["rows"]) == SEEDS


def test_a_tag_is_compared_by_the_score_and_up_to_the_time_that_are_asked_for(tag, tmp_path):
    keys = {"score": "final", "metric_budget": (None, 2000.0), "baseline": "ASHA"}
    page = write_report(tag, tmp_path / "r.html", **keys).read_text()
    asked, usual = compare(tag, **keys), compare(tag)
    assert asked.sentences != usual.sentences
    assert all(html.escape(sentence) in page for sentence in asked.sentences)


def test_a_report_of_a_tag_reads_each_experiment_once(tag, tmp_path, monkeypatch):
    opened = []

    def counting(path, **keys):
        opened.append(path)
        return Store(path, **keys)

    monkeypatch.setattr("hpo.analysis.loading.Store", counting)
    write_report(tag, tmp_path / "r.html")
    assert len(opened) == len(set(opened)) == len(METHODS) * SEEDS


def test_a_report_needs_neither_matplotlib_nor_plotly(tag, tmp_path):
    code = (
        "import sys\nfor name in ('matplotlib', 'plotly', 'sklearn'): sys.modules[name] = None\n"
        f"from hpo.reports import write_report\nwrite_report({str(tag)!r}, {str(tmp_path / 'r.html')!r})\n"
        f"write_report({str(experiment_of(tag, 'RS'))!r}, {str(tmp_path / 'e.html')!r})"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / "r.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "nothing: there is no experiment in that directory, and no tag of that name under outputs/"),
        (("l", "--output", "."), "--output .: this is a directory; name a file in it, such as report.html"),
        (("l", "--baseline", "BO"), "baseline=BO: the methods here are ASHA, RS; choose one of them"),
        (("l", "--score", "speed"), "score=speed: use anytime or final"),
        (("l", "--metric-budget", "1:.01"), "metric_budget=1:0.01: begin above 0 and below the end (longer)"),
        (("l", "--metric-budget", "x"), "--metric-budget x: use seconds, such as 60, or 6:60 for a start and an end"),
    ],
)
def test_what_cannot_be_reported_is_said_in_one_sentence(complete, arguments, message):
    assert error_of(complete.verb("report", *arguments)) == message


def test_an_output_that_cannot_be_written_is_an_error(tag, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"--output .*: cannot be written \("):
        write_report(tag, tmp_path / "file" / "report.html")
    with pytest.raises(StoreError, match="there is no experiment"):
        write_report(tmp_path)
