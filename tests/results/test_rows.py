"""The rows of results.csv.zip: what the csv module writes of one dictionary per report, however odd the reports are."""

import csv
import io
import zipfile

from hypothesis import given, settings
from hypothesis import strategies as st

from hpo import load_config
from hpo.events.types import Event, Kind
from hpo.results.files import write_results
from hpo.results.rows import columns, report_rows
from hpo.store.directory import ExperimentDirectory

CONFIG = load_config(
    {
        "name": "b",
        "script": "train.py",
        "metric": "loss",
        "mode": "min",
        "resource_attr": "epoch",
        "max_resource_attr": "epochs",
        "arguments": {"epochs": 9, "word": 'a "quoted", text'},
        "config_space": {
            "x": {"type": "float", "lower": 0, "upper": 1},
            "kind": {"type": "choice", "values": ["p", "q"]},
        },
    },
    "RS",
)
NAMES = st.one_of(
    st.sampled_from(["st_worker_time", "trial_id", "st_status", "config_x", "config_epochs", "st_tuner_time", "a,b"]),
    st.text(max_size=4),
)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.integers(), max_size=2)
)
TOLD = st.dictionaries(NAMES, VALUES, max_size=4)
REPORTS = st.lists(st.tuples(st.integers(0, 1), TOLD, TOLD), min_size=1, max_size=8)


def events_of(reports):
    """Two trials, of which the second is paused and goes on after its first report."""
    yield Event(Kind.OPENED, 0.0, 5.0, body={"n_workers": 2})
    for trial, kind in enumerate(["p", "q"]):
        body = {"configuration": {"x": 0.25, "kind": kind}, "until": 3}
        yield Event(Kind.STARTED, 0.5, 5.5, trial, 0, body=body)
    resources, attempts = [0, 0], [0, 0]
    for number, (trial, metrics, extra) in enumerate(reports):
        resources[trial] += 1
        metrics = {**metrics, "loss": 0.1 * number, "epoch": resources[trial]}
        now, first = 1.0 + number / 3, (trial, resources[trial]) == (1, 1)
        body = {"metrics": metrics, "position": 1, "decision": "PAUSE" if first else "CONTINUE", "extra": extra}
        yield Event(Kind.REPORTED, now, 5.0 + now, trial, attempts[trial], resources[trial], body)
        if first:
            attempts[trial] = 1
            yield Event(Kind.ENDED, now, 5.0 + now, trial, 0, 1, {"status": "paused"})
            yield Event(Kind.RESUMED, now, 5.0 + now, trial, 1, body={"until": 9})


@given(REPORTS)
@settings(deadline=None, max_examples=100)
def test_the_table_is_what_the_csv_module_makes_of_the_rows(tmp_path_factory, reports):
    events = list(events_of(reports))
    directory = ExperimentDirectory(tmp_path_factory.mktemp("e"))
    write_results(directory, CONFIG, lambda: events)
    names = columns(CONFIG, events)
    expected = io.StringIO(newline="")
    writer = csv.writer(expected, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([row.get(name, "") for name in names] for row in report_rows(CONFIG, events))
    with zipfile.ZipFile(directory.results) as archive:
        assert archive.read("results.csv") == expected.getvalue().encode("utf-8", "replace")


def test_where_two_parts_of_a_row_have_a_name_the_settings_and_what_callbacks_add_come_first():
    metrics = {"config_x": 9, "st_worker_time": 9, "st_tuner_time": 9, "trial_id": 9, "mine": 9}
    *_, row = report_rows(CONFIG, events_of([(0, metrics, {"mine": 1, "st_decision": "none"})]))
    told = {name: row[name] for name in (*metrics, "st_decision")}
    assert told == {
        "config_x": 0.25,
        "st_worker_time": 0.5,
        "st_tuner_time": 1.0,
        "trial_id": 0,
        "mine": 1,
        "st_decision": "none",
    }


def test_an_attempt_that_was_ordered_while_the_one_before_it_still_ended_begins_when_that_is_over():
    def reported(now, attempt, resource):
        metrics = {"loss": 1.0, "epoch": resource}
        body = {"metrics": metrics, "position": 1, "decision": "PAUSE"}
        return Event(Kind.REPORTED, now, now, 0, attempt, resource, body)

    events = [
        Event(Kind.STARTED, 1.0, 1.0, 0, 0, body={"configuration": {"x": 0.25, "kind": "p"}, "until": 1}),
        reported(2.0, 0, 1),
        Event(Kind.RESUMED, 2.5, 2.5, 0, 1, body={"until": 3}),
        Event(Kind.ENDED, 4.0, 4.0, 0, 0, 1, {"status": "paused"}),
        reported(7.0, 1, 2),
    ]
    rows = list(report_rows(CONFIG, events))
    assert [row["st_worker_time"] for row in rows] == [1.0, 3.0]
    assert [row["st_worker_iter"] for row in rows] == [0, 0]
    assert [row["config_epochs"] for row in rows] == [1, 3]
