"""Which configurations are trained again: compared with a literal reading of the rule."""

import math

import numpy as np

from hpo.space.search_space import parse_space
from hpo.warm_start.best_configurations import best_points
from hpo.warm_start.matching import MatchedResult, MatchedSource, match_results
from tests.warm_start.making import earlier, new


def apart(one, other):
    """By definition: the larger of the two distances on the scales of lr (three decades) and layers (1 to 4)."""
    lr = abs(math.log10(one["lr"]) - math.log10(other["lr"])) / 3
    return max(lr, abs(one["layers"] - other["layers"]) / 4)  # each whole number owns a quarter


def by_hand(sources, count):
    """Round robin, with lists that are searched from their beginning each time."""
    taken, left = [], [sorted(rows, key=lambda row: (-row[1], row[2])) for rows in sources]
    left = [[row for row in rows if math.isfinite(row[2])] for rows in left]
    while any(left) and len(taken) < count:
        for rows in left:
            while rows and len(taken) < count:
                row = rows.pop(0)
                if all(apart(row[0], other) >= 0.1 for other in taken):
                    taken.append(row[0])
                    break
    return taken


def test_round_robin_equals_the_rule_applied_by_hand():
    rng = np.random.default_rng(1)
    for _ in range(50):
        sources = []
        for _ in range(rng.integers(1, 5)):
            rows = []
            for _ in range(rng.integers(0, 9)):
                configuration = {"lr": float(10 ** rng.uniform(-4, -1)), "layers": int(rng.integers(1, 5))}
                loss = float(rng.choice([rng.random(), math.nan], p=[0.8, 0.2]))
                rows.append((configuration, int(rng.choice([1, 3, 9])), math.inf if math.isnan(loss) else loss))
            sources.append(rows)
        if not any(sources):
            continue
        experiments = [earlier(*rows, source=f"s{number}") for number, rows in enumerate(sources)]
        config = new()
        for count in (1, 5, 40):
            assert best_points(match_results(experiments, config), config.space, count) == by_hand(sources, count)


def test_of_a_trial_the_furthest_result_counts_and_of_two_experiments_of_a_source_the_share_of_a_full_training():
    rows = [({"lr": 1e-4, "layers": 1}, 9, 0.5), ({"lr": 1e-1, "layers": 4}, 9, 0.1)]
    short = earlier(rows[0], max_resource=9)
    longer = earlier(rows[1], max_resource=27)
    config = new()
    assert best_points(match_results([longer, short], config), config.space) == [rows[0][0], rows[1][0]]


def test_of_several_objectives_those_come_first_that_spread_over_the_front():
    losses = [(1.0, 9.0), (2.0, 8.5), (5.0, 5.0), (9.0, 1.0), (6.0, 6.0), (0.5, math.inf)]
    fits = [
        MatchedResult(
            (0, number), {"x": number / 10}, 9, pair[0], 1.0, True, pair
        )  # far from each other, one not on the front
        for number, pair in enumerate(losses)
    ]
    source = MatchedSource("s", len(fits), fits)
    space = parse_space({"x": {"type": "float", "lower": 0.0, "upper": 0.5}})
    found = [round(point["x"] * 10) for point in best_points([source], space)]
    assert found == [0, 3, 2, 1, 4]
