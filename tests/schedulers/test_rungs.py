"""Rungs against numpy and against successive halving recomputed from the whole history at every step.

The brute force below is written from the definition: every cut-off is `numpy.quantile` over all results ever recorded
at the rung, infinite ones standing far above the others.
"""

import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo import Decision, Resume, Start, Trial, build_scheduler
from hpo.errors import ConfigError
from hpo.schedulers.rungs import Rung, bracket_probabilities, make_rungs, next_level, rung_levels
from tests.support.fakes import SPACE

FAR = 1e9
"""Stands for an infinite loss in the brute force; the finite losses of the tests are below 100."""


@pytest.mark.parametrize(
    ("arguments", "levels"),
    [
        ((1, 9, 3), [1, 3]),
        ((1, 27, 3), [1, 3, 9]),
        ((1, 200, 3), [1, 3, 9, 27, 81]),
        ((1, 28, 3), [1, 3, 9, 27]),
        ((2, 100, 4), [2, 8, 32]),
        ((1, 2, 3), [1]),
        ((5, 6, 100), [5]),
        ((1, 10, 2.5), [1, 2, 6]),
        ((1, 4, 1.2), [1, 2, 3]),
    ],
)
def test_levels_are_the_rounded_powers_below_the_maximum(arguments, levels):
    assert rung_levels(*arguments) == levels


@given(st.integers(1, 20), st.integers(2, 300), st.floats(1.1, 6))
@settings(deadline=None, max_examples=200)
def test_levels_ascend_from_the_minimum_and_stay_below_the_maximum(least, most, factor):
    if least >= most:
        with pytest.raises(ConfigError, match="min_resource"):
            rung_levels(least, most, factor)
        return
    levels = rung_levels(least, most, factor)
    powers = {round(least * factor**k) for k in range(200) if least * factor**k < most + 1}
    assert levels == sorted(power for power in powers if power < most)


@pytest.mark.parametrize("arguments", [(0, 9, 3), (-1, 9, 3), (9, 9, 3), (10, 9, 3), (1, 9, 1), (1, 9, 0.5), (1, 1, 3)])
def test_arguments_without_a_rung_are_errors(arguments):
    with pytest.raises(ConfigError, match=r"method\.scheduler\."):
        rung_levels(*arguments)


def test_the_share_that_goes_on_is_this_level_over_the_next():
    rungs = make_rungs([1, 3, 9, 27, 81], 200)
    assert [rung.level for rung in rungs] == [1, 3, 9, 27, 81]
    assert [rung.quantile for rung in rungs] == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1 / 3, 0.405])


def test_a_bracket_that_skips_all_levels_has_no_rungs():
    assert make_rungs([], 200) == []


@given(st.integers(0, 300), st.lists(st.integers(1, 299), unique=True).map(sorted))
@settings(deadline=None, max_examples=100)
def test_the_next_level_is_the_first_one_above(resource, levels):
    assert next_level(levels, resource, 300) == min([level for level in levels if level > resource], default=300)


@given(
    st.lists(st.one_of(st.integers(0, 20).map(float), st.floats(0, 98), st.just(FAR)), min_size=2, max_size=30),
    st.floats(0.01, 0.99),
)
@settings(deadline=None, max_examples=500)
def test_not_above_the_interpolated_quantile_is_the_same_as_few_better_ones(losses, q):
    spaced = [round(loss, 6) for loss in losses]  # next to equal ones differ by rounding alone
    for loss in spaced:
        few = sum(other < loss for other in spaced) <= (len(spaced) - 1) * q
        limit = np.quantile(spaced, q)
        assert few == (loss <= limit) or abs(loss - limit) <= 1e-9 * max(1.0, abs(limit))


PAIRS = st.tuples(
    st.sampled_from([0.0, 0.0, 0.5, 1.0, math.inf]), st.one_of(st.integers(0, 3).map(float), st.just(math.inf))
)


@given(st.lists(PAIRS, max_size=25), st.sampled_from([0.25, 1 / 3, 0.405, 0.5]))
@settings(deadline=None, max_examples=200)
def test_the_first_few_by_violation_and_then_by_loss_go_on(orders, q):
    waiting, stopping = Rung(1, q), Rung(1, q)
    for number, order in enumerate(orders):
        waiting.record_waiting(number, order)
        stopping.record(number, order)
        so_far = orders[: number + 1]
        better = sum(other[0] < order[0] or (other[0] == order[0] and other[1] < order[1]) for other in so_far)
        finite = math.inf not in order
        assert stopping.passes(order) == (finite and (number == 0 or better <= number * q))
    ranked = sorted((order, number) for number, order in enumerate(orders))
    may = (
        [
            number
            for place, (order, number) in enumerate(ranked)
            if math.inf not in order and sum(other < order for other in orders) <= (len(orders) - 1) * q
        ]
        if len(orders) > 1
        else []
    )
    promoted = []
    while (number := waiting.promotable()) is not None:
        promoted.append(number)
        waiting.remove(number)
    assert promoted == may


