"""ThriftyASHA: what a promotion may cost, what is done instead, and that a log brings it to the same state."""

import pytest

from hpo import Resume, Start, Trial, build_scheduler
from hpo.errors import ConfigError
from hpo.events.state import ExperimentState
from hpo.events.types import Decision, Kind
from hpo.schedulers.replay import verify
from hpo.tuner.stopping import Budget
from tests.support.fakes import SPACE, FakeExperiment, Lose

TINY = {"a": {"type": "choice", "values": ["p", "q", "r", "s"]}}


def made(space=SPACE, *, first_goes_on=False, **options):
    return build_scheduler("ASHA-GP-TIME", space, max_resource=27, seed=0, first_goes_on=first_goes_on, **options)


def train(scheduler, *results):
    """New trials to the first rung, whatever may be promoted, each with a loss and the seconds it took."""
    for loss, seconds in results:
        start = scheduler.make_start(scheduler.searcher.propose())
        scheduler.accept(start)
        trial = Trial(len(scheduler._reached), start.configuration)
        scheduler.on_start(trial)
        scheduler.on_cost(trial, 1, seconds)
        assert scheduler.on_report(trial, 1, loss) == Decision.PAUSE


def go_on(scheduler, trial_id, resource, loss, seconds):
    """A report of a trial that was promoted."""
    trial = Trial(trial_id, scheduler._configurations[trial_id])
    scheduler.on_cost(trial, resource, seconds)
    return scheduler.on_report(trial, resource, loss)


@pytest.mark.parametrize(("last", "suggested"), [(8.9, Start), (9.0, Resume)])
def test_a_promotion_waits_until_all_trials_have_trained_for_as_long_as_it_will_take(last, suggested):
    scheduler = made()
    train(scheduler, (0.1, 10.0), (0.5, 1.0), (0.6, last))  # the best of three would take two more units of 10 seconds
    assert isinstance(scheduler.propose(), suggested)


def test_the_next_best_that_may_go_on_and_can_be_afforded_goes_first():
    scheduler = made()
    train(scheduler, (0.1, 100.0), *[(0.5 + i / 10, 1.0) for i in range(6)])  # of seven the best three may go on
    assert scheduler.suggest() == Resume(1, 3)
    assert scheduler.suggest() == Resume(2, 3)
    assert isinstance(scheduler.propose(), Start)


def test_what_a_trial_has_trained_counts_once():
    scheduler = made()
    train(scheduler, (0.1, 1.0), (0.5, 1.0), (0.6, 1.0), (0.7, 1.0))  # of four the best two may go on
    assert scheduler.suggest() == Resume(0, 3)
    assert go_on(scheduler, 0, 2, 0.1, 2.0) == Decision.CONTINUE
    assert go_on(scheduler, 0, 3, 0.1, 7.5) == Decision.PAUSE
    assert scheduler.suggest() == Resume(1, 3)
    go_on(scheduler, 1, 3, 0.5, 3.0)
    # All have trained for 7.5 + 3 + 1 + 1 seconds; the best of the second rung would take 6 units of 7.5 / 3.
    assert isinstance(scheduler.propose(), Start)


def test_where_nothing_else_can_be_done_the_cheapest_promotion_is_made():
    scheduler = made(TINY)
    train(scheduler, (0.1, 1000.0), (0.2, 100.0), (0.3, 1.0), (0.4, 1.0))  # of four the best two may go on
    scheduler._spending.total = 0.0
    assert scheduler.propose() == Resume(1, 3)
    assert scheduler.propose(new_trials=False) == Resume(1, 3)


def test_the_first_trial_goes_to_its_end_at_once_and_no_other_does():
    scheduler = made(first_goes_on=True)
    train(scheduler, (0.1, 1.0))
    for level in (3, 9, 27):
        assert scheduler.suggest() == Resume(0, level)
        go_on(scheduler, 0, level, 0.1, float(level))
    train(scheduler, (0.05, 1.0), (0.2, 1.0))  # neither is alone in the first rung
    assert scheduler.suggest() == Resume(1, 3)
    assert go_on(scheduler, 1, 3, 0.2, 3.0) == Decision.PAUSE  # behind the first trial there
    assert isinstance(scheduler.propose(), Start)


def test_a_trial_that_is_not_the_first_waits_for_a_second_one():
    scheduler = made(first_goes_on=True)
    train(scheduler, (0.5, 1.0), (0.1, 1.0))
    assert scheduler.suggest() == Resume(1, 3)  # the better of two, as in ASHA
    assert go_on(scheduler, 1, 3, 0.1, 3.0) == Decision.PAUSE
    assert isinstance(scheduler.propose(), Start)


def test_what_is_neither_true_nor_false_is_one_sentence():
    with pytest.raises(ConfigError, match=r"method\.scheduler\.first_goes_on='often': use true or false"):
        made(first_goes_on="often")


def test_without_seconds_it_decides_as_asha_gp_does():
    ours, theirs = made(), build_scheduler("ASHA-GP", SPACE, max_resource=27, seed=0)
    trials = []
    for number in range(120):
        suggestion = ours.suggest()
        assert suggestion == theirs.suggest()
        if isinstance(suggestion, Start):
            trials.append(Trial(len(trials), suggestion.configuration))
        trial = trials[suggestion.trial_id] if isinstance(suggestion, Resume) else trials[-1]
        loss = (trial.configuration["x"] - 0.3) ** 2 + (number * 37 % 11) / 50
        for scheduler in (ours, theirs):
            if isinstance(suggestion, Start):
                scheduler.on_start(trial)
            scheduler.on_report(trial, suggestion.until, loss)


def test_times_of_the_log_are_told_again_as_they_were():
    """Trials of very different costs, interrupted ones among them: both promotions and proposals depend on the times."""

    def costly(trial_id, configuration):
        return 0.1 + 1000 * configuration["x"] ** 8 + trial_id / 7

    def experiment(method):
        return FakeExperiment(
            method,
            n_workers=3,
            max_resource=27,
            budget=Budget(max_num_trials=40),
            backend={"seconds": costly, "faults": {2: [Lose(1)], 7: [Lose(3, attempt=1)]}},
        )

    timed = experiment("ASHA-GP-TIME")
    timed.run()
    told = [e for e in timed.log.events if e.kind == Kind.REPORTED]
    assert len(told) > 60
    compared = [0]
    assert not list(
        verify(timed.scheduler(), ExperimentState(timed.objective), enumerate(timed.log.events, 1), compared)
    )
    assert compared[0] > 100
    plain = experiment("ASHA-GP")
    plain.run()
    made = [[e.body["configuration"] for e in one.log.events if e.kind == Kind.STARTED] for one in (timed, plain)]
    assert made[0][:6] == made[1][:6]
    assert made[0] != made[1]
