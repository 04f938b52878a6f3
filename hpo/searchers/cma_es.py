"""CMA-ES: an evolution strategy that learns the scales and correlations of numeric hyperparameters (Hansen, 2016)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hpo.errors import ConfigError
from hpo.events.outcome import ReportOutcome
from hpo.events.types import Configuration
from hpo.randomness import Randomness
from hpo.searchers.base import Searcher
from hpo.searchers.capabilities import SearcherCapabilities
from hpo.space.domains import Choice
from hpo.space.priors import SPREAD, Prior
from hpo.space.search_space import SearchSpace
from hpo.surrogate.arrays import Floats
from hpo.surrogate.cma import Strategy

TRIES = 20
"""Number of draws that may hit known configurations before the proposal is random."""


class CMAESSearcher(Searcher):
    """CMA-ES: draws from a normal distribution over the unit cube that is updated after every λ full-budget evaluations.

    The distribution starts at the first configuration. Results are used in the order in which they arrive, whichever
    generation they were drawn for, so that no evaluation is wasted. Integers and quantised values are rounded.
    Categorical hyperparameters have no place in a normal distribution and are drawn at random. Configurations that
    violate constraints rank behind the others, by the size of the violation. A prior with the confidence `low` leaves the
    initial width unchanged, and a higher confidence narrows it.

    Args:
        space: Search space.
        randomness: Source of the experiment's random streams.
        points_to_evaluate: Configurations to propose first.
        step: Initial standard deviation, as a fraction of a hyperparameter's range.

    Raises:
        ConfigError: All hyperparameters are categorical, or an argument is out of range.
    """

    capabilities = SearcherCapabilities(conditions=False, violations="ranked", needs_complete=True)

    def __init__(
        self,
        space: SearchSpace,
        randomness: Randomness,
        *,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        step: float = 1 / 6,
    ) -> None:
        super().__init__(space, randomness, points_to_evaluate=points_to_evaluate)
        if not 0 < step <= 1:
            raise ConfigError(f"method.searcher.step={step}: use a number above 0 and up to 1")
        unordered = [n for n, d in space.domains.items() if d.size > 1 and isinstance(d, Choice) and not d.ordered]
        self._names = [name for name, domain in space.domains.items() if domain.size > 1 and name not in unordered]
        if not self._names:
            raise ConfigError(
                "method.searcher: CMAESSearcher needs a hyperparameter with an order, and config_space has none; use "
                "another method, such as REA"
            )
        self._step = step
        self._strategy: Strategy | None = None
        self._generation: list[tuple[tuple[float, ...], Configuration]] = []  # (order, configuration), lower is better
        drawn = f"CMA-ES draws {', '.join(unordered)} at random: its values have no order"
        self._notes = [drawn] if unordered else []

    def pop_log_messages(self) -> list[str]:
        """Return a message that names the categorical hyperparameters, which are drawn at random; on the first call only."""
        notes, self._notes = self._notes, []
        return notes

    @property
    def strategy(self) -> Strategy:
        """The current state of the evolution strategy, created on first use."""
        if self._strategy is None:
            first = next(iter(self._first.values()), self.space.default)
            priors = [self.space.priors.get(name) for name in self._names]
            scales = [p.spread / SPREAD["low"] if isinstance(p, Prior) else 1.0 for p in priors]
            self._strategy = Strategy(self._point(first), self._step, np.array(scales))
        return self._strategy

    def update(self, configuration: Configuration, resource: int, loss: float) -> None:
        """Record a result that consists of a loss alone."""
        self.on_outcome(configuration, resource, ReportOutcome(loss))

    def on_outcome(self, configuration: Configuration, resource: int, outcome: ReportOutcome) -> None:
        """Add a result to the current generation, and update the distribution when the generation is complete."""
        order = (float(math.isinf(outcome.loss)), outcome.violation, outcome.loss, float(len(self._generation)))
        self._generation.append((order, configuration))
        if len(self._generation) == self.strategy.constants.count:
            ranked = sorted(self._generation, key=lambda one: one[0])
            self.strategy.tell(np.array([self._point(one) for _, one in ranked]))
            self._generation = []

    def _point(self, configuration: Configuration) -> Floats:
        return np.array([self.space.domains[name].encode(configuration[name]) for name in self._names])

    def _next(self) -> Configuration | None:
        rng = self.randomness.stream("cma-es", self.suggested)
        for _ in range(TRIES):
            drawn = dict(zip(self._names, self.strategy.draw(rng).tolist(), strict=True))
            others = rng.random(len(self.space)).tolist()
            configuration = self.space.decode(
                [drawn.get(name, other) for name, other in zip(self.space.domains, others, strict=True)]
            )
            if not self.is_known(configuration):
                return configuration
        return self.draw_new("initial")