@given(st.lists(st.tuples(st.integers(0, 9).map(float), st.booleans()), max_size=25), st.data())
@settings(deadline=None, max_examples=200)
def test_of_trials_that_set_no_hurdle_only_those_go_on_that_are_better_than_all_that_do(entries, data):
    rung, waiting = Rung(1, 0.5), {}
    for number, (loss, sets) in enumerate(entries):
        if sets:
            rung.raise_hurdle(number, (0.0, loss))
        rung.record_waiting(number, (0.0, loss))
        waiting[number] = loss
        if waiting and data.draw(st.booleans()):
            gone = data.draw(st.sampled_from(sorted(waiting)))
            rung.remove(gone)
            del waiting[gone]
        so_far = entries[: number + 1]
        hurdle = min((loss for loss, sets in so_far if sets), default=math.inf)
        may = [
            (loss, one)
            for one, loss in waiting.items()
            if (so_far[one][1] or loss < hurdle)
            and len(so_far) > 1
            and sum(other < loss for other, _ in so_far) <= (len(so_far) - 1) * 0.5
        ]
        assert rung.promotable() == min(may, default=(0, None))[1]
        assert rung.clears_hurdle(99, (0.0, 4.5)) == (hurdle > 4.5)


def test_one_result_decides_nothing():
    rung = Rung(1, 1 / 3)
    rung.record_waiting(0, (0.0, 1.0))
    assert rung.promotable() is None
    assert rung.passes((0.0, 1.0))
    rung.record_waiting(1, (0.0, 4.0))
    assert rung.promotable() == 0
    assert not rung.passes((0.0, 4.0))


def test_a_promoted_trial_keeps_counting():
    rung = Rung(1, 1 / 3)
    for trial_id, loss in enumerate((1.0, 2.0, 3.0, 4.0)):
        rung.record_waiting(trial_id, (0.0, loss))
    rung.remove(0)
    assert rung.promotable() == 1
    rung.remove(1)
    assert rung.promotable() is None


def test_a_diverged_trial_counts_as_the_worst_and_does_not_wait():
    rung = Rung(1, 1 / 3)
    rung.record_waiting(0, (0.0, math.inf))
    rung.record_waiting(1, (0.0, 5.0))
    assert rung.promotable() == 1
    rung.remove(1)
    assert rung.promotable() is None
    assert not rung.passes((0.0, math.inf))


def cut(losses, level, following):
    """The cut-off by the definition; None below two results."""
    return np.quantile([min(loss, FAR) for loss in losses], level / following) if len(losses) > 1 else None


@dataclass
class BruteForce:
    """Asynchronous successive halving from the full history, which is all that it remembers."""

    levels: list[int]
    maximum: int
    results: list[tuple[int, int, float]] = field(default_factory=list)  # trial, level, loss
    promoted: set[tuple[int, int]] = field(default_factory=set)  # trial, from level

    def following(self, level):
        return min([other for other in self.levels if other > level], default=self.maximum)

    def at(self, level, trials=None):
        return [(loss, t) for t, where, loss in self.results if where == level and (trials is None or t in trials)]

    def promotable(self, level, trials=None):
        entries = self.at(level, trials)
        limit = cut([loss for loss, _ in entries], level, self.following(level))
        free = [(loss, t) for loss, t in entries if math.isfinite(loss) and (t, level) not in self.promoted]
        return min(free)[1] if limit is not None and free and min(free)[0] <= limit else None

    def promotion(self):
        """(trial, from level) of the next promotion: the best of the highest rung that has one."""
        for level in sorted(self.levels, reverse=True):
            trial = self.promotable(level)
            if trial is not None:
                return trial, level
        return None

    def goes_on(self, level, loss):
        """Stopping rule, with `loss` among the results."""
        limit = cut([other for other, _ in self.at(level)], level, self.following(level))
        return math.isfinite(loss) and (limit is None or loss <= limit)


