"""CMA-ES as a searcher: what it is told, where it begins, and what it refuses."""

import math

import numpy as np
import pytest

from hpo import build_scheduler
from hpo.errors import ConfigError
from hpo.events.outcome import ReportOutcome
from hpo.randomness import Randomness, canonical
from hpo.searchers import CMAESSearcher, RandomSearcher
from hpo.space.search_space import parse_space
from hpo.surrogate.cma import Strategy

NUMBERS = {
    "lr": {"type": "float", "lower": 1e-4, "upper": 1.0, "log": True},
    "n": {"type": "int", "lower": 1, "upper": 100},
    "x": {"type": "float", "lower": 0.0, "upper": 1.0},
    "width": {"type": "ordinal", "values": [16, 32, 64, 128]},
}
SPACE = parse_space(NUMBERS)


def loss_of(configuration):
    target = {"lr": 0.2, "n": 0.7, "x": 0.4, "width": 0.625}
    return sum((SPACE.domains[name].encode(configuration[name]) - unit) ** 2 for name, unit in target.items())


def train(searcher, count, loss=loss_of):
    found = []
    for _ in range(count):
        found.append(searcher.suggest())
        searcher.update(found[-1], 9, loss(found[-1]))
    return found


def test_every_generation_is_the_results_in_the_order_of_their_arrival_ranked_by_violation_and_loss():
    searcher, rng = CMAESSearcher(SPACE, Randomness(0, 0)), np.random.default_rng(0)
    literal = Strategy(np.array([SPACE.domains[n].encode(v) for n, v in SPACE.default.items()]), 1 / 6, np.ones(4))
    size = 4 + math.floor(3 * math.log(4))
    for _ in range(5):
        told = []
        for _ in range(size):
            loss = math.inf if rng.random() < 0.1 else float(rng.integers(4))
            violation = float(rng.integers(3)) if rng.random() < 0.3 else 0.0
            configuration = SPACE.sample(rng)
            searcher.on_outcome(configuration, 9, ReportOutcome(loss, violation=violation))
            told.append((math.isinf(loss), violation, loss, len(told), configuration))
        ranked = [one[4] for one in sorted(told, key=lambda one: one[:4])]
        literal.tell(np.array([[SPACE.domains[n].encode(v) for n, v in one.items()] for one in ranked]))
        assert searcher.strategy.mean == pytest.approx(literal.mean, abs=1e-12)
        assert searcher.strategy.step == pytest.approx(literal.step, abs=1e-12)


def test_proposals_gather_where_results_are_good():
    evolved = [loss_of(one) for one in train(CMAESSearcher(SPACE, Randomness(0, 0)), 150)]
    drawn = [loss_of(one) for one in train(RandomSearcher(SPACE, Randomness(0, 0)), 150)]
    assert np.median(evolved[100:]) < 0.1 * np.median(drawn)
    assert min(evolved) < 0.3 * min(drawn)


def test_it_begins_at_the_first_configuration_and_as_wide_as_a_prior_says():
    point = {"lr": 0.5, "n": 7, "x": 0.9, "width": 16}
    searcher = CMAESSearcher(SPACE, Randomness(0, 0), points_to_evaluate=[point, {}])
    assert searcher.strategy.mean == pytest.approx([SPACE.domains[n].encode(v) for n, v in point.items()])
    believed = parse_space({**NUMBERS, "x": {**NUMBERS["x"], "default": 0.2, "confidence": "high"}})
    strategy = CMAESSearcher(believed, Randomness(0, 0)).strategy
    assert strategy.mean[2] == pytest.approx(0.2)
    assert np.sqrt(np.diag(strategy.covariance)) == pytest.approx([1, 1, 1 / 3, 1])


def test_a_choice_is_drawn_at_random_and_a_note_says_so_once():
    space = parse_space({**NUMBERS, "act": {"type": "choice", "values": ["relu", "tanh"]}})
    searcher = CMAESSearcher(space, Randomness(0, 0))
    found = train(searcher, 60, loss=lambda one: loss_of({n: one[n] for n in NUMBERS}) + (one["act"] == "relu"))
    assert searcher.pop_log_messages() == ["CMA-ES draws act at random: its values have no order"]
    assert searcher.pop_log_messages() == []
    assert 18 <= sum(one["act"] == "relu" for one in found) <= 42


def test_a_space_whose_distribution_has_become_narrow_is_gone_through_to_its_end():
    space = parse_space({"n": {"type": "int", "lower": 1, "upper": 60}})
    searcher = CMAESSearcher(space, Randomness(0, 0))
    found = train(searcher, 60, loss=lambda one: one["n"])
    assert len({canonical(one) for one in found}) == 60
    assert searcher.suggest() is None


@pytest.mark.parametrize(
    ("space", "options", "said"),
    [
        (
            {"c": {"type": "choice", "values": [1, 2]}},
            {},
            "needs a hyperparameter with an order, .*; use another method",
        ),
        (NUMBERS, {"step": 0}, r"method\.searcher\.step=0: use"),
        (
            {**NUMBERS, "y": {"type": "int", "lower": 1, "upper": 9, "when": {"width": 16}}},
            {},
            r"CMAESSearcher needs all hyperparameters in every configuration; remove config_space\.y\.when",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(space, options, said):
    with pytest.raises(ConfigError, match=said):
        build_scheduler("CMA-ES", space, max_resource=9, seed=0, **options)


@pytest.mark.parametrize("scheduler", ["ASHA", "StoppingRules"])
def test_it_is_refused_where_trials_end_early(scheduler):
    method = {
        "name": "mine",
        "searcher": {"_target_": "hpo.searchers.CMAESSearcher", "_partial_": True},
        "scheduler": {"_target_": f"hpo.schedulers.{scheduler}", "_partial_": True},
    }
    rules = {"rules": [{"patience": {}}]} if scheduler == "StoppingRules" else {}
    with pytest.raises(ConfigError, match="CMAESSearcher compares complete trainings alone; use hpo"):
        build_scheduler(method, NUMBERS, max_resource=9, seed=0, **rules)
