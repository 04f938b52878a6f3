"""What a notebook shows of an experiment: nothing that runs or styles, little, and the ten best trials."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo.events.objective import Objective
from hpo.events.state import ExperimentState
from hpo.events.types import Decision, Event, Kind
from hpo.results.notebook import as_html

OBJECTIVE = Objective("accuracy", "max", "epoch")


class Page(HTMLParser):
    """Tags, and the rows of the table."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])

    def handle_data(self, data):
        self.texts.append(data)
        if self.rows and self.tags[-1] in ("td", "th"):
            self.rows[-1].append(data)


def experiment(values, configuration):
    """One trial for each list of values, which it reports in turn, a second each."""
    events, now = [], 0.0
    for trial, reports in enumerate(values):
        body = {"configuration": configuration(trial), "until": None}
        events.append(Event(Kind.STARTED, now, now, trial, 0, None, body))
        for epoch, value in enumerate(reports, 1):
            now += 1.0
            body = {"metrics": {"accuracy": value, "epoch": epoch}, "decision": Decision.CONTINUE, "position": epoch}
            events.append(Event(Kind.REPORTED, now, now, trial, 0, epoch, body))
    return ExperimentState(OBJECTIVE).apply_all(events), events


def test_the_ten_best_trials_stand_in_order_each_with_its_best_report():
    values = [[0.1 * ((7 * trial) % 12), 0.05 * ((7 * trial) % 12)] for trial in range(12)]
    state, events = experiment(values, lambda trial: {"x": trial})
    header, *rows = Page(as_html("headline", state, events)).rows
    assert header == ["trial", "status", "accuracy", "epoch", "configuration"]
    expected = sorted(range(12), key=lambda trial: -values[trial][0])[:10]
    assert [int(row[0]) for row in rows] == expected
    assert [float(row[2]) for row in rows] == [round(values[trial][0], 6) for trial in expected]
    assert all(row[3] == "1" for row in rows)


def test_the_line_goes_down_to_the_last_improvement():
    state, events = experiment([[0.2, 0.4], [0.3, 0.8], [0.7]], lambda _: {})
    path = re.search(r' d="([^"]+)"', as_html("", state, events))[1]
    # A step at 1, 2 and 4 of 5 seconds; heights between .2 (140) and .8 (0).
    assert path == "M96.0,140.0H192.0V93.3H384.0V0.0H480"


def test_before_the_first_result_there_is_the_headline_alone():
    state, events = experiment([[float("nan")], []], lambda _: {})
    assert as_html("a\nb", state, events) == "<div><pre>a\nb</pre></div>"


@given(text=st.text(max_size=40), value=st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_text_stays_text(text, value):
    hostile = f"<script>alert(1)</script><style>{text}"
    state, events = experiment([[value]], lambda _: {hostile: hostile})
    page = Page(as_html(hostile, state, events))
    assert not {"script", "style", "link", "img"} & set(page.tags)
    assert any("<script>alert(1)</script>" in said for said in page.texts)


@pytest.mark.long
def test_a_large_experiment_is_shown_in_twenty_kilobytes():
    values = [[(trial + 1) / 5000] for trial in range(5000)]  # each is better than the last
    state, events = experiment(values, lambda _: {f"parameter_{n}": "long text & more" * 5 for n in range(40)})
    assert len(as_html("headline " * 1000, state, events).encode()) <= 20_000
