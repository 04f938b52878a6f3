"""DEHB: Hyperband with differential evolution (Awad, Mallik & Hutter, "DEHB", IJCAI 2021).

Every rung has a population with a fixed number of members. The first bracket is successive halving over random
configurations, which become the members. In every later bracket, each member of a rung is challenged by a child, which is
trained from scratch and replaces the member if it is better.
"""

from dataclasses import dataclass

from hpo.errors import ConfigError
from hpo.events.outcome import ReportOutcome
from hpo.events.types import Configuration, Decision, Resume, Start, Suggestion, Trial
from hpo.randomness import Randomness
from hpo.schedulers.bracket import Bracket, bracket_sizes
from hpo.schedulers.capabilities import SchedulerCapabilities
from hpo.schedulers.halving import Halving
from hpo.schedulers.rungs import Order
from hpo.searchers.base import Searcher
from hpo.surrogate.differential_evolution import DifferentialEvolution

LEAST = 3
"""Smallest number of parents from which a child can be made."""


@dataclass(eq=False)
class _EvolvingBracket:
    """The progress of a bracket after the first, whose trials are children of existing members."""

    first: int
    """Index of the bracket's lowest rung."""
    rung: int
    begun: int = 0
    """Number of children of the current rung that have started."""
    running: int = 0


@dataclass(frozen=True, slots=True)
class _Place:
    """The position of a trial: its bracket, its rung, and its index in the rung's population."""

    bracket: _EvolvingBracket | None
    """Bracket of the trial; None for the first bracket."""
    rung: int
    index: int


