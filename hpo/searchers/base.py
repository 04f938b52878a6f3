"""What every searcher is: a proposal that reads the state, and an acceptance that changes it.

`propose` computes and changes nothing; `accept` records. `suggest` is both. Replaying a log calls `accept` with the
logged configurations and reaches the same state without computing a proposal again.
"""

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hpo.errors import ConfigError
from hpo.events.outcome import ReportOutcome
from hpo.events.values import Configuration
from hpo.randomness import Randomness, canonical
from hpo.space.search_space import SearchSpace
from hpo.surrogate.earlier import EarlierData

SHARED_RANDOM = 6
"""How many configurations, points to evaluate included, all methods with the same seeds have in common."""

OUTSIDE = 0.1
"""So many proposals are looked for everywhere where others stay in a part of the space."""

MOST_LISTED = 1_000_000
"""Configurations of a space that are listed to find the last ones."""

MOST_BRANCHES = 1_000
"""Of a space with conditions that are searched for the last ones."""


class Searcher(ABC):
    """Proposes configurations, never one twice.

    It starts with `points_to_evaluate` (the centre of the space when that is None), goes on with the shared random
    configurations that every method with the same seeds has, and then does what its class is for.

    Args:
        space: what is searched.
        randomness: the experiment's streams.
        points_to_evaluate: the first configurations; left-out hyperparameters get their default. `[]` means none.

    Raises:
        ConfigError: a point to evaluate does not lie in the space, or the space has conditions and the class takes none.
    """

    shared_random = SHARED_RANDOM
    learns_from_earlier = False
    """True takes results of earlier experiments into a model, by `learn_from`."""
    takes_box = False
    """True looks, but for a tenth of its proposals, in a part of the space, by `stay_in`."""
    takes_priors = True
    """False refuses spaces in which a hyperparameter has a `confidence`."""
    takes_conditions = True
    """False refuses spaces in which not all hyperparameters are always used."""
    takes_constraints = True
    """False refuses benchmarks with constraints."""
    takes_objectives = False
    """True takes several objectives, by `on_outcome`; False refuses benchmarks that have them."""
    cost_left = 1.0
    """The share that is left of what all trials together may cost; 1 where there is no such limit."""
    libraries: tuple[str, ...] = ()
    """Distributions that decide what is proposed: an experiment keeps their versions, for another may propose otherwise."""
    needs_complete = False
    """True refuses schedulers under which some trials end early."""

    def __init__(
        self,
        space: SearchSpace,
        randomness: Randomness,
        *,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        if space.conditions and not self.takes_conditions:
            raise ConfigError(
                f"method.searcher: {type(self).__name__} needs all hyperparameters in every configuration; remove "
                f"config_space.{next(iter(space.conditions))}.when, or use another method, such as ASHA"
            )
        if space.priors and not self.takes_priors:
            raise ConfigError(
                f"method.searcher: {type(self).__name__} knows nothing of priors; remove "
                f"config_space.{next(iter(space.priors))}.confidence, or use another method, such as ASHA-GP, BO or ASHA"
            )
        self.space = space
        self.randomness = randomness
        self.suggested = 0
        self._seen: set[str] = set()
        self._exhausted = False
        points = [{}] if points_to_evaluate is None else points_to_evaluate
        complete = [space.complete(point, f"points_to_evaluate[{i}]") for i, point in enumerate(points)]
        self._first = {canonical(point): point for point in complete}
        self._first_left = list(reversed(self._first))  # not suggested yet, the next one last
        self._earlier: frozenset[str] = frozenset()  # of earlier experiments, and not among those of this one
        self._box: SearchSpace | None = None
        self._repeated = 0  # suggestions that were such

    def start_with(self, configurations: Sequence[Configuration]) -> None:
        """The best of earlier experiments, to be suggested before all others, the one that would come first too.

        All later ones are those that would have been suggested without, as far as results do not change them.
        """
        earlier = {canonical(configuration): configuration for configuration in configurations}
        self._earlier = frozenset(earlier.keys() - self._first.keys())
        self._first = {**earlier, **self._first}
        self._first_left = list(reversed(self._first))

    def learn_from(self, sources: Sequence[EarlierData]) -> None:
        """Let the model learn from earlier experiments; only for those that say they can."""
        raise NotImplementedError(f"{type(self).__name__} has no model that learns from earlier experiments")

    def stay_in(self, box: SearchSpace) -> None:
        """Look, but for a tenth of all proposals, in a part of the space; only for those that say they can."""
        self._box = box

    @property
    def area(self) -> SearchSpace:
        """Where the next proposal is looked for: the space, or the part that it is to stay in."""
        if self._box is None or self.randomness.stream("outside", self.own).random() < OUTSIDE:
            return self.space
        return self._box

    @property
    def own(self) -> int:
        """How many were suggested that no earlier experiment brought: what random streams count by."""
        return self.suggested - self._repeated

    @property
    def begins(self) -> bool:
        """Are there configurations left that are suggested whatever the results: points to evaluate, and shared ones?"""
        return self.own < self.shared_random or any(key not in self._seen for key in self._first_left)

    def suggest(self) -> Configuration | None:
        """The next configuration, recorded as suggested; None when the space is exhausted."""
        if (configuration := self.propose()) is not None:
            self.accept(configuration)
        return configuration

    def propose(self) -> Configuration | None:
        """The next configuration; None when the space is exhausted. Changes nothing that a decision depends on."""
        if self._exhausted:
            return None
        configuration = self._propose_first() or self._next()
        self._exhausted = configuration is None
        return configuration

    def accept(self, configuration: Configuration) -> None:
        """`configuration` has been suggested."""
        key = canonical(configuration)
        self._repeated += key in self._earlier and key not in self._seen
        self._seen.add(key)
        self.suggested += 1

    def prepare(self) -> None:  # noqa: B027
        """Load what proposals will need. Called once, while the first trials train."""

    def update(self, configuration: Configuration, resource: int, loss: float) -> None:  # noqa: B027
        """A result: lower `loss` is better, infinite where training diverged."""

    def on_outcome(self, configuration: Configuration, resource: int, outcome: ReportOutcome) -> None:
        """A result; one that knows nothing of constraints is told an infinite loss where they are not met."""
        self.update(configuration, resource, math.inf if outcome.violation else outcome.loss)

    def on_pending(self, configuration: Configuration, resource: int) -> None:  # noqa: B027
        """A trial is on its way to `resource`; its result will follow."""

    def on_report(self, configuration: Configuration, resource: int) -> None:  # noqa: B027
        """A trial has reported at `resource`, whether or not a result for `update` comes of it."""

    def on_cost(self, configuration: Configuration, resource: int, cost: float) -> None:  # noqa: B027
        """What a trial has cost up to a resource, where a metric is named for that. Its report follows."""

    def on_failed(self, configuration: Configuration) -> None:  # noqa: B027
        """A trial failed or ended early: no further result will follow."""

    def take_notes(self) -> list[str]:
        """What a reader of the log should know of the proposals since the last call."""
        return []

    def bracket_weights(self, levels: Sequence[int]) -> list[float] | None:
        """How often a new trial should start at each of several resources; None leaves that to the scheduler."""
        return None

    @abstractmethod
    def _next(self) -> Configuration | None:
        """The proposal after the initial configurations; None when the space is exhausted."""

    def _propose_first(self) -> Configuration | None:
        while self._first_left and self._first_left[-1] in self._seen:
            self._first_left.pop()
        if self._first_left:
            return self._first[self._first_left[-1]]
        return self.draw_new("initial", prior=True) if self.own < self.shared_random else None

    def is_known(self, configuration: Configuration) -> bool:
        """Has it been suggested already?"""
        return canonical(configuration) in self._seen

    def draw_new(self, stream: str, tries: int = 100, *, prior: bool = False) -> Configuration | None:
        """A random configuration that has not been suggested; None when there is none left.

        Args:
            stream: of random numbers.
            tries: draws before the last ones are looked for.
            prior: is it drawn from what a user believes, where that is known? Else it is uniform.
        """
        rng = self.randomness.stream(stream, self.own)
        area = self.area
        for attempt in range(tries if area is self.space else 2 * tries):
            where = area if attempt < tries else self.space  # a box may have nothing left
            configuration = where.sample_prior(rng) if prior else where.sample(rng)
            if not self.is_known(configuration):
                return configuration
        if self.space.conditions and self.space.size > MOST_LISTED:
            return self._draw_from_branches(rng, tries)
        return self._draw_remaining(self.space, rng.random())

    def _draw_remaining(self, space: SearchSpace, unit: float) -> Configuration | None:
        """One of the last configurations of a small space, where random draws hit only known ones."""
        if space.size > MOST_LISTED:
            return None
        left = [configuration for configuration in space.enumerate() if not self.is_known(configuration)]
        return left[int(unit * len(left))] if left else None

    def _draw_from_branches(self, rng: np.random.Generator, tries: int) -> Configuration | None:
        """One from a branch that is seldom drawn, where the branches that most draws fall into hold only known ones."""
        branches = list(itertools.islice(self.space.branches.walk(), MOST_BRANCHES))
        for index in rng.permutation(len(branches)):
            parts = branches[index]
            branch = SearchSpace({name: parts[name].values for name in self.space.domains if name in parts})
            drawn = (branch.sample(rng) for _ in range(tries))
            configuration = next((one for one in drawn if not self.is_known(one)), None)
            configuration = configuration or self._draw_remaining(branch, rng.random())
            if configuration is not None:
                return configuration
        return None
