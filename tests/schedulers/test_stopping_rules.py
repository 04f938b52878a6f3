"""Stopping rules, computed literally and by Optuna's pruners, and what searchers and users see of them."""

import math
import random
import statistics

import numpy as np
import pytest

from hpo import Decision, Trial, build_scheduler
from hpo.errors import ConfigError
from hpo.events.outcome import ReportOutcome
from hpo.schedulers.stopping_rules import MedianRule, PatienceRule
from tests.support.fakes import SPACE

LAST = 9


class Course:
    """Trials that report in turns, a few at once, told to a rule that never has the last word: it is asked alone."""

    def __init__(self, rule, seed):
        self.rule, self.rng = rule, random.Random(seed)
        self.curves = [[self.rng.gauss(trial % 5, 1.5) for _ in range(LAST)] for trial in range(40)]
        self.ended = {}  # trial: (its reports, did it complete?)

    def verdicts(self):
        """Trial, resource and verdict of every report."""
        going, following = {}, iter(range(len(self.curves)))
        while True:
            while len(going) < 4 and (trial := next(following, None)) is not None:
                going[trial] = 0
            if not going:
                return
            trial = self.rng.choice(sorted(going))
            going[trial] += 1
            told = self.curves[trial][: going[trial]]
            stops = self.rule.stops(trial, len(told), (0.0, told[-1]))
            yield trial, told, stops
            if stops or len(told) == LAST:
                del going[trial]
                self.ended[trial] = told, not stops
                self.rule.end(trial, completed=not stops, counts=True)


@pytest.mark.parametrize(("percentile", "warmup", "interval"), [(50, 1, 1), (25, 3, 2), (80, 2, 1)])
def test_a_trial_ends_when_its_best_is_behind_the_percentile_of_the_running_means_of_the_others(
    percentile, warmup, interval
):
    stopped = 0
    for seed in range(4):
        rule = MedianRule(percentile=percentile, warmup=warmup, interval=interval, min_completed=3)
        course = Course(rule, seed)
        for _, told, stops in course.verdicts():
            r = len(told)
            means = [statistics.fmean(other[:r]) for other, _ in course.ended.values() if len(other) >= r]
            asked = sum(done for _, done in course.ended.values()) >= 3 and r >= warmup and r % interval == 0
            expected = asked and bool(means) and min(told) > np.percentile(means, percentile)
            assert stops == expected
            stopped += stops
    assert stopped > 10


@pytest.mark.parametrize(("percentile", "warmup"), [(50, 1), (30, 3)])
def test_by_value_a_trial_ends_when_optuna_s_pruner_would_end_it(percentile, warmup):
    import optuna
    from optuna.trial import TrialState, create_trial

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = optuna.pruners.PercentilePruner(percentile, n_startup_trials=5, n_warmup_steps=warmup)
    study, stopped, known = optuna.create_study(), 0, set()
    course = Course(MedianRule(percentile=percentile, warmup=warmup, compare="value"), 1)
    for _, told, stops in course.verdicts():
        for trial, (reports, done) in course.ended.items():
            if done and trial not in known:
                values = dict(enumerate(reports, 1))
                study.add_trial(create_trial(value=reports[-1], intermediate_values=values))
            known.add(trial)
        running = create_trial(state=TrialState.RUNNING, intermediate_values=dict(enumerate(told, 1)))
        assert stops == pruner.prune(study, running)
        stopped += stops
    assert stopped > 3


def test_patience_counts_the_reports_since_the_last_that_was_better_by_more_than_a_little():
    rule = PatienceRule(reports=3, min_delta=0.1)
    losses = [1.0, 0.95, 0.8, 0.75, 0.74, 0.73, 0.73]
    assert [rule.stops(0, r, (0.0, loss)) for r, loss in enumerate(losses, 1)] == [*[False] * 5, True, True]
    assert not rule.stops(1, 1, (0.0, 5.0)), "each trial by itself"


class Told:
    """The searcher's ears."""

    def __init__(self, searcher):
        self.results, self.over = [], []
        searcher.on_outcome = lambda _, resource, outcome: self.results.append((resource, outcome.loss))
        searcher.on_failed = self.over.append


