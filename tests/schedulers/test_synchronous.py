"""Synchronous Hyperband: its sizes, and what it promotes, recomputed from logs by the definition."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo import Decision, Resume, Start, Trial, build_scheduler
from hpo.events.types import Kind, Status
from hpo.schedulers.bracket import Bracket, bracket_sizes
from hpo.tuner.stopping import Budget
from tests.support.contracts import MAXIMUM, Driver
from tests.support.fakes import OBJECTIVE, SPACE, TINY, run_fake

STEPS = [1, 3, 9]


def build(space=SPACE, **options):
    return build_scheduler("SYNC-HYPERBAND", space, max_resource=MAXIMUM, seed=0, random_seed=0, **options)


# ---------------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    ("skipped", "sizes"),
    [(0, [81, 27, 9, 3, 1]), (1, [34, 12, 4, 2]), (2, [15, 5, 2]), (3, [8, 3]), (4, [5])],
)
def test_brackets_have_the_places_of_the_papers_example(skipped, sizes):
    """Table 1 of Li et al. (2018), R = 81 and η = 3; beyond a bracket's first rung, the paper rounds down."""
    assert bracket_sizes([1, 3, 9, 27, 81], skipped) == sizes


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=8, unique=True).map(sorted), st.data())
def test_rungs_cost_no_less_than_their_share_and_less_than_one_trial_more(steps, data):
    skipped = data.draw(st.integers(0, len(steps) - 1))
    share = Fraction(len(steps) * steps[-1], len(steps) - skipped)
    for size, step in zip(bracket_sizes(steps, skipped), steps[skipped:], strict=True):
        assert share <= size * step < share + step


# ---------------------------------------------------------------------- one bracket


def filled(losses, sizes=(9, 3, 1)):
    bracket = Bracket(STEPS, sizes)
    for trial_id in range(len(losses)):
        bracket.reserve()
        bracket.begin(trial_id)
    for trial_id, loss in enumerate(losses):
        bracket.record(trial_id, (0.0, loss))
    return bracket


def resumed(bracket):
    """All that may go on now, in their order."""
    found = []
    while (trial_id := bracket.next()) is not None:
        bracket.resume(trial_id)
        found.append(trial_id)
    return found


def test_the_best_third_goes_on_when_the_last_trial_of_the_rung_is_done():
    bracket = filled([0.9, 0.1, 0.5, 0.3, 0.8, 0.2, 0.7, 0.6])
    assert bracket.next() is None
    bracket.reserve()
    bracket.begin(8)
    assert bracket.next() is None
    bracket.record(8, (0.0, 0.4))
    assert bracket.resource == 3
    assert resumed(bracket) == [1, 5, 3]


def test_of_equal_trials_the_earlier_goes_on():
    assert resumed(filled([0.5] * 9)) == [0, 1, 2]


def test_trials_that_diverged_or_failed_take_a_place_and_never_go_on():
    assert resumed(filled([math.inf] * 7 + [0.5, 0.4])) == [8, 7]
    bracket = Bracket(STEPS, (3, 1, 1))
    for trial_id in range(3):
        bracket.reserve()
        bracket.begin(trial_id)
    bracket.record(0, (0.0, 0.5))
    bracket.lose(1)
    assert bracket.next() is None
    bracket.lose(2)
    assert resumed(bracket) == [0]


@pytest.mark.parametrize("loss", [math.inf, None])
def test_a_bracket_of_which_nothing_is_left_is_over(loss):
    bracket = filled([0.5] * 8)
    bracket.reserve()
    bracket.begin(8)
    for trial_id in range(8):
        bracket.lose(trial_id)
    assert not bracket.is_over
    if loss is None:
        bracket.lose(8)
    else:
        bracket.record(8, (0.0, loss))
    assert bracket.is_over