class DEHB(Halving):
    """DEHB: brackets of successive halving whose configurations evolve by differential evolution.

    Each bracket skips one more of the lowest rungs than the one before; after the last bracket they begin again. In the
    lowest rung of a bracket, the parents of a child are the rung's population. In higher rungs they are the best members
    of the rung below. If these are fewer than three, the population of the rung is added, and then those of the other
    rungs. While a rung waits for its last trials, free workers begin the next bracket. The first bracket pauses trials,
    so that scripts should save checkpoints.

    Args:
        searcher: Searcher that proposes the configurations of the first bracket.
        max_resource: Resource R at which a trial is complete.
        randomness: Source of random numbers for mutation and crossover.
        min_resource: Resource of the lowest rung.
        reduction_factor: Ratio η of each rung's resource to that of the rung below.
        factor: Mutation factor F, by which the difference of two parents is multiplied before it is added to a third.
        crossover: Probability that a hyperparameter of a child comes from the mutant.

    Raises:
        ConfigError: The arguments leave no rung, or one is out of range.
    """

    capabilities = SchedulerCapabilities(
        pauses=True, conditions=False, constraints=True, violations="ranked", proposals="ranked", box=False
    )

    def __init__(
        self,
        searcher: Searcher,
        *,
        max_resource: int | None,
        randomness: Randomness,
        min_resource: int = 1,
        reduction_factor: float = 3,
        factor: float = 0.5,
        crossover: float = 0.5,
    ) -> None:
        super().__init__(
            searcher,
            max_resource=max_resource,
            min_resource=min_resource,
            reduction_factor=reduction_factor,
            brackets=None,
        )
        if not 0 < factor <= 2:
            raise ConfigError(f"method.scheduler.factor={factor}: use a number above 0 and up to 2")
        if not 0 <= crossover <= 1:
            raise ConfigError(f"method.scheduler.crossover={crossover}: use a number from 0 to 1")
        self._randomness = randomness
        self._evolution = DifferentialEvolution(searcher.space, factor, crossover)
        self._sizes = bracket_sizes(self.steps, 0)
        self._halving = Bracket(self.steps, self._sizes)
        self._populations: list[list[tuple[Order, int] | None]] = [[None] * size for size in self._sizes]
        self._evolving: list[_EvolvingBracket] = []  # unfinished brackets, oldest first
        self._opened = 1
        self._halved = [0] * len(self.steps)  # number of trials of the first bracket sent to each rung
        self._places: dict[int, _Place] = {}
        self._unnumbered: list[_Place] = []  # of accepted starts that have no trial id yet

    def propose(self, *, new_trials: bool = True) -> Suggestion | None:
        """Return a promotion in the first bracket, else a new trial, else a promotion from a rung that is not full."""
        if (trial_id := self._halving.next()) is not None:
            return Resume(trial_id, self._halving.resource)
        configuration = self._propose_new() if new_trials else None
        if configuration is not None:
            return self.make_start(configuration)
        found = self._halving.next_if_closed()
        return None if found is None else Resume(*found)

    def make_start(self, configuration: Configuration) -> Start:
        """Return the start of a new trial that trains up to the rung in which the next member or child is due."""
        return Start(configuration, self.steps[self._next_place().rung])

    def _next_place(self) -> _Place:
        if self._halving.has_room:
            return _Place(None, 0, self._halved[0])
        bracket = next((one for one in self._evolving if one.begun < self._sizes[one.rung]), None)
        if bracket is None:
            first = self._opened % self.brackets
            bracket = _EvolvingBracket(first, first)
        return _Place(bracket, bracket.rung, bracket.begun)

    def _propose_new(self) -> Configuration | None:
        place = self._next_place()
        parents = [] if place.bracket is None else self._parents(place.bracket)
        if len(parents) < LEAST or self.searcher.begins:
            return self.searcher.propose()
        member = self._populations[place.rung][place.index]
        rng, target = (
            self._randomness.stream("dehb", self.searcher.suggested),
            member and self._configurations[member[1]],
        )
        child = self._evolution.child(rng, parents, target, self.searcher.is_known)
        return child or self.searcher.draw_new("initial")

    def _parents(self, bracket: _EvolvingBracket) -> list[Configuration]:
        """Return the parents of the next child in a bracket: at least three, if so many trials have a result."""
        rung = bracket.rung
        populations = [[member for member in members if member is not None] for members in self._populations]
        known = populations[rung]
        if rung != bracket.first:
            known = sorted(populations[rung - 1])[: self._sizes[rung]]
        found: dict[int, None] = {}  # used as an ordered set
        for pool in (known, populations[rung], *reversed(populations)):
            if len(found) < LEAST:
                found |= {trial_id: None for _, trial_id in pool}
        return [self._configurations[trial_id] for trial_id in found]

    def accept(self, suggestion: Suggestion) -> None:
        """Record an accepted suggestion; for a new trial, reserve its place in a bracket."""
        super().accept(suggestion)
        if isinstance(suggestion, Start):
            place = self._next_place()
            if place.bracket is None:
                self._halving.reserve()
                self._halved[0] += 1
            else:
                if place.bracket not in self._evolving:
                    self._evolving.append(place.bracket)
                    self._opened += 1
                place.bracket.begun += 1
                place.bracket.running += 1
            self._unnumbered.append(place)

    def on_start(self, trial: Trial) -> None:
        """Record that a trial has started in the place reserved for it."""
        place = self._unnumbered.pop(0)
        if place.bracket is None:
            self._halving.begin(trial.id)
        self._places[trial.id] = place
        self._configurations[trial.id] = trial.configuration
        self.searcher.on_pending(trial.configuration, self.steps[place.rung])

    def _on_resume(self, resume: Resume) -> None:
        self._halving.resume(resume.trial_id)
        rung = self._places[resume.trial_id].rung + 1
        self._places[resume.trial_id] = _Place(None, rung, self._halved[rung])
        self._halved[rung] += 1
        self.searcher.on_pending(self._configurations[resume.trial_id], self.steps[rung])

    def on_outcome(self, trial: Trial, resource: int, outcome: ReportOutcome) -> Decision:
        """Return PAUSE at a rung of the first bracket, STOP at a rung of a later bracket or at the maximum, else CONTINUE."""
        self.searcher.on_report(trial.configuration, resource)
        place = self._places[trial.id]
        target = self.steps[place.rung]
        if resource < target:
            return Decision.CONTINUE
        self.searcher.on_outcome(trial.configuration, target, outcome)
        population = self._populations[place.rung]
        member = population[place.index]
        if member is None or outcome.order < member[0]:
            population[place.index] = outcome.order, trial.id
        if place.bracket is not None:
            self._finish(trial)
            return Decision.STOP
        self._halving.record(trial.id, outcome.order)
        return Decision.STOP if target >= self.maximum else Decision.PAUSE

    def _leave(self, trial: Trial) -> None:
        """Remove a trial that has ended early; its place in the rung stays empty."""
        place = self._places.get(trial.id)
        if place is not None and place.bracket is None:
            self._halving.lose(trial.id)
        elif place is not None:
            self._finish(trial)

    def _finish(self, trial: Trial) -> None:
        """Record that a child has finished; after the last child of a rung, the bracket moves to the next rung."""
        bracket = self._places.pop(trial.id).bracket
        assert bracket is not None
        bracket.running -= 1
        if not bracket.running and bracket.begun == self._sizes[bracket.rung]:
            bracket.rung, bracket.begun = bracket.rung + 1, 0
            if bracket.rung == len(self.steps):
                self._evolving = [one for one in self._evolving if one is not bracket]
