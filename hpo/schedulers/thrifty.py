"""Asynchronous successive halving that can afford what it promotes: the scheduler of ASHA-GP-TIME."""

from typing import Any

from hpo.events.outcome import ReportOutcome
from hpo.events.values import Decision, Resume, Suggestion, Trial
from hpo.schedulers.asha import ASHA
from hpo.schedulers.rungs import next_level
from hpo.searchers.base import Searcher


class ThriftyASHA(ASHA):
    """As ASHA, but no promotion takes longer than all trials have trained so far, if anything else can be done.

    Where trials differ in cost by orders of magnitude, a promotion that looks only at results can bind a worker for most
    of an experiment, to one of the first few configurations. Such a one waits here until as much has been spent on
    others; how long it will take is told by what the trial has taken so far per unit of resource. Where all cost the
    same nothing ever waits, and where no seconds are told it is ASHA.

    Args:
        searcher: where new configurations come from.
        **options: of ASHA.
    """

    takes_seconds = True

    def __init__(self, searcher: Searcher, **options: Any) -> None:
        super().__init__(searcher, **options)
        self._seconds: dict[int, float] = {}  # that each trial has trained for
        self._rates: dict[int, float] = {}  # the same per unit of resource
        self._trained = 0.0  # seconds of all trials

    def propose(self, *, new_trials: bool = True) -> Suggestion | None:
        """A promotion that can be afforded, else a new trial, else the cheapest promotion that there is."""
        waiting: list[tuple[float, int, int]] = []
        for system in self._systems:
            for rung in reversed(system):
                above = next_level(self.levels, rung.level, self.maximum)
                for trial_id in rung.all_promotable():
                    seconds = self._rates.get(trial_id, 0.0) * (above - rung.level)
                    if seconds <= self._trained:
                        return Resume(trial_id, above)
                    waiting.append((seconds, trial_id, above))
        configuration = self.searcher.propose() if new_trials else None
        if configuration is not None:
            return self.start_of(configuration)
        return Resume(*min(waiting)[1:]) if waiting else None

    def on_outcome(self, trial: Trial, resource: int, outcome: ReportOutcome) -> Decision:
        """As of ASHA; with the seconds that the trial has trained for."""
        if outcome.seconds is not None:
            self._trained += outcome.seconds - self._seconds.get(trial.id, 0.0)
            self._seconds[trial.id] = outcome.seconds
            self._rates[trial.id] = outcome.seconds / resource
        return super().on_outcome(trial, resource, outcome)
