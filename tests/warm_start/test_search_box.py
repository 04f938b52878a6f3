"""The ranges that the best configurations of several sources span."""

import math

import numpy as np

from hpo.warm_start.matching import match_results
from hpo.warm_start.search_box import box_of
from tests.warm_start.making import LAYERS, LR, earlier, new

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
