"""Searchers that fit a model: when it is used, how it is refitted, and what happens when its numbers break down.

A fit starts from the one before it, so that a proposal depends on when fits took place. They take place at numbers of
measurements that only accepted proposals move on; a search that is fed a log does them again, in the same order, when
it is first asked for a proposal.
"""

import logging
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hpo.errors import ConfigError, installing
from hpo.events.outcome import ReportOutcome
from hpo.events.values import Configuration
from hpo.randomness import Randomness
from hpo.searchers.base import Searcher
from hpo.space.search_space import SearchSpace
from hpo.surrogate.encoding import Encoding
from hpo.surrogate.history import History

log = logging.getLogger(__name__)

LEAST = 4
"""The model is used from so many measurements on."""


class ModelSearcher(Searcher):
    """Proposes by a model, after the shared initial configurations.

    Args:
        space: what is searched.
        randomness: the experiment's streams.
        points_to_evaluate: the first configurations.
        max_resource: the resource at which configurations are to be good; None is the largest seen.
        max_size_data_for_model: at most about so many measurements are used: those of the trials that got furthest, and a
            random subset of the others.
        random_fraction: how many proposals are random all the same, a safeguard.

    Raises:
        ConfigError: an argument is out of range.
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
        self.history = History(Encoding(space))
        self.notes: list[str] = []
        self._fits: list[int] = []  # numbers of measurements at which accepted proposals had the model fitted

    def prepare(self) -> None:
        """SciPy takes 0.3 s to import."""
        import scipy.optimize
        import scipy.special  # noqa: F401

        from hpo.surrogate.threads import one_thread

        with one_thread():
            pass

    def update(self, configuration: Configuration, resource: int, loss: float) -> None:
        """A measurement for the model."""
        self.on_outcome(configuration, resource, ReportOutcome(loss))

    def on_outcome(self, configuration: Configuration, resource: int, outcome: ReportOutcome) -> None:
        """A measurement for the model, with how far it is from meeting the constraints."""
        self.history.add(configuration, resource, outcome.loss, outcome.violation)

    def on_pending(self, configuration: Configuration, resource: int) -> None:
        """The trial runs."""
        self.history.expect(configuration, resource)

    def on_failed(self, configuration: Configuration) -> None:
        """The trial no longer runs."""
        self.history.forget_pending(configuration)

    def accept(self, configuration: Configuration) -> None:
        """Count it, and the fit that proposing it took."""
        if self._uses_model():
            self._fits = self._fits_now()
        super().accept(configuration)

    def take_notes(self) -> list[str]:
        """What went wrong since the last call."""
        notes, self.notes = self.notes, []
        return notes

    @property
    def target_resource(self) -> int:
        """Where configurations are to be good."""
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
        """All fits up to a proposal made now."""
        n = len(self.history)
        last = self._fits[-1] if self._fits else 0
        due = n > last if n <= 50 else n >= 1.1 * last
        return [*self._fits, n] if due else self._fits

    def _next(self) -> Configuration | None:
        rng = self.randomness.stream("model", self.suggested)
        if not self._uses_model() or rng.random() < self.random_fraction:
            return self.draw_new("initial")
        try:
            # Not at the top: it needs SciPy, which should not be in the way of the first trials.
            from hpo.surrogate.threads import one_thread

            with one_thread(), np.errstate(divide="ignore", under="ignore", over="raise", invalid="raise"):
                configuration = self._propose_by_model(rng)
        except ArithmeticError as error:
            self.notes.append(f"the model broke down at {len(self.history)} measurements ({error}): a random proposal")
            log.warning(self.notes[-1])
            return self.draw_new("initial")
        return configuration or self.draw_new("initial")

    @abstractmethod
    def _propose_by_model(self, rng: np.random.Generator) -> Configuration | None:
        """The proposal; None when no candidate is left.

        Raises:
            ArithmeticError: numbers broke down.
        """


def require(searcher: type[Searcher], module: str, *, distribution: str, extra: str, instead: str) -> None:
    """Raise ConfigError unless a module that a searcher needs is there, without importing it.

    Args:
        searcher: that needs it.
        module: the name it is imported by.
        distribution: the name people know it by.
        extra: of hpo, which brings it.
        instead: methods that do without.
    """
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise ConfigError(
            f"method.searcher._target_={searcher.__module__}.{searcher.__name__}: it needs {distribution}; "
            f"use method={instead}, or {installing(extra)}"
        )
