"""The hypervolume over time of one experiment, counted again at each moment."""

import numpy as np
import pytest

from hpo.history.follower import Snapshot
from hpo.history.hypervolume_over_time import growth
from hpo.history.live_board import Board
from hpo.history.record import record_of
from hpo.results.hypervolume import front_share
from hpo.watching.frames import experiment_frame
from hpo.watching.progress import summary
from hpo.watching.status import standing
from tests.support import fronts


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    place = tmp_path_factory.mktemp("one")
    return fronts.run(place, fronts.table(place), "MO-ASHA", trials=25)


def test_the_hypervolume_at_each_moment_is_that_of_the_front_so_far(experiment):
    reports = fronts.losses_of(experiment)
    front = fronts.front_by_definition([losses for *_, losses in reports])
    assert [point.losses for point in experiment.state.front] == front
    ideal, worst = np.min(front, axis=0), np.max(front, axis=0)
    reference = (worst + 0.1 * (worst - ideal)).tolist()
    found = growth(experiment)
    assert found.box.reference.tolist() == pytest.approx(reference)
    expected, arrivals, known = [], [], []
    for elapsed, _, _, losses in reports:
        before, known = fronts.front_by_definition(known), [*known, losses]
        if fronts.front_by_definition(known) != before:
            arrivals.append(elapsed)
            expected.append(fronts.volume_by_counting(known, ideal.tolist(), reference))
    assert found.times.tolist() == arrivals
    assert found.shares.tolist() == pytest.approx(expected, abs=1e-10)
    assert [point.elapsed for point in record_of(experiment).arrivals] == arrivals


def test_the_same_share_is_said_wherever_a_front_is_spoken_of(experiment):
    config, state = experiment.config, experiment.state
    share = float(growth(experiment).shares[-1])
    assert front_share(config, state.front) == pytest.approx(share, rel=1e-12)
    said = f"; hypervolume {share:.4f}"
    assert said in repr(experiment)
    assert said in summary(config, state, experiment.directory, "over")
    assert standing(experiment)["hypervolume"] == pytest.approx(share, rel=1e-12)
    board = Board(config).apply_all(experiment.events)
    lines = [
        line.plain
        for line in experiment_frame(Snapshot(board, "complete", "", board.elapsed(running=False)), 200, 40).renderables
    ]
    assert any(line.startswith("front ") and line.endswith(said) for line in lines)
    (head,) = [number for number, line in enumerate(lines) if line.startswith("trial  state")]
    assert lines[head].split() == ["trial", "state", "epoch", "error", "speed", "configuration"]
    newest = lines[head + 1].split()
    _, _, epoch, (error, minus_speed) = [row for row in fronts.losses_of(experiment) if row[1] == int(newest[0])][-1]
    assert newest[2:5] == [str(epoch), f"{error:.5g}", f"{-minus_speed:.5g}"]
