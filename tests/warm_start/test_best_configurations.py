"""Which configurations are trained again: compared with a literal reading of the rule."""

import math

import numpy as np

from hpo.space.search_space import parse_space
from hpo.warm_start.best_configurations import best_points, box_of
from hpo.warm_start.matching import MatchedResult, MatchedSource, match_results
from tests.warm_start.making import LAYERS, LR, earlier, new


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


SPACE = {
    "lr": LR,
    "layers": LAYERS,
    "width": {"type": "ordinal", "values": [8, 16, 32, 64]},
    "act": {"type": "choice", "values": ["relu", "tanh", "gelu"]},
}


def source(name, best, worse):
    return earlier((best, 9, 0.1), (worse, 9, 0.2), (worse, 9, math.inf), source=name, config_space=SPACE)


def test_each_range_spans_the_values_of_the_best_and_a_list_without_order_has_these_alone():
    worst = {"lr": 1e-1, "layers": 1, "width": 8, "act": "tanh"}
    experiments = [
        source("a", {"lr": 2e-4, "layers": 3, "width": 16, "act": "gelu"}, worst),
        source("b", {"lr": 5e-3, "layers": 2, "width": 64, "act": "relu"}, worst),
        source("c", {"lr": 1e-3, "layers": 3, "width": 16, "act": "relu"}, worst),
    ]
    config = new(SPACE, use="box")
    box = box_of(match_results(experiments, config), config.space)
    rng = np.random.default_rng(0)
    drawn = [box.sample(rng) for _ in range(500)]
    assert 2e-4 <= min(one["lr"] for one in drawn) < 3e-4
    assert 4e-3 < max(one["lr"] for one in drawn) <= 5e-3
    middle = np.mean([math.log10(one["lr"]) for one in drawn])
    assert abs(middle + 3) < 0.1  # uniform on the scale of the range
    assert {one["layers"] for one in drawn} == {2, 3}
    assert {one["width"] for one in drawn} == {16, 32, 64}
    assert {one["act"] for one in drawn} == {"relu", "gelu"}
    assert all(one[name] in config.space.domains[name] for one in drawn for name in SPACE)


def test_one_source_spans_no_box():
    best = {"lr": 2e-4, "layers": 3, "width": 16, "act": "gelu"}
    config = new(SPACE, use="box")
    assert box_of(match_results([source("a", best, best)], config), config.space) is None