LOSSES = st.one_of(st.integers(0, 6).map(float), st.floats(0, 99), st.just(math.inf))
ACTIONS = st.lists(
    st.one_of(
        st.just(("ask",)),
        st.tuples(st.just("tell"), st.integers(0, 5), LOSSES, st.booleans()),
        st.tuples(st.just("fail"), st.integers(0, 5)),
    ),
    max_size=70,
)
SHAPES = st.sampled_from([(1, 9, 3), (1, 27, 3), (1, 16, 2), (2, 40, 4), (1, 5, 3), (1, 20, 2.5)])


class Play:
    """A scheduler and its running trials: what they aim for, where they are."""

    def __init__(self, method, shape, **overrides):
        least, self.maximum, factor = shape
        self.levels = rung_levels(*shape)
        options = {"min_resource": least, "reduction_factor": factor, **overrides}
        self.scheduler = build_scheduler(method, SPACE, max_resource=self.maximum, seed=0, **options)
        self.trials, self.aims, self.resources = [], {}, {}

    def start(self, suggestion):
        trial = Trial(len(self.trials), suggestion.configuration)
        self.scheduler.on_start(trial)
        self.trials.append(trial)
        self.aims[trial.id], self.resources[trial.id] = suggestion.until, 0
        return trial

    def chosen(self, index):
        running = sorted(self.aims)
        return self.trials[running[index % len(running)]] if running else None

    def pass_between(self, trial, aim):
        """A report before the aim decides nothing, however bad."""
        if aim - self.resources[trial.id] > 1:
            assert self.scheduler.on_report(trial, aim - 1, 98.0) == Decision.CONTINUE
            self.resources[trial.id] = aim - 1


@given(SHAPES, ACTIONS)
@settings(deadline=None, max_examples=120)
def test_promotions_are_those_of_the_definition(shape, actions):
    play = Play("ASHA", shape)
    brute = BruteForce(play.levels, play.maximum)
    for action in actions:
        if action[0] == "ask":
            suggestion, expected = play.scheduler.suggest(), brute.promotion()
            if expected is None:
                assert isinstance(suggestion, Start)
                assert suggestion.until == play.levels[0]
                play.start(suggestion)
            else:
                trial_id, level = expected
                assert suggestion == Resume(trial_id, brute.following(level))
                brute.promoted.add(expected)
                play.aims[trial_id] = suggestion.until
            continue
        trial = play.chosen(action[1])
        if trial is None:
            continue
        if action[0] == "fail":
            play.scheduler.on_error(trial)
            del play.aims[trial.id]
            continue
        loss, aim = action[2], play.aims[trial.id]
        if action[3]:
            play.pass_between(trial, aim)
        decision = play.scheduler.on_report(trial, aim, loss)
        play.resources[trial.id] = aim
        del play.aims[trial.id]
        if aim == play.maximum:
            assert decision == Decision.STOP
        else:
            assert decision == Decision.PAUSE
            brute.results.append((trial.id, aim, loss))


@given(SHAPES, ACTIONS)
@settings(deadline=None, max_examples=120)
def test_stops_are_those_of_the_definition(shape, actions):
    play = Play("ASHA-STOP", shape)
    brute = BruteForce(play.levels, play.maximum)
    for action in actions:
        if action[0] == "ask":
            suggestion = play.scheduler.suggest()
            assert isinstance(suggestion, Start)
            assert suggestion.until == play.maximum
            play.start(suggestion)
            continue
        trial = play.chosen(action[1])
        if trial is None:
            continue
        if action[0] == "fail":
            play.scheduler.on_error(trial)
            del play.aims[trial.id]
            continue
        loss, level = action[2], brute.following(play.resources[trial.id])
        if action[3]:
            play.pass_between(trial, level)
        decision = play.scheduler.on_report(trial, level, loss)
        play.resources[trial.id] = level
        if level == play.maximum:
            expected = Decision.STOP
        else:
            brute.results.append((trial.id, level, loss))
            expected = Decision.CONTINUE if brute.goes_on(level, loss) else Decision.STOP
        assert decision == expected
        if expected == Decision.STOP:
            del play.aims[trial.id]


