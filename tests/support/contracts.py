"""What every searcher and every scheduler must do, whoever wrote it.

A test module gives a fixture `factory` and subclasses the suite:

    class TestEverySearcher(SearcherContract): ...

Backends have theirs in `backend_contract`. For searchers it is
`factory(space, *, seed=0, random_seed=0, points_to_evaluate=None) -> Searcher`, for schedulers
`factory(*, seed=0, random_seed=0) -> Scheduler` over a space with at least 40 configurations and a maximum of 9.
"""

import math
import random
from dataclasses import dataclass, field

import pytest

from hpo.events.objective import Objective
from hpo.events.outcome import ReportOutcome
from hpo.events.state import ExperimentState
from hpo.events.types import Configuration, Decision, Event, Kind, Resume, Start, Status, Suggestion, Trial
from hpo.randomness import canonical
from hpo.schedulers.base import Scheduler
from hpo.schedulers.replay import event_body, feed, restore, tell_end, tell_result, verify
from hpo.searchers import Searcher
from hpo.space.search_space import parse_space
from tests.support.fakes import OBJECTIVE

MIXED = parse_space(
    {
        "lr": {"type": "float", "lower": 1e-4, "upper": 1.0, "log": True},
        "layers": {"type": "int", "lower": 1, "upper": 40},
        "width": {"type": "ordinal", "values": [32, 64, 128]},
        "act": {"type": "choice", "values": ["relu", "tanh", "gelu"]},
    }
)
CONDITIONAL = parse_space(
    {
        "act": {"type": "choice", "values": ["relu", "tanh"]},
        "lr": {"type": "float", "lower": 1e-4, "upper": 1.0, "log": True},
        "slope": {"type": "float", "lower": 0.0, "upper": 1.0, "when": {"act": "relu"}},
        "layers": {"type": "int", "lower": 1, "upper": 4},
        "width": {"type": "ordinal", "values": [32, 64, 128], "when": {"layers": {"lower": 2}, "act": ["relu"]}},
        "norm": {"type": "choice", "values": ["batch", "layer", "none"], "when": {"width": [64, 128]}},
    }
)
"""At least 40 configurations, of which each has between three and six hyperparameters."""
SPACES = pytest.mark.parametrize("space", [MIXED, CONDITIONAL], ids=["mixed", "conditional"])
CENTRE = {"layers": (20, 21), "width": (64,), "act": ("relu",)}
SMALL = parse_space(
    {
        "a": {"type": "choice", "values": ["p", "q", "r"]},
        "b": {"type": "int", "lower": 1, "upper": 4},
        "c": {"type": "ordinal", "values": [1, 10]},
    }
)
BRANCHES = parse_space(
    {
        "a": {"type": "choice", "values": ["p", "q", "r"]},
        "b": {"type": "int", "lower": 1, "upper": 5, "when": {"a": "p"}},
        "c": {"type": "ordinal", "values": [1, 10, 20], "when": {"b": {"upper": 4}}},
        "d": {"type": "choice", "values": [True, False, None], "when": {"a": "q"}},
    }
)
EVERYTHING_SMALL = {canonical({"a": a, "b": b, "c": c}) for a in "pqr" for b in range(1, 5) for c in (1, 10)}
EVERYTHING_IN_BRANCHES = {
    canonical(one)
    for one in (
        *({"a": "p", "b": b, "c": c} for b in range(1, 5) for c in (1, 10, 20)),
        *({"a": "q", "d": d} for d in (True, False, None)),
        {"a": "p", "b": 5},
        {"a": "r"},
    )
}
MAXIMUM = 9


def take(searcher: Searcher, count: int) -> list[Configuration | None]:
    """The next suggestions."""
    return [searcher.suggest() for _ in range(count)]