def test_a_bracket_is_over_when_its_last_trial_is_complete():
    bracket = filled([0.1 * k for k in range(9)])
    for trial_id in resumed(bracket):
        bracket.record(trial_id, (0.0, 0.1))
    assert resumed(bracket) == [0]
    assert not bracket.is_over
    bracket.record(0, (0.0, 0.1))
    assert bracket.is_over


def test_a_chosen_trial_that_is_lost_before_it_is_resumed_is_not_waited_for():
    bracket = filled([0.1 * k for k in range(9)])
    for trial_id in (0, 1, 2):
        assert bracket.next() == trial_id
        bracket.lose(trial_id)
    assert bracket.is_over


@pytest.mark.parametrize(("entered", "going_on"), [(1, 1), (3, 1), (4, 2), (6, 2), (8, 3)])
def test_a_rung_closed_early_lets_a_third_of_its_trials_go_on(entered, going_on):
    bracket = filled([0.1 * k for k in range(entered)])
    assert bracket.next_if_closed() == (0, 3)
    assert bracket.has_room, "to ask changes nothing"
    bracket.resume(0)
    assert not bracket.has_room
    assert [0, *resumed(bracket)] == list(range(going_on))


def test_a_rung_is_not_closed_while_a_trial_runs():
    bracket = filled([0.5])
    bracket.reserve()
    assert bracket.next_if_closed() is None
    bracket.begin(1)
    assert bracket.next_if_closed() is None
    bracket.lose(1)
    assert bracket.next_if_closed() == (0, 3)


# ---------------------------------------------------------------------- the scheduler, by the definition


class Expected:
    """Synchronous Hyperband recomputed from a log: which trial may be where, and when."""

    def __init__(self, kinds, most):
        self.groups = []  # of each bracket: its kind, its trials in their order
        self.kinds, self.most = kinds, most
        self.at = {}  # trial: index of the step it is on its way to, or waits at
        self.done = {}  # (trial, step): its loss, None where it failed on the way
        self.promoted = []  # (bracket, step, trial)

    def group_of(self, trial):
        return next(k for k, (_, trials) in enumerate(self.groups) if trial in trials)

    def started(self, trial, until):
        if not self.groups or len(self.groups[-1][1]) == bracket_sizes(STEPS, self.groups[-1][0])[0]:
            self.groups.append((len(self.groups) % self.kinds, []))
        kind, trials = self.groups[-1]
        assert until == STEPS[kind], "brackets follow one another, each filled before the next"
        trials.append(trial)
        self.at[trial] = kind

    def entrants(self, group, step):
        """The trials of a bracket that may be at a step."""
        kind, trials = self.groups[group]
        if step == kind:
            return trials
        before = self.entrants(group, step - 1)
        sizes = dict(zip(range(kind, len(STEPS)), bracket_sizes(STEPS, kind), strict=True))
        places = math.ceil(Fraction(len(before) * sizes[step], sizes[step - 1]))
        results = [(self.done[trial, step - 1], trial) for trial in before if self.is_good(trial, step - 1)]
        return [trial for _, trial in sorted(results)[:places]]

    def is_good(self, trial, step):
        loss = self.done.get((trial, step))
        return loss is not None and math.isfinite(loss)

    def resumed(self, trial, until):
        group, step = self.group_of(trial), self.at[trial]
        assert until == STEPS[step + 1]
        before = self.entrants(group, step)
        kind, trials = self.groups[group]
        is_full = len(trials) == bracket_sizes(STEPS, kind)[0]
        assert is_full or len(self.at) == self.most, "a rung with places left is closed only when no trial may start"
        assert all((other, step) in self.done for other in before), "not before all of the rung are done"
        assert trial in self.entrants(group, step + 1), "only the best go on"
        self.at[trial] = step + 1

    def apply(self, event):
        trial = event.trial
        if event.kind == Kind.STARTED:
            self.started(trial, event.body["until"])
        elif event.kind == Kind.RESUMED:
            self.resumed(trial, event.body["until"])
        elif event.kind == Kind.REPORTED and event.resource >= STEPS[self.at[trial]]:
            self.done[trial, self.at[trial]] = OBJECTIVE.loss(event.body["metrics"])
        elif event.kind == Kind.ENDED and event.body["status"] == Status.FAILED:
            self.done[trial, self.at[trial]] = None

    def left(self):
        """Trials that may go on and were never resumed."""
        return [
            trial
            for group, (kind, _) in enumerate(self.groups)
            for step in range(kind, len(STEPS) - 1)
            if all((other, step) in self.done for other in self.entrants(group, step))
            for trial in self.entrants(group, step + 1)
            if self.at[trial] == step
        ]


