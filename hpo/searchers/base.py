"""The interface of all searchers: `propose` reads the state, `accept` changes it.

`propose` computes a configuration and changes nothing; `accept` records it. `suggest` does both. Replaying a log calls
`accept` with the logged configurations and reaches the same state without computing any proposal again.
"""

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hpo.errors import ConfigError
from hpo.events.outcome import ReportOutcome
from hpo.events.types import Configuration
from hpo.randomness import Randomness, canonical
from hpo.searchers.capabilities import FORMER_FLAGS, SearcherCapabilities, adopt_former_flags
from hpo.space.search_space import SearchSpace
from hpo.surrogate.earlier_data import EarlierData

SHARED_RANDOM = 6
"""Number of initial configurations, points to evaluate included, that all methods with the same seeds share."""

OUTSIDE = 0.1
"""Fraction of proposals drawn from the whole search space by a searcher that is restricted to a box."""

MOST_LISTED = 1_000_000
"""Largest number of configurations that are enumerated to find the last new ones of a search space."""

MOST_BRANCHES = 1_000
"""Largest number of branches (of a space with conditions) that are searched for the last new configurations."""


class Searcher(ABC):
    """Base class of searchers, which propose configurations and never propose one twice.

    A searcher starts with `points_to_evaluate` (None: the centre of the space). Then it proposes the random
    configurations that all methods with the same seeds share, and after that what its own algorithm finds.

    Args:
        space: Search space.
        randomness: Source of the experiment's random streams.
        points_to_evaluate: Configurations to propose first; hyperparameters left out get their default. `[]` for none.

    Raises:
        ConfigError: A point to evaluate lies outside the space, or the searcher does not support the space's conditions or
            priors.
    """

    capabilities = SearcherCapabilities()
    shared_random = SHARED_RANDOM
    cost_left = 1.0
    """Remaining fraction of the limit on the total cost of all trials; 1 if there is no limit."""
    libraries: tuple[str, ...] = ()
    """Names of distributions whose version can change proposals; an experiment stores these versions."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        adopt_former_flags(cls, FORMER_FLAGS)

    def __init__(
        self,
        space: SearchSpace,
        randomness: Randomness,
        *,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        if space.conditions and not self.capabilities.conditions:
            raise ConfigError(
                f"method.searcher: {type(self).__name__} needs all hyperparameters in every configuration; remove "
                f"config_space.{next(iter(space.conditions))}.when, or use another method, such as ASHA"
            )
        if space.priors and not self.capabilities.priors:
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
        self._first_left = list(reversed(self._first))  # keys not proposed yet, the next one last
        self._earlier: frozenset[str] = frozenset()  # keys that only earlier experiments bring
        self._box: SearchSpace | None = None
        self._repeated = 0  # number of proposals among these

    def start_with(self, configurations: Sequence[Configuration]) -> None:
        """Propose the best configurations of earlier experiments before all others.

        The configurations that follow are those that would have been proposed without them, unless results change them.
        """
        earlier = {canonical(configuration): configuration for configuration in configurations}
        self._earlier = frozenset(earlier.keys() - self._first.keys())
        self._first = {**earlier, **self._first}
        self._first_left = list(reversed(self._first))

    def learn_from(self, sources: Sequence[EarlierData]) -> None:
        """Let the model learn from results of earlier experiments; available only with the capability `earlier_results`."""
        raise NotImplementedError(f"{type(self).__name__} has no model that learns from earlier experiments")

    def restrict_to(self, box: SearchSpace) -> None:
        """Restrict nine of ten proposals to a box within the search space; available only with the capability `box`."""
        self._box = box

    @property
    def area(self) -> SearchSpace:
        """The space that the next proposal is drawn from: the whole search space, or the box set by `restrict_to`."""
        if self._box is None or self.randomness.stream("outside", self.own).random() < OUTSIDE:
            return self.space
        return self._box

    @property
    def own(self) -> int:
        """Number of proposals so far that do not repeat earlier experiments, which indexes the random streams."""
        return self.suggested - self._repeated

    @property
    def begins(self) -> bool:
        """Whether initial configurations (points to evaluate, shared random ones) are left, which ignore results."""
        return self.own < self.shared_random or any(key not in self._seen for key in self._first_left)

    def suggest(self) -> Configuration | None:
        """Return the next configuration and record it as proposed; None if the search space is exhausted."""
        if (configuration := self.propose()) is not None:
            self.accept(configuration)
        return configuration

    def propose(self) -> Configuration | None:
        """Return the next configuration, None if the search space is exhausted; changes nothing that decisions depend on."""
        if self._exhausted:
            return None
        configuration = self._propose_first() or self._next()
        self._exhausted = configuration is None
        return configuration

    def accept(self, configuration: Configuration) -> None:
        """Record that a configuration has been proposed."""
        key = canonical(configuration)
        self._repeated += key in self._earlier and key not in self._seen
        self._seen.add(key)
        self.suggested += 1

    def prepare(self) -> None:  # noqa: B027
        """Load what later proposals need, such as libraries; called once while the first trials train."""

    def update(self, configuration: Configuration, resource: int, loss: float) -> None:  # noqa: B027
        """Record a result; a lower `loss` is better, and it is infinite if training diverged."""

    def on_outcome(self, configuration: Configuration, resource: int, outcome: ReportOutcome) -> None:
        """Record a result with constraints; by default, a configuration that violates them gets an infinite loss."""
        self.update(configuration, resource, math.inf if outcome.violation else outcome.loss)

    def on_pending(self, configuration: Configuration, resource: int) -> None:  # noqa: B027
        """Record that a trial is training up to `resource`, so that its result is pending."""

    def on_report(self, configuration: Configuration, resource: int) -> None:  # noqa: B027
        """Record that a trial has reported at `resource`, whether or not this becomes a result passed to `update`."""

    def on_cost(self, configuration: Configuration, resource: int, cost: float) -> None:  # noqa: B027
        """Record what a trial has cost up to a resource, before its report there; called only if costs are known."""

    def on_failed(self, configuration: Configuration) -> None:  # noqa: B027
        """Record that a trial failed or ended early, so that no result is pending any more."""

    def pop_log_messages(self) -> list[str]:
        """Return the messages for the log about proposals made since the last call."""
        return []

    def bracket_weights(self, levels: Sequence[int]) -> list[float] | None:
        """Return the probabilities of starting a new trial at each of several rungs; None to let the scheduler decide."""
        return None

    @abstractmethod
    def _next(self) -> Configuration | None:
        """Return the next configuration after the initial ones; None if the search space is exhausted."""

    def _propose_first(self) -> Configuration | None:
        while self._first_left and self._first_left[-1] in self._seen:
            self._first_left.pop()
        if self._first_left:
            return self._first[self._first_left[-1]]
        return self.draw_new("initial", prior=True) if self.own < self.shared_random else None

    def is_known(self, configuration: Configuration) -> bool:
        """Whether a configuration has been proposed already."""
        return canonical(configuration) in self._seen

    def draw_new(self, stream: str, tries: int = 100, *, prior: bool = False) -> Configuration | None:
        """Draw a random configuration that has not been proposed yet; None if there is none left.

        Args:
            stream: Name of the random stream.
            tries: Number of random draws before the remaining configurations are searched systematically.
            prior: Whether to draw from the user's priors, if there are any; otherwise the draw is uniform.
        """
        rng = self.randomness.stream(stream, self.own)
        area = self.area
        for attempt in range(tries if area is self.space else 2 * tries):
            where = area if attempt < tries else self.space  # the box may be exhausted
            configuration = where.sample_prior(rng) if prior else where.sample(rng)
            if not self.is_known(configuration):
                return configuration
        if self.space.conditions and self.space.size > MOST_LISTED:
            return self._draw_from_branches(rng, tries)
        return self._draw_remaining(self.space, rng.random())

    def _draw_remaining(self, space: SearchSpace, unit: float) -> Configuration | None:
        """Return one of the last new configurations by enumeration; None if the space is too large or exhausted."""
        if space.size > MOST_LISTED:
            return None
        left = [configuration for configuration in space.enumerate() if not self.is_known(configuration)]
        return left[int(unit * len(left))] if left else None

    def _draw_from_branches(self, rng: np.random.Generator, tries: int) -> Configuration | None:
        """Return a new configuration from one of the branches that conditions create, which random draws may rarely reach."""
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