class SearcherContract:
    """Proposals are new, reproducible, and made without side effects."""

    @SPACES
    def test_no_configuration_comes_twice(self, factory, space):
        configurations = [canonical(c) for c in take(factory(space), 60) if c is not None]
        assert len(configurations) >= 45
        assert len(set(configurations)) == len(configurations)

    @SPACES
    def test_every_configuration_lies_in_the_space(self, factory, space):
        for configuration in take(factory(space), 30):
            assert list(configuration) == space.used_names(configuration)
            assert all(value in space.domains[name] for name, value in configuration.items())

    def test_equal_seeds_give_equal_sequences(self, factory):
        assert take(factory(MIXED, seed=3), 20) == take(factory(MIXED, seed=3), 20)

    def test_another_seed_gives_another_sequence(self, factory):
        assert take(factory(MIXED, seed=3), 20)[1:] != take(factory(MIXED, seed=4), 20)[1:]

    def test_another_master_seed_gives_another_sequence(self, factory):
        assert take(factory(MIXED, random_seed=3), 20)[1:] != take(factory(MIXED, random_seed=4), 20)[1:]

    def test_a_proposal_changes_nothing(self, factory):
        asked, silent = factory(SMALL), factory(SMALL)
        for _ in range(25):
            first, second = asked.propose(), asked.propose()
            assert first == second
            assert asked.suggest() == first
            assert silent.suggest() == first

    @SPACES
    def test_results_and_failures_are_taken_without_complaint(self, factory, space):
        searcher = factory(space)
        for loss in (1.0, -1.0, math.inf, 0.5):
            configuration = searcher.suggest()
            searcher.on_pending(configuration, 1)
            searcher.update(configuration, 1, loss)
            searcher.on_failed(configuration)
        assert searcher.suggest() is not None

    @pytest.mark.parametrize("space", [MIXED, SMALL, CONDITIONAL], ids=["mixed", "small", "conditional"])
    def test_a_searcher_told_a_prefix_goes_on_as_the_first_one_did(self, factory, space):
        sequence = take(factory(space, seed=1), 26)
        for told in (0, 1, 2, 5, 6, 7, 13, 23, 24, 25):
            restored = factory(space, seed=1)
            for configuration in sequence[:told]:
                if configuration is not None:
                    restored.accept(configuration)
            assert restored.suggest() == sequence[told]

    @pytest.mark.parametrize(
        ("space", "everything"),
        [(SMALL, EVERYTHING_SMALL), (BRANCHES, EVERYTHING_IN_BRANCHES)],
        ids=["small", "branches"],
    )
    def test_a_finite_space_is_gone_through_once_and_then_it_is_over(self, factory, space, everything):
        searcher = factory(space)
        given = take(searcher, len(everything))
        assert None not in given
        assert {canonical(c) for c in given} == everything
        assert take(searcher, 3) == [None, None, None]

    def test_an_exhausted_space_includes_the_initial_points(self, factory):
        points = [{"a": "r", "b": 4, "c": 10}, {"a": "q", "b": 1, "c": 1}]
        searcher = factory(SMALL, points_to_evaluate=points)
        given = take(searcher, 24)
        assert given[:2] == points
        assert {canonical(c) for c in given} == EVERYTHING_SMALL
        assert searcher.suggest() is None

    def test_the_centre_comes_first_when_no_points_are_given(self, factory):
        first = factory(MIXED).suggest()
        assert first["lr"] == pytest.approx(1e-2)
        assert all(first[name] in values for name, values in CENTRE.items())

    def test_no_points_means_that_the_centre_is_nothing_special(self, factory):
        first = factory(MIXED, points_to_evaluate=[]).suggest()
        assert first != factory(MIXED).suggest()

    def test_points_come_first_and_are_completed_by_defaults(self, factory):
        points = [{"act": "gelu"}, {"lr": 0.5, "layers": 3, "width": 32, "act": "tanh"}]
        first, second, third = take(factory(MIXED, points_to_evaluate=points), 3)
        assert first["act"] == "gelu"
        assert first["lr"] == pytest.approx(1e-2)
        assert first["width"] == 64
        assert second == points[1]
        assert third not in (first, second)

    def test_equal_points_are_evaluated_once(self, factory):
        points = [{"act": "gelu"}, {"act": "gelu"}, {"act": "tanh"}]
        given = take(factory(MIXED, points_to_evaluate=points), 3)
        assert [c["act"] for c in given[:2]] == ["gelu", "tanh"]
        assert given[2] not in given[:2]