@given(st.integers(0, 10**6), st.integers(1, 7), st.sampled_from([1, 2, 3]), st.sampled_from([0.0, 0.05, 0.4]))
@settings(deadline=None, max_examples=40)
def test_whatever_the_order_of_reports_the_best_of_each_full_rung_go_on(seed, workers, kinds, failures):
    most = 30 + seed % 20
    scheduler = build(brackets=kinds)
    driver = Driver(scheduler, seed, n_workers=workers, most_trials=most, failures=failures).run(900)
    expected = Expected(kinds, most)
    for event in driver.events:
        expected.apply(event)
    assert len(driver.state.trials) == most
    assert not driver.going
    assert expected.left() == []


# ---------------------------------------------------------------------- idle workers, ends


def begin(scheduler, trial_id):
    suggestion = scheduler.suggest()
    assert isinstance(suggestion, Start)
    trial = Trial(trial_id, suggestion.configuration)
    scheduler.on_start(trial)
    return trial, suggestion.until


def test_a_free_worker_begins_the_next_bracket_while_a_rung_waits():
    scheduler = build()
    begun = [begin(scheduler, trial_id) for trial_id in range(9 + 5 + 3 + 1)]
    assert [until for _, until in begun] == [1] * 9 + [3] * 5 + [9] * 3 + [1]


def test_the_oldest_bracket_is_continued_first():
    scheduler = build()
    trials = [begin(scheduler, trial_id)[0] for trial_id in range(14)]
    for trial in trials[9:]:
        assert scheduler.on_report(trial, 3, 0.5) == Decision.PAUSE
    assert scheduler.propose() == Resume(9, 9)
    for trial in trials[:9]:
        assert scheduler.on_report(trial, 1, 0.5) == Decision.PAUSE
    assert scheduler.propose() == Resume(0, 3)


def test_the_maximum_is_the_end():
    scheduler = build(brackets=1)
    trials = [begin(scheduler, trial_id)[0] for trial_id in range(9)]
    for trial in trials:
        scheduler.on_report(trial, 1, float(trial.id))
    for until, count in ((3, 3), (9, 1)):
        assert [scheduler.suggest() for _ in range(count)] == [Resume(k, until) for k in range(count)]
        decisions = [scheduler.on_report(trials[k], until, float(k)) for k in range(count)]
        assert decisions == [Decision.STOP if until == 9 else Decision.PAUSE] * count
    assert scheduler.suggest(new_trials=False) is None


def test_when_the_number_of_trials_is_used_up_the_open_rung_is_closed_and_the_best_is_trained_to_the_end():
    _, state, _ = run_fake("SYNC-HYPERBAND", budget=Budget(max_num_trials=5), n_workers=2)
    assert len(state.trials) == 5
    assert [trial.resource for trial in state.trials.values()].count(9) == 1
    best = min(state.trials.values(), key=lambda trial: (-trial.resource, trial.loss))
    assert best.status in (Status.STOPPED, Status.COMPLETED)


def test_a_space_that_is_used_up_closes_the_open_rung_too():
    reason, state, _ = run_fake("SYNC-HYPERBAND", space=TINY, n_workers=2, budget=Budget(max_num_trials=99))
    assert "exhausted" in reason
    assert len(state.trials) == 6
    assert max(trial.resource for trial in state.trials.values()) == 9
