"""PriorBand: sampling at random, from a user's prior and around the incumbent, as well as each explains good results.

Mallik et al., "PriorBand: Practical Hyperparameter Optimization in the Age of Deep Learning" (NeurIPS 2023), sections 5.1 to
5.3. All new configurations enter the lowest rung of their bracket, as in ASHA.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hpo.errors import ConfigError
from hpo.events.types import Configuration
from hpo.randomness import Randomness, canonical
from hpo.searchers.base import Searcher
from hpo.searchers.capabilities import SearcherCapabilities
from hpo.space.priors import AnyPrior, log_density, make_prior
from hpo.space.search_space import SearchSpace

SPREAD = 0.25
"""Standard deviation of samples around the incumbent, as a fraction of a hyperparameter's range."""

CHANGED = 0.5
"""Probability that a hyperparameter of the incumbent is changed."""

TRIES = 100


class PriorBandSearcher(Searcher):
    """PriorBand: draws configurations uniformly, from the user's prior, or around the incumbent.

    The draw is uniform with probability 1 / (1 + η^k) in rung k, which is 1/2 in the lowest. Otherwise it is from the
    prior, until three conditions hold: a trial has completed, as much training was spent as one bracket of successive
    halving takes, and a rung has η results. From then on, the prior and the incumbent share this probability in
    proportion to their densities at the best results of the highest such rung, weighted by rank. If no hyperparameter has
    a `confidence`, the prior is uniform.

    Args:
        space: Search space.
        randomness: Source of the experiment's random streams.
        points_to_evaluate: Configurations to propose first.
        max_resource: Resource at which a trial is complete.
        min_resource: Resource of the lowest rung, the same as the scheduler's.
        reduction_factor: η, the same as the scheduler's.

    Raises:
        ConfigError: An argument is missing or out of range.
    """

    capabilities = SearcherCapabilities(violations="no incumbents")

    def __init__(
        self,
        space: SearchSpace,
        randomness: Randomness,
        *,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        max_resource: int | None = None,
        min_resource: int = 1,
        reduction_factor: int = 3,
    ) -> None:
        super().__init__(space, randomness, points_to_evaluate=points_to_evaluate)
        if max_resource is None:
            raise ConfigError(
                "method.searcher: PriorBandSearcher needs benchmark.max_resource_attr; give it, or use method=RS"
            )
        for key, value, right in (
            ("reduction_factor", reduction_factor, reduction_factor >= 2),
            ("min_resource", min_resource, 1 <= min_resource <= max_resource),
        ):
            if not right:
                wanted = "2 or more" if key == "reduction_factor" else f"1 to {max_resource}"
                raise ConfigError(
                    f"method.searcher.{key} and method.scheduler.{key}={value}: use {wanted}, the same for both"
                )
        self.maximum, self.factor = max_resource, reduction_factor
        self._bracket = bracket_cost(min_resource, max_resource, reduction_factor)
        self._configurations: dict[str, Configuration] = {}
        self._reached: dict[str, int] = {}
        self._spent = 0
        self._rungs: dict[int, list[tuple[float, int, str]]] = {}  # (loss, order of arrival, configuration key)

    def on_report(self, configuration: Configuration, resource: int) -> None:
        """Add the resource that the trial has trained since its last report to the total spent."""
        key = canonical(configuration)
        self._spent += max(resource - self._reached.get(key, 0), 0)
        self._reached[key] = max(resource, self._reached.get(key, 0))

    def update(self, configuration: Configuration, resource: int, loss: float) -> None:
        """Record a result at a rung; results of diverged trials are ignored."""
        if not math.isfinite(loss):
            return
        key = canonical(configuration)
        self._configurations[key] = configuration
        rung = self._rungs.setdefault(resource, [])
        rung.append((loss, len(rung), key))

    @property
    def is_active(self) -> bool:
        """Whether enough results exist to draw around the incumbent."""
        complete = bool(self._rungs.get(self.maximum))
        return complete and self._spent >= self._bracket and self._judging() is not None

    def shares(self) -> tuple[float, float, float]:
        """Return the probabilities that a proposal is uniform, from the prior, and around the incumbent."""
        uniform = 1 / (1 + self.factor**0)
        if not self.is_active:
            return uniform, 1 - uniform, 0.0
        rung = sorted(self._judging() or ())
        best = [self._configurations[key] for _, _, key in rung[: len(rung) // self.factor]]
        near = self._around(self.incumbent)
        weights = range(len(best), 0, -1)
        of_prior = sum(w * math.exp(self.space.log_prior(one)) for w, one in zip(weights, best, strict=True))
        of_incumbent = sum(
            w * math.exp(log_density(near, self.space.domains, one)) for w, one in zip(weights, best, strict=True)
        )
        prior = (1 - uniform) * of_prior / (of_prior + of_incumbent)
        return uniform, prior, 1 - uniform - prior

    @property
    def incumbent(self) -> Configuration:
        """The configuration with the best result at the highest resource."""
        return self._configurations[min(self._rungs[max(self._rungs)])[2]]

    def _judging(self) -> list[tuple[float, int, str]] | None:
        """Return the results of the highest rung that has at least η of them; None if there is no such rung."""
        enough = [resource for resource, results in self._rungs.items() if len(results) >= self.factor]
        return self._rungs[max(enough)] if enough else None

    def _around(self, centre: Configuration) -> dict[str, AnyPrior]:
        return {name: make_prior(self.space.domains[name], value, SPREAD) for name, value in centre.items()}

    def _next(self) -> Configuration | None:
        rng = self.randomness.stream("priorband", self.own)
        uniform, prior, _ = self.shares()
        for _ in range(TRIES):
            source = rng.random()
            if source < uniform:
                configuration = self.space.sample(rng)
            elif source < uniform + prior:
                configuration = self.space.sample_prior(rng)
            else:
                configuration = self._near_incumbent(rng)
            if not self.is_known(configuration):
                return configuration
        return self.draw_new("initial")

    def _near_incumbent(self, rng: np.random.Generator) -> Configuration:
        """Draw a configuration near the incumbent; conditional hyperparameters that become used are drawn from the prior."""
        centre = self.incumbent
        near = self._around(centre)
        changes, units = rng.random(len(self.space)).tolist(), rng.random(len(self.space)).tolist()
        values: dict[str, Any] = {}
        for (name, domain), change, unit in zip(self.space.domains.items(), changes, units, strict=True):
            if name in centre and change >= CHANGED:
                values[name] = centre[name]
            else:
                law = near.get(name) or self.space.priors.get(name)
                values[name] = domain.decode(unit if law is None else law.quantile(unit))
        return self.space.used(values)


def bracket_cost(lowest: int, maximum: int, factor: int) -> int:
    """Return the units of resource that one bracket of successive halving trains, if promoted trials are resumed.

    Args:
        lowest: Resource of the lowest rung.
        maximum: Resource of a complete trial, of which the bracket has one.
        factor: Ratio of resources, and of numbers of trials, between neighbouring rungs.
    """
    steps = [lowest]
    while steps[-1] * factor < maximum:
        steps.append(steps[-1] * factor)
    if steps[-1] < maximum:
        steps.append(maximum)
    trials = [factor**left for left in range(len(steps) - 1, -1, -1)]
    return sum(n * (step - before) for n, step, before in zip(trials, steps, [0, *steps[:-1]], strict=True))
