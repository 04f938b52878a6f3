"""The searcher of MO-ASHA-GP: a model per objective, weights that change, logarithms where they are asked for."""

import math

import numpy as np

from hpo.events.objective import Aim
from hpo.events.outcome import ReportOutcome
from hpo.randomness import Randomness
from hpo.searchers import MultiObjectiveSearcher
from hpo.space.search_space import parse_space
from hpo.surrogate.encoding import Encoding
from hpo.surrogate.scalarisation import ChebyshevScalarisation, ObjectiveModel, ProposalObjective, fits_of_model

SPACE = parse_space({name: {"type": "float", "lower": 0.0, "upper": 1.0} for name in "xy"})


def losses_of(configuration):
    """Best at x = 0.2 and at x = 0.8, both at y = 0.5: the front is what lies between."""
    x, y = configuration["x"], configuration["y"]
    return (x - 0.2) ** 2 + (y - 0.5) ** 2, (x - 0.8) ** 2 + (y - 0.5) ** 2


def search(count, *, losses=losses_of, **options):
    searcher = MultiObjectiveSearcher(SPACE, Randomness(0, 1), random_fraction=0.0, cost_weight=0.0, **options)
    found = []
    for _ in range(count):
        found.append(searcher.suggest())
        first, *further = losses(found[-1])
        searcher.on_outcome(found[-1], 1, ReportOutcome(first, further=tuple(further)))
    assert searcher.pop_log_messages() == []
    return found


def test_proposals_spread_over_the_whole_front():
    late = search(40)[15:]
    assert np.mean([abs(c["y"] - 0.5) < 0.15 for c in late]) > 0.6
    xs = [c["x"] for c in late if abs(c["y"] - 0.5) < 0.15]
    assert min(xs) < 0.35
    assert max(xs) > 0.65
    assert np.mean([0.1 < x < 0.9 for x in xs]) > 0.9


def test_with_one_objective_it_searches_where_the_searcher_of_asha_gp_does():
    found = search(30, losses=lambda configuration: losses_of(configuration)[:1])
    assert np.mean([losses_of(c)[0] < 0.05 for c in found[15:]]) > 0.5


def test_a_diverged_objective_and_a_broken_constraint_are_kept_away_from():
    def losses(configuration):
        first, second = losses_of(configuration)
        return first, math.inf if configuration["y"] < 0.4 else second

    assert np.mean([c["y"] >= 0.4 for c in search(40, losses=losses)[15:]]) > 0.8


class Fixed(ProposalObjective):
    """Losses that are known."""

    def __init__(self, means):
        self.means = np.array(means)

    def drawn(self, x, exploration, rng):
        return self.means, 1.0


def test_losses_are_weighed_from_the_ideal_to_the_nadir_of_the_front():
    first, second = Fixed([0.0, 5.0, 10.0, 20.0]), Fixed([1000.0, 400.0, 0.0, 2000.0])  # the last is dominated
    weighed = ChebyshevScalarisation([first, second], np.array([0.25, 0.75]))
    parts = [(0.0, 0.75), (0.125, 0.3), (0.25, 0.0), (0.5, 1.5)]
    np.testing.assert_allclose(weighed.means, [max(p) + 0.05 * sum(p) for p in parts])
    scores, spread = weighed.drawn(np.zeros((4, 1)), 1.0, np.random.default_rng(0))
    np.testing.assert_allclose(scores, weighed.means)
    assert spread == 0.25 / 10 + 0.75 / 1000


def targets_of(values, aim):
    model = ObjectiveModel(Encoding(SPACE), Randomness(0, 0), 500, aim)
    for number, value in enumerate(values):
        model.history.add({"x": number / 10, "y": 0.0}, 1, aim.loss(value) if math.isfinite(value) else math.inf)
    return model.targets(len(values))


def test_targets_of_a_log_objective_are_those_of_the_logarithms_whatever_the_mode():
    values = [0.001, 0.1, 5.0, 2000.0, 3.0, math.nan]
    logs = [math.log(value) for value in values[:5]] + [math.nan]
    for mode in ("min", "max"):
        expected = targets_of(logs, Aim("a", mode))
        np.testing.assert_allclose(targets_of(values, Aim("a", mode, log=True)), expected)
    with_zero = targets_of([0.0, *values[:5]], Aim("a", "min", log=True))
    np.testing.assert_allclose(with_zero, targets_of([0.001, *values[:5]], Aim("a", "min", log=True)))


def test_the_first_fit_is_of_every_model_and_each_later_one_of_one():
    fits = [4, 5, 6, 7, 8]
    assert [fits_of_model(fits, index, 2) for index in range(2)] == [[4, 6, 8], [4, 5, 7]]
    assert fits_of_model(fits, 0, 1) == fits
