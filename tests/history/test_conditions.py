"""The condition of an experiment: the same for the command line, the live page and the report."""

import contextlib
import json
import os
import socket
import time

import pytest

from hpo.config.reading import load_config, to_yaml
from hpo.events.types import Event, Kind
from hpo.history.conditions import condition_of_experiment
from hpo.history.follower import Follower
from hpo.reports import write_report
from hpo.results.experiment import load_experiment
from hpo.serve.feed import Feed
from hpo.serve.views import cut
from hpo.store.directory import ExperimentDirectory
from hpo.store.event_store import Store
from hpo.store.ownership import owned
from hpo.watching.status import standing
from tests.conftest import error_of, succeeded

HERE = socket.gethostname()
SENTENCE = "max_failures=3: so many trials in a row failed"
INTERRUPTED, ERROR = {"status": "interrupted"}, {"status": "interrupted", "error": SENTENCE}
GOES_ON = "its command resumes it"


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "experiment.yaml").write_text(to_yaml(load_config("nasbench201_cifar100", "RS", random_seed=1)))
    return tmp_path


def write(directory, events, metadata):
    with contextlib.closing(Store(directory / "events.db")) as store:
        store.append([Event(kind, 1.0, time.time(), None, None, None, body) for kind, body in events])
    if metadata is not None:
        (directory / "metadata.json").write_text(json.dumps(metadata))


def conditions(directory):
    """What all say that look at an experiment: `hpo watch`, `hpo status`, the live page's board and row, the report.

    Details are cut as the page cuts them.
    """
    follower, feed = Follower(directory), Feed(directory)
    follower.advance()
    while feed.look():
        pass
    views = [json.loads(view) for view in (feed.shown.row, feed.shown.board)]
    experiment = load_experiment(directory)
    found = condition_of_experiment(experiment)
    assert standing(experiment)["state"] == ("interrupted" if found.name == "error" else found.name)
    assert standing(experiment)["error"] == found.error
    page = write_report(directory).read_text()
    assert f" · {found.name}{f': {found.error}' if found.error else ''}, not complete when this report was" in page
    told = {(view["condition"], view["detail"]) for view in views}
    return {(name, cut(detail)) for name, detail in (follower.condition(), (found.name, found.detail), *told)}


@pytest.mark.parametrize(
    ("host", "metadata", "expected"),
    [
        ("elsewhere", {"status": "running"}, ("running", "on elsewhere")),
        ("elsewhere", INTERRUPTED, ("interrupted", GOES_ON)),
        ("elsewhere", ERROR, ("error", f"{SENTENCE}; {GOES_ON}")),
        (HERE, {"status": "running"}, ("interrupted", GOES_ON)),
        (HERE, ERROR, ("error", f"{SENTENCE}; {GOES_ON}")),
        (None, None, ("waiting", "no events here yet")),
        (None, ERROR, ("error", f"{SENTENCE}; {GOES_ON}")),
        (None, {"status": "running", "host": HERE}, ("interrupted", GOES_ON)),
    ],
)
def test_all_that_look_at_an_experiment_see_the_same_condition(directory, host, metadata, expected):
    events = [] if host is None else [(Kind.OPENED, {"host": host, "pid": 1, "n_workers": 2})]
    write(directory, events, metadata)
    assert conditions(directory) == {expected}


def test_a_session_that_works_again_is_running_though_its_files_still_name_the_error_of_the_last(directory):
    write(directory, [(Kind.OPENED, {"host": HERE, "pid": os.getpid(), "n_workers": 2})], ERROR)
    with owned(ExperimentDirectory(directory)):
        assert conditions(directory) == {("running", "")}


@pytest.mark.process
def test_an_error_of_configuration_and_an_end_by_max_failures_are_errors_wherever_they_are_shown(workplace):
    bad = workplace.write("bad.py", "raise SystemExit('no data')\n")
    workplace.benchmark(script=str(bad))
    words = ("benchmark=mine", "method=RS")
    wrong = error_of(workplace.hpo(*words, "experiment_tag=wrong", "+callbacks.x._target_=nowhere.Thing"))
    failed = error_of(workplace.hpo(*words, "experiment_tag=failed"))
    assert "nowhere.Thing" in wrong
    assert "max_failures=3" in failed
    for tag, sentence in (("wrong", "callbacks.x._target_=nowhere.Thing"), ("failed", "max_failures=3")):
        (directory,) = (workplace.path / "outputs" / tag / "mine").glob("*/seed_0")
        ((name, detail),) = conditions(directory)
        assert name == "error"
        assert detail.startswith(sentence)
        assert f"ended by an error: {sentence}" in succeeded(workplace.verb("status", tag))
    assert "1 interrupted (1 ended by an error)" in succeeded(workplace.verb("status"))