@given(SHAPES, ACTIONS, st.booleans())
@settings(deadline=None, max_examples=120)
def test_brackets_promote_whom_the_definition_promotes(shape, actions, separate):
    play = Play("HYPERBAND", shape, rung_system_per_bracket=separate)
    brute = BruteForce(play.levels, play.maximum)
    members = {}  # first aim of a bracket: its trials

    def candidates():
        systems = members.values() if separate else [None]
        found = [(brute.promotable(level, trials), level) for trials in systems for level in play.levels]
        return [(trial_id, level) for trial_id, level in found if trial_id is not None]

    for action in actions:
        if action[0] == "ask":
            suggestion, possible = play.scheduler.suggest(), candidates()
            if not possible:
                assert isinstance(suggestion, Start)
                assert suggestion.until in (*play.levels, play.maximum)
                members.setdefault(suggestion.until, set()).add(play.start(suggestion).id)
            else:
                if not separate:
                    possible = [brute.promotion()]
                assert suggestion in [Resume(trial_id, brute.following(level)) for trial_id, level in possible]
                brute.promoted |= {pair for pair in possible if pair[0] == suggestion.trial_id}
                play.aims[suggestion.trial_id] = suggestion.until
            continue
        trial = play.chosen(action[1])
        if trial is None:
            continue
        aim = play.aims.pop(trial.id)
        if action[0] == "fail":
            play.scheduler.on_error(trial)
            continue
        decision = play.scheduler.on_report(trial, aim, action[2])
        assert decision == (Decision.STOP if aim == play.maximum else Decision.PAUSE)
        if aim < play.maximum:
            brute.results.append((trial.id, aim, action[2]))


def test_bracket_probabilities_are_the_slot_counts_of_hyperband():
    # The counts are rounded up and stand for a maximum of 243, the next power of 3.
    expected = np.array([243, 98, 41, 18, 9, 6]) / 415
    found = np.array(bracket_probabilities([1, 3, 9, 27, 81], 200, 6))
    assert np.abs(found - expected).max() < 4e-3


@given(SHAPES, st.data())
@settings(deadline=None, max_examples=50)
def test_bracket_probabilities_follow_the_formula(shape, data):
    levels, maximum = rung_levels(*shape), shape[1]
    count = data.draw(st.integers(1, len(levels) + 1))
    resources, total = [*levels, maximum], len(levels) + 1
    weights = np.array([total / ((total - s) * resources[s]) for s in range(count)])
    assert bracket_probabilities(levels, maximum, count) == pytest.approx(weights / weights.sum())


@pytest.mark.parametrize("brackets", [None, 3])
def test_brackets_are_drawn_as_often_as_their_probabilities_say(brackets):
    scheduler = build_scheduler("HYPERBAND", SPACE, max_resource=200, seed=0, brackets=brackets)
    counts = Counter()
    draws = 3000
    for trial_id in range(draws):
        suggestion = scheduler.suggest()
        scheduler.on_start(Trial(trial_id, suggestion.configuration))
        counts[suggestion.until] += 1
    weights = {level: 6 / ((6 - s) * level) for s, level in enumerate((1, 3, 9, 27, 81, 200))}
    wanted = dict(list(weights.items())[:brackets])
    assert set(counts) == set(wanted)
    expected = {level: draws * share / sum(wanted.values()) for level, share in wanted.items()}
    chi_square = sum((counts[level] - mean) ** 2 / mean for level, mean in expected.items())
    assert chi_square < 25, "5 degrees of freedom: exceeded once in 7000 times"


@pytest.mark.parametrize(("key", "value"), [("min_resource", "1"), ("reduction_factor", [3]), ("min_resource", None)])
def test_what_is_no_number_is_one_sentence(key, value):
    with pytest.raises(ConfigError, match=rf"method\.scheduler\.{key}=.*use a number"):
        rung_levels(**{"min_resource": 1, "max_resource": 27, "reduction_factor": 3, key: value})


@pytest.mark.parametrize("seed", range(5))
def test_all_that_may_be_promoted_are_those_at_or_below_the_cut_that_clear_the_hurdle_best_first(seed):
    rng = np.random.default_rng(seed)
    rung = Rung(9, 1 / 3)
    parked = [(float(rng.integers(40)), trial_id) for trial_id in range(90)]
    for loss, trial_id in parked:
        if trial_id % 30 == 7:
            rung.raise_hurdle(trial_id, (0.0, loss + 5))
        rung.record_waiting(trial_id, (0.0, loss))
    gone = {trial_id for _, trial_id in sorted(parked)[:6]}
    for trial_id in gone:
        rung.remove(trial_id)
    cut, hurdle = np.quantile([loss for loss, _ in parked], 1 / 3), rung.hurdle[1]
    expected = [
        trial_id
        for loss, trial_id in sorted(parked)
        if trial_id not in gone and loss <= cut and (loss < hurdle or trial_id % 30 == 7)
    ]
    assert len(expected) > 5
    assert list(rung.all_promotable()) == expected
    assert rung.promotable() == expected[0]