@dataclass
class Driver:
    """Plays the tuner: several workers that report in a random but seeded order.

    It keeps a log and a state, and checks on the way what must hold whatever a scheduler decides.
    """

    scheduler: Scheduler
    seed: int
    n_workers: int = 3
    halving: bool = True
    closes_rungs: bool = False
    """More trials may go on where no new one may start."""
    ask_often: bool = False
    most_trials: int = 40
    failures: float = 0.05
    objective: Objective = OBJECTIVE
    state: ExperimentState = field(init=False)
    events: list[Event] = field(default_factory=list)
    proposals: dict[int, Suggestion | None] = field(default_factory=dict)
    """What was proposed after so many events."""

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.state = ExperimentState(self.objective)
        self.going: dict[int, int | None] = {}  # trial id: until
        self.failed: set[int] = set()

    def run(self, steps: int) -> "Driver":
        for _ in range(steps):
            if len(self.going) < self.n_workers and self.rng.random() < 0.6:
                self._ask()
            elif self.going:
                self._report(self.rng.choice(sorted(self.going)))
        return self

    def _ask(self) -> None:
        new_trials = len(self.state.trials) < self.most_trials
        if self.ask_often:
            self._check_proposals()
        suggestion = self.scheduler.suggest(new_trials=new_trials)
        self.proposals[len(self.events)] = suggestion
        if isinstance(suggestion, Start):
            assert new_trials
            trial = Trial(len(self.state.trials), suggestion.configuration)
            self.scheduler.on_start(trial)
            self._emit(Kind.STARTED, trial.id, None, event_body(suggestion, new_trials=new_trials))
            self.going[trial.id] = suggestion.until
        elif isinstance(suggestion, Resume):
            state = self.state.trials[suggestion.trial_id]
            assert state.status == Status.PAUSED, "only a paused trial can be resumed"
            assert state.trial.id not in self.failed, "a failed trial is over"
            assert all(map(math.isfinite, state.losses)), "a trial that diverged is not promoted"
            assert suggestion.until > state.resource, "a promotion leads on"
            self._emit(Kind.RESUMED, state.trial.id, None, event_body(suggestion, new_trials=new_trials))
            self.going[state.trial.id] = suggestion.until

    def _check_proposals(self) -> None:
        any_trial = self.scheduler.propose()
        resumed = self.scheduler.propose(new_trials=False)
        assert not isinstance(resumed, Start)
        assert any_trial == self.scheduler.propose()
        if resumed is not None and (isinstance(any_trial, Resume) or not self.closes_rungs):
            assert any_trial == resumed, "a promotion comes before a new trial"

    def _report(self, trial_id: int) -> None:
        state = self.state.trials[trial_id]
        resource = state.resource + 1
        if self.rng.random() < self.failures:
            self._end(trial_id, Status.FAILED)
            return
        names = [aim.metric for aim in self.objective.aims] or ["error"]
        metrics = {name: self._value() for name in names} | {"epoch": resource}
        outcome, elapsed = self.objective.outcome(metrics, resource), float(len(self.events))
        decision = tell_result(self.scheduler, self.state, state.trial, resource, outcome, elapsed=elapsed)
        assert isinstance(decision, Decision)
        body = {"metrics": metrics, "decision": decision.value, "position": 0}
        self._emit(Kind.REPORTED, trial_id, resource, body)
        if resource == MAXIMUM:
            assert decision == (Decision.STOP if self.halving else Decision.CONTINUE)
            self._end(trial_id, Status.COMPLETED)
        elif decision != Decision.CONTINUE:
            self._end(trial_id, Status.PAUSED if decision == Decision.PAUSE else Status.STOPPED)
        else:
            until = self.going[trial_id]
            assert until is None or resource < until, "a script that ended by itself is not running on"

    def _value(self) -> float:
        return self.rng.choice([self.rng.random(), 0.25, 0.5, self.rng.random(), self.rng.random(), math.nan])

    def _end(self, trial_id: int, status: Status) -> None:
        if status == Status.FAILED:
            self.failed.add(trial_id)
        del self.going[trial_id]
        tell_end(self.scheduler, self.state.trials[trial_id].trial, status)
        self._emit(Kind.ENDED, trial_id, None, {"status": status.value})

    def _emit(self, kind: Kind, trial: int, resource: int | None, body: dict) -> None:
        event = Event(
            kind,
            float(len(self.events)),
            0.0,
            trial,
            self.state.trials[trial].attempt if trial in self.state.trials else 0,
            resource,
            body,
        )
        self.state.apply(event)
        self.events.append(event)


