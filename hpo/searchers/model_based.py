"""Base class of searchers with a surrogate model: when it is used and refitted, and what happens if it fails numerically.

A fit starts from the previous one, so that a proposal depends on when fits took place. Fits take place at numbers of
results that only accepted proposals determine. A searcher that replays a log repeats them in the same order when it is
first asked for a proposal.
"""

import logging
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hpo.errors import ConfigError, how_to_install
from hpo.events.outcome import ReportOutcome
from hpo.events.types import Configuration
from hpo.randomness import Randomness
from hpo.searchers.base import Searcher
from hpo.space.search_space import SearchSpace
from hpo.surrogate.encoding import Encoding
from hpo.surrogate.training_data import TrainingData

log = logging.getLogger(__name__)

LEAST = 4
"""Number of results needed before the surrogate model is used."""


class ModelSearcher(Searcher):
    """Base class of searchers that propose by a surrogate model, after the shared initial configurations.

    Args:
        space: Search space.
        randomness: Source of the experiment's random streams.
        points_to_evaluate: Configurations to propose first.
        max_resource: Resource at which the loss is to be minimised; None for the largest seen.
        max_size_data_for_model: Approximate limit on the number of results in the model. Results of the trials that trained
            longest are kept, and a random subset of the others.
        random_fraction: Fraction of proposals that are random, as a safeguard against a wrong model.

    Raises:
        ConfigError: An argument is out of range.
    """

    def __init__(
        self,
        space: SearchSpace,
        randomness: Randomness,
        *,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        max_resource: int | None = None,
        max_size_data_for_model: int = 500,
        random_fraction: float = 0.1,
    ) -> None:
        super().__init__(space, randomness, points_to_evaluate=points_to_evaluate)
        if max_size_data_for_model < 10:
            raise ConfigError(f"max_size_data_for_model={max_size_data_for_model}: use 10 or more")
        if not 0 <= random_fraction <= 1:
            raise ConfigError(f"method.searcher.random_fraction={random_fraction}: use a number from 0 to 1")
        self.max_resource = max_resource
        self.most = max_size_data_for_model
        self.random_fraction = random_fraction
        self.history = TrainingData(Encoding(space))
        self.notes: list[str] = []
        self._fits: list[int] = []  # numbers of results at which accepted proposals fitted the model

    def prepare(self) -> None:
        """Import SciPy in advance, which takes 0.3 s."""
        import scipy.optimize
        import scipy.special  # noqa: F401

        from hpo.surrogate.single_thread import one_thread

        with one_thread():
            pass

    def update(self, configuration: Configuration, resource: int, loss: float) -> None:
        """Add a result that consists of a loss alone to the model's data."""
        self.on_outcome(configuration, resource, ReportOutcome(loss))

    def on_outcome(self, configuration: Configuration, resource: int, outcome: ReportOutcome) -> None:
        """Add a result to the model's data, with its loss and how far it violates the constraints."""
        self.history.add(configuration, resource, outcome.loss, outcome.violation)

    def on_pending(self, configuration: Configuration, resource: int) -> None:
        """Record that a result of the trial at `resource` is pending."""
        self.history.expect(configuration, resource)

    def on_failed(self, configuration: Configuration) -> None:
        """Record that no result of the trial is pending any more."""
        self.history.forget_pending(configuration)

    def accept(self, configuration: Configuration) -> None:
        """Record a proposed configuration, and the fit of the model that it was based on."""
        if self._uses_model():
            self._fits = self._fits_now()
        super().accept(configuration)

    def pop_log_messages(self) -> list[str]:
        """Return messages about numerical failures since the last call."""
        notes, self.notes = self.notes, []
        return notes

    @property
    def target_resource(self) -> int:
        """The resource at which the loss is to be minimised: the maximum resource, or the largest seen if there is none."""
        if self.max_resource is not None:
            return self.max_resource
        return max([*self.history.levels(len(self.history)), *self.history.pending.values(), 1])

    def _uses_model(self) -> bool:
        return (
            self.own >= max(self.shared_random, len(self._first) - len(self._earlier))
            and len(self.history) >= LEAST
            and self.history.encoding.dimension > 0
        )

    def _fits_now(self) -> list[int]:
        """Return the numbers of results at which the model is fitted, up to a proposal made now."""
        n = len(self.history)
        last = self._fits[-1] if self._fits else 0
        due = n > last if n <= 50 else n >= 1.1 * last
        return [*self._fits, n] if due else self._fits

    def _next(self) -> Configuration | None:
        rng = self.randomness.stream("model", self.suggested)
        if not self._uses_model() or rng.random() < self.random_fraction:
            return self.draw_new("initial")
        try:
            # Imported here because SciPy would delay the first trials.
            from hpo.surrogate.single_thread import one_thread

            with one_thread(), np.errstate(divide="ignore", under="ignore", over="raise", invalid="raise"):
                configuration = self._propose_by_model(rng)
        except ArithmeticError as error:
            self.notes.append(f"the model broke down at {len(self.history)} measurements ({error}): a random proposal")
            log.warning(self.notes[-1])
            return self.draw_new("initial")
        return configuration or self.draw_new("initial")

    @abstractmethod
    def _propose_by_model(self, rng: np.random.Generator) -> Configuration | None:
        """Return the configuration that the model proposes; None if no candidate is left.

        Raises:
            ArithmeticError: The computation failed numerically.
        """


def require_module(searcher: type[Searcher], module: str, *, distribution: str, extra: str, instead: str) -> None:
    """Raise ConfigError if a module that a searcher needs is not installed; the module is not imported.

    Args:
        searcher: Searcher that needs the module.
        module: Name under which the module is imported.
        distribution: Name of the library in messages.
        extra: Extra of hpo that installs it.
        instead: Names of methods that work without it, for the message.
    """
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise ConfigError(
            f"method.searcher._target_={searcher.__module__}.{searcher.__name__}: it needs {distribution}; "
            f"use method={instead}, or {how_to_install(extra)}"
        )
