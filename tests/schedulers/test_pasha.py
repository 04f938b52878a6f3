"""PASHA against its definition by brute force, and the cap that ASHA has not."""

import itertools
import math
import random

import numpy as np
import pytest

from hpo import Resume, Start, Trial, build_scheduler
from hpo.events.outcome import ReportOutcome
from hpo.schedulers.pasha import RankingNoise
from tests.support.fakes import SPACE

STEPS = [1, 3, 9, 27]


def literal_noise(curves):
    """The 90 % quantile over all pairs that change order and change it back, at their last common resource."""
    differences = []
    for one, other in itertools.combinations(curves.values(), 2):
        common = sorted(set(one) & set(other))
        signs = [np.sign(one[r] - other[r]) for r in common if one[r] != other[r]]
        turns = sum(a != b for a, b in itertools.pairwise(signs))
        if turns >= 2:
            differences.append(abs(one[common[-1]] - other[common[-1]]))
    return np.percentile(differences, 90) if differences else None


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_that_of_all_pairs_that_overtake_each_other_there_and_back(seed):
    rng = random.Random(seed)
    crossings, curves = RankingNoise(), {trial: {} for trial in range(8)}
    for _ in range(50):
        trial = rng.randrange(8)
        if len(curves[trial]) < 7:
            loss = rng.choice([trial + rng.gauss(0, 2), 1.0])
            curves[trial][4 + len(curves[trial])] = loss
            crossings.add(trial, 3 + len(curves[trial]), loss)
        expected = literal_noise(curves)
        assert crossings.noise() == (None if expected is None else pytest.approx(expected))
    assert crossings.noise() is not None


class Course:
    """Four workers whose trials report in a random order; every report is remembered."""

    def __init__(self, scheduler, seed, noise, trials=40):
        self.scheduler, self.rng, self.spread = scheduler, random.Random(seed), noise
        self.curves, self.until, self.reports, self.going, self.most = {}, {}, [], [], trials
        self.configurations = {}

    def reports_told(self):
        """The reports so far, after each one of them."""
        while True:
            while len(self.going) < 4 and (
                suggestion := self.scheduler.suggest(new_trials=len(self.curves) < self.most)
            ):
                assert suggestion.until <= self.scheduler.cap
                self._begin(suggestion)
            if not self.going:
                return
            trial = self.rng.choice(self.going)
            resource = len(self.curves[trial]) + 1
            loss = trial % 7 + self.rng.gauss(0, self.spread) / resource
            self.curves[trial].append(loss)
            self.scheduler.on_outcome(Trial(trial, self.configurations[trial]), resource, ReportOutcome(loss))
            self.reports.append((trial, resource, loss))
            if resource == self.until[trial]:
                self.going.remove(trial)
            yield self.reports

    def _begin(self, suggestion):
        trial = suggestion.trial_id if isinstance(suggestion, Resume) else len(self.curves)
        if isinstance(suggestion, Start):
            self.curves[trial], self.configurations[trial] = [], suggestion.configuration
            self.scheduler.on_start(Trial(trial, suggestion.configuration))
        self.until[trial] = suggestion.until
        self.going.append(trial)


def literal_cap(reports):
    """The cap after these reports, everything computed anew whenever a trial gets to it."""
    top, noise, since = 1, 0.0, {}
    at = {step: {} for step in STEPS}
    for trial, resource, loss in reports:
        if resource in at:
            at[resource][trial] = loss
        if top == len(STEPS) - 1:
            continue
        if STEPS[top - 1] < resource <= STEPS[top]:
            since.setdefault(trial, {})[resource] = loss
        if resource != STEPS[top]:
            continue
        found = literal_noise(since)
        noise = noise if found is None else found
        below = {one: at[STEPS[top - 1]][one] for one in at[resource]}
        ranking = sorted(at[resource], key=lambda one: (at[resource][one], one))
        places = sorted(below, key=lambda one: (below[one], one))
        groups = [{one for one in below if abs(below[one] - below[place]) <= noise} for place in places]
        if any(one not in group for one, group in zip(ranking, groups, strict=True)):
            top, since = top + 1, {}
    return STEPS[top]


@pytest.mark.parametrize(("noise", "highest"), [(0.0, 3), (0.3, None), (6.0, 27)])
def test_the_cap_goes_up_when_the_rankings_of_the_two_top_rungs_differ_by_more_than_noise(noise, highest):
    caps = set()
    for seed in range(3):
        scheduler = build_scheduler("PASHA", SPACE, max_resource=27, seed=seed)
        for reports in Course(scheduler, seed, noise).reports_told():
            if reports[-1][1] in STEPS:
                assert scheduler.cap == literal_cap(reports)
        caps.add(scheduler.cap)
    assert highest is None or max(caps) == highest


def test_with_the_cap_at_the_maximum_it_decides_as_asha():
    capped, plain = (build_scheduler(name, SPACE, max_resource=3, seed=0) for name in ("PASHA", "ASHA"))
    courses = [list(Course(s, 0, 2.0).reports_told())[-1] for s in (_with_cap(capped), _with_cap(plain))]
    assert courses[0] == courses[1]
    assert any(resource == 3 for _, resource, _ in courses[0])


def _with_cap(scheduler):
    assert scheduler.cap == 3
    return scheduler


def test_a_trial_that_diverges_is_no_noise_and_is_ranked_last():
    scheduler = build_scheduler("PASHA", SPACE, max_resource=27, seed=0)
    trials = []
    for number in range(4):
        trials.append(Trial(number, scheduler.suggest().configuration))
        scheduler.on_start(trials[-1])
    for trial, loss in zip(trials, (0.1, 0.2, 0.3, 0.4), strict=True):
        scheduler.on_outcome(trial, 1, ReportOutcome(loss))
    resumed = scheduler.suggest()
    scheduler.on_outcome(trials[resumed.trial_id], 2, ReportOutcome(math.inf))
    scheduler.on_outcome(trials[resumed.trial_id], 3, ReportOutcome(math.inf))
    assert scheduler.cap == 3, "alone there, it stands where it stood"
    following = scheduler.suggest()
    assert isinstance(following, Resume)
    scheduler.on_outcome(trials[following.trial_id], 3, ReportOutcome(0.2))
    assert scheduler.cap == 9, "the one that diverged was ahead below"
