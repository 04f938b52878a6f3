"""The searcher of ASHA-GP-TIME: that of ASHA-GP, with costs told by the seconds that trials train."""

from typing import Any

from hpo.events.outcome import ReportOutcome
from hpo.events.values import Configuration
from hpo.randomness import Randomness
from hpo.searchers.gaussian_process import GaussianProcessSearcher
from hpo.space.search_space import SearchSpace
from hpo.surrogate.cost import Stopwatch


class TimedSearcher(GaussianProcessSearcher):
    """As GaussianProcessSearcher, where seconds are told; without them it proposes the same.

    A count of the reports of others says nothing of cost where there are no others, and little where there are few.

    Args:
        space: what is searched.
        randomness: the experiment's streams.
        **options: of GaussianProcessSearcher.
    """

    def __init__(self, space: SearchSpace, randomness: Randomness, **options: Any) -> None:
        super().__init__(space, randomness, **options)
        self._clock: Stopwatch = Stopwatch()

    def on_outcome(self, configuration: Configuration, resource: int, outcome: ReportOutcome) -> None:
        """A measurement for the models, and of the time it took."""
        super().on_outcome(configuration, resource, outcome)
        if outcome.seconds is not None:
            self._clock.measure(self.history.trial(configuration), resource, outcome.seconds)
