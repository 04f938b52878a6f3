"""What is said of a front, and where: notebook, lines, messages, metrics of a remote console, plans, recordings."""

import math
import re

import pytest

from hpo.cli import recording
from hpo.config.reading import resolve
from hpo.events.state import ExperimentState
from hpo.exporting.grid_table import table_of
from hpo.history.follower import Snapshot
from hpo.history.importance import importance, losses_at_shared_resource
from hpo.history.live_board import Board
from hpo.planning.expectation import simulate_method
from hpo.results.hypervolume import front_share
from hpo.sagemaker.tuning_metrics import TuningMetrics, definitions
from hpo.serve.views import board_view
from hpo.trackers.webhook import Webhook
from hpo.watching.plain_lines import PlainLines
from tests.support import fronts


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    place = tmp_path_factory.mktemp("said")
    return fronts.run(place, fronts.table(place), "MO-ASHA", trials=40)


def told(callback, experiment):
    """What a callback is told of a log."""
    state = ExperimentState(experiment.config.objective)
    callback.on_open(state)
    for event in experiment.events:
        state.apply(event)
        callback.on_event(event)
        yield state


def test_a_notebook_shows_the_front_as_a_table(experiment):
    html = experiment._repr_html_()
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    assert re.findall(r"<th>(.*?)</th>", rows[0]) == ["trial", "status", "error", "speed", "epoch", "configuration"]
    shown = [re.findall(r"<td>(.*?)</td>", row) for row in rows[1:]]
    front = experiment.front
    assert len(shown) <= 10
    step = math.ceil(len(front) / 10)
    expected = [[str(p["trial_id"]), f"{p['error']:.6g}", f"{p['speed']:.6g}", str(p["epoch"])] for p in front[::step]]
    assert [[row[0], row[2], row[3], row[4]] for row in shown] == expected
    assert "<svg" not in html, "no line of one best"


def test_a_remote_console_gets_the_size_of_the_front_and_its_hypervolume(experiment, capsys):
    config = experiment.config
    lines = 0
    for state in told(TuningMetrics(config, "abc"), experiment):
        if out := capsys.readouterr().out:
            lines += 1
            found = {d["Name"]: re.search(d["Regex"], out) for d in definitions(config, "abc")}
            assert int(found["front_size"][1]) == len(state.front)
            assert float(found["hypervolume"][1]) == pytest.approx(front_share(config, state.front), rel=1e-12)
            assert float(found["best_metric_value"][1]) == state.front[0].losses[0]
    assert lines > 5
    assert len(state.front) == len(experiment.front)


def test_lines_and_messages_speak_of_the_front(experiment, capsys, monkeypatch):
    monkeypatch.setattr("hpo.watching.plain_lines.FRONT_EVERY", -1.0)
    *_, state = told(PlainLines(experiment.config), experiment)
    lines = [line for line in capsys.readouterr().out.splitlines() if " front " in line]
    assert lines[-1].endswith(f"; hypervolume {front_share(experiment.config, state.front):.4f}")
    text = Webhook(experiment.config, experiment.directory, "http://localhost/")._message(state, None)["text"]
    assert f"front {len(state.front)} reports" in text


def test_the_live_page_s_board_says_the_front(experiment):
    board = Board(experiment.config).apply_all(experiment.events)
    view = board_view(Snapshot(board, "complete", "", 1.0))
    assert view["front"].startswith(f"{len(experiment.front)} reports (")
    assert view["front"].endswith(f"hypervolume {board.hypervolume:.4f}")


def test_importance_is_that_of_the_objective_that_is_asked_for(experiment):
    for aim, name in enumerate(fronts.TWO):
        trials, losses, resource = losses_at_shared_resource(experiment, aim)
        at = {t: found[aim] for _, t, r, found in fronts.losses_of(experiment) if r == resource}
        assert losses.tolist() == [at[trial] for trial in trials], name
    assert importance(experiment, aim=1).aim == 1


@pytest.mark.parametrize("method", ["MO-ASHA", "NSGA-II"])
def test_a_plan_runs_a_method_of_several_objectives_on_random_losses(experiment, tmp_path, method):
    config = fronts.run(tmp_path, experiment.config.benchmark.table, method, trials=6).config
    expected = simulate_method(resolve(config), None, 2)
    assert expected.trials == 6
    assert expected.reached[fronts.EPOCHS] == (6 if method == "NSGA-II" else pytest.approx(3, abs=3))


def test_a_table_that_is_recorded_of_several_objectives_has_their_front(experiment, tmp_path):
    grid = fronts.run(tmp_path, experiment.config.benchmark.table, "GRID", trials=60)
    recorded = table_of([grid], "again", "a test")
    modes = {"error": "min", "speed": "max"}
    ends = [found for _, _, resource, found in fronts.losses_of(grid) if resource == fronts.EPOCHS]
    assert recorded.front(modes) == [[e, -s] for e, s in fronts.front_by_definition(ends)]
    assert recorded.front(modes) == grid.metadata["table_front"]
    assert f"{len(recorded.front(modes))} of them are on the Pareto front" in recording.best_in_words(
        recorded, grid.config
    )