def median(**options):
    rules = [{"median": {"min_completed": 2, **options}}]
    return build_scheduler("MEDIAN", SPACE, max_resource=LAST, seed=0, rules=rules)


def train(scheduler, trial_id, curve, complete=True):
    """Decisions up to the first STOP."""
    trial = Trial(trial_id, scheduler.suggest().configuration)
    scheduler.on_start(trial)
    decisions = []
    for resource, result in enumerate(curve, 1):
        outcome = result if isinstance(result, ReportOutcome) else ReportOutcome(result)
        decisions.append(scheduler.on_outcome(trial, resource, outcome))
        if decisions[-1] == Decision.STOP:
            return decisions
    if complete:
        scheduler.on_complete(trial)
    return decisions


def test_the_searcher_hears_of_a_stopped_trial_as_of_one_that_ended_there():
    scheduler = median()
    told = Told(scheduler.searcher)
    for trial_id in range(2):
        train(scheduler, trial_id, [1.0] * LAST)
    assert train(scheduler, 2, [0.9, 2.0, *[2.0] * 7]) == [Decision.CONTINUE] * LAST, "its best is what counts"
    assert train(scheduler, 3, [2.0]) == [Decision.STOP]
    assert told.results == [(9, 1.0), (9, 1.0), (9, 2.0), (1, 2.0)]
    assert len(told.over) == 4


def test_the_last_report_stops_nothing():
    scheduler = median(warmup=LAST)
    for trial_id in range(3):
        assert train(scheduler, trial_id, [1.0 + trial_id] * LAST) == [Decision.CONTINUE] * LAST


def test_a_trial_that_failed_counts_neither_as_completed_nor_among_the_others():
    scheduler = median()
    for trial_id in range(6):
        train(scheduler, trial_id, [0.0] * (LAST - 1), complete=False)
        scheduler.on_error(Trial(trial_id, {}))
    for trial_id in (6, 7):
        train(scheduler, trial_id, [1.0] * LAST)
    assert train(scheduler, 8, [1.0] * LAST) == [Decision.CONTINUE] * LAST


def test_a_trial_that_only_diverged_is_stopped_and_one_that_once_did_not_goes_on():
    scheduler = median()
    for trial_id in (0, 1):
        train(scheduler, trial_id, [1.0] * LAST)
    assert train(scheduler, 2, [math.inf]) == [Decision.STOP]
    assert train(scheduler, 3, [1.0, math.inf])[-1] == Decision.CONTINUE


def test_what_breaks_a_constraint_is_behind_what_does_not():
    scheduler = median()
    for trial_id in (0, 1, 2):
        train(scheduler, trial_id, [1.0] * LAST)
    assert train(scheduler, 3, [ReportOutcome(0.1, violation=0.5)]) == [Decision.STOP]
    assert train(scheduler, 4, [ReportOutcome(1.0)]) == [Decision.CONTINUE]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([], r"rules=\[\]: name one, such as"),
        ([{"mean": {}}], r"\{'mean': \{\}\} is not a rule; write each as .* one of median, patience"),
        ([{"median": {"percentile": 101}}], r"rules\.median\.percentile=101: use a number from 0 to 100"),
        ([{"median": {"warmup": 0}}], r"rules\.median\.warmup=0: use a positive whole number"),
        ([{"median": {"compare": "best"}}], r"rules\.median\.compare=best: use mean or value"),
        ([{"median": {"percent": 5}}], r"rules\.median: .*percent.*; check its arguments"),
        ([{"patience": {"reports": 0}}], r"rules\.patience\.reports=0: use a positive whole number"),
        ([{"patience": {"min_delta": -1}}], r"rules\.patience\.min_delta=-1: use a number of at least 0"),
    ],
)
def test_a_wrong_rule_is_an_error_that_names_it(rules, said):
    with pytest.raises(ConfigError, match=said):
        build_scheduler("MEDIAN", SPACE, max_resource=LAST, seed=0, rules=rules)