class SchedulerContract:
    """Decisions follow from what was told, and from nothing else."""

    def drive(self, factory, seed: int, steps: int = 160, **options) -> Driver:
        names = ("halving", "closes_rungs", "objective")
        kind = {name: getattr(factory, name) for name in names if hasattr(factory, name)}
        return Driver(factory(), seed, **kind, **options).run(steps)

    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("n_workers", [1, 4])
    def test_what_must_hold_holds_whatever_the_order_of_reports(self, factory, seed, n_workers):
        driver = self.drive(factory, seed, n_workers=n_workers, failures=0.1, ask_often=True)
        assert len(driver.state.trials) > 3

    def test_equal_calls_give_equal_decisions(self, factory):
        assert repr(self.drive(factory, 1).events) == repr(self.drive(factory, 1).events)

    def test_a_proposal_changes_nothing(self, factory):
        asked, silent = self.drive(factory, 2, ask_often=True), self.drive(factory, 2)
        assert repr(asked.events) == repr(silent.events)

    def test_suggest_returns_what_was_proposed(self, factory):
        scheduler = factory()
        for trial_id in range(5):
            proposed = scheduler.propose()
            assert scheduler.suggest() == proposed
            scheduler.on_start(Trial(trial_id, proposed.configuration))

    def test_no_new_trial_starts_when_none_may(self, factory):
        driver = self.drive(factory, 3, most_trials=5)
        assert len(driver.state.trials) <= 5
        assert not isinstance(driver.scheduler.suggest(new_trials=False), Start)

    def test_no_configuration_is_started_twice(self, factory):
        driver = self.drive(factory, 4)
        configurations = [canonical(state.trial.configuration) for state in driver.state.trials.values()]
        assert len(set(configurations)) == len(configurations)

    @pytest.mark.long
    @pytest.mark.parametrize("seed", range(3))
    def test_a_scheduler_that_is_fed_a_prefix_goes_on_as_the_first_one_did(self, factory, seed):
        driver = self.drive(factory, seed, steps=100)
        for cut, suggestion in driver.proposals.items():
            if cut % 3:
                continue
            fresh, state = factory(), ExperimentState(driver.objective)
            restore(fresh, state, driver.events[:cut])
            new_trials = len(state.trials) < driver.most_trials
            assert fresh.suggest(new_trials=new_trials) == suggestion

    @pytest.mark.parametrize("seed", range(3))
    def test_every_decision_on_a_report_comes_out_again(self, factory, seed):
        driver = self.drive(factory, seed)
        fresh, state = factory(), ExperimentState(driver.objective)
        for event in driver.events:
            decision = feed(fresh, state, event)
            if event.kind == Kind.REPORTED:
                assert decision == event.body["decision"]
            state.apply(event)

    def test_a_log_verifies_without_a_difference(self, factory):
        driver, count = self.drive(factory, 5), [0]
        found = list(verify(factory(), ExperimentState(driver.objective), enumerate(driver.events), count))
        assert found == []
        assert count[0] == sum(e.kind in (Kind.STARTED, Kind.RESUMED, Kind.REPORTED) for e in driver.events)

    def test_a_trial_that_diverges_is_never_promoted(self, factory):
        scheduler, objective = factory(), getattr(factory, "objective", OBJECTIVE)
        diverged = ReportOutcome(math.inf, further=(0.0,) * len(objective.aims[1:]))

        def tell(trial, resource):
            if objective.takes_outcomes:
                return scheduler.on_outcome(trial, resource, diverged)
            return scheduler.on_report(trial, resource, math.inf)

        for trial_id in range(8):
            suggestion = scheduler.suggest()
            assert isinstance(suggestion, Start)
            trial = Trial(trial_id, suggestion.configuration)
            scheduler.on_start(trial)
            for resource in range(1, suggestion.until + 1):
                if tell(trial, resource) != Decision.CONTINUE:
                    break
        assert scheduler.suggest(new_trials=False) is None

    def test_a_failed_trial_is_never_promoted(self, factory):
        scheduler = factory()
        for trial_id in range(8):
            suggestion = scheduler.suggest()
            assert isinstance(suggestion, Start)
            trial = Trial(trial_id, suggestion.configuration)
            scheduler.on_start(trial)
            scheduler.on_error(trial)
        assert scheduler.suggest(new_trials=False) is None
