"""The rule by which an experiment ends because its best result has stopped improving (`stop_when`)."""

import bisect
import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from hpo.config.schema import ExperimentConfig
from hpo.config.stop_when import StopWhen, parse_stop_when
from hpo.events.objective import Objective
from hpo.events.outcome import ReportOutcome
from hpo.events.state import ExperimentState
from hpo.events.types import Event, Kind
from hpo.tuner.stopping import Budget


class Plateau:
    """The progress of the best result, judged each time that another trial has reported for the first time.

    The decision depends on the rule and the events up to now alone, so that a resumed experiment decides the same. Training
    is counted in full-budget evaluations; if the resource of one is unknown, each trial that has reported counts as one.

    Args:
        rule: Patience and smallest improvement.
        max_resource: Resource of a full-budget evaluation; None if it is unknown.
    """

    def __init__(self, rule: StopWhen, max_resource: int | None) -> None:
        self.rule = rule
        self.written: dict[str, Any] = asdict(rule)
        """The rule as it is stored with the end of the experiment."""
        self.reached: str | None = None
        """Why the experiment ends; None while it continues."""
        self._max_resource = max_resource
        self._best: dict[int, float] = {}
        self._ranked: list[float] = []
        """Best losses of the trials, in order."""
        self._incumbents: deque[tuple[float, float]] = deque()
        """Evaluations trained and loss at each improvement; the first is the best result one patience ago, if any."""

    def restore(self, objective: Objective, events: Iterable[Event]) -> None:
        """Take in the log of earlier sessions."""
        state = ExperimentState(objective)
        for event in events:
            state.apply(event)
            self.take(event, state)

    def take(self, event: Event, state: ExperimentState, outcome: ReportOutcome | None = None) -> None:
        """Take in an event.

        Args:
            event: The event; only reports count.
            state: State of the experiment after the event.
            outcome: Outcome of a report, if it is known already.
        """
        if event.kind != Kind.REPORTED or self.reached is not None:
            return
        if outcome is None:
            outcome = state.objective.outcome(event.body["metrics"], event.reached)
        loss, before = outcome.merit, self._best.get(event.trial_id)
        if not math.isfinite(loss) or (before is not None and loss >= before):
            return
        if before is not None:
            self._ranked.pop(bisect.bisect_left(self._ranked, before))
        self._best[event.trial_id] = loss
        bisect.insort(self._ranked, loss)
        trained = float(len(self._best)) if self._max_resource is None else state.trained / self._max_resource
        if not self._incumbents or loss < self._incumbents[-1][1]:
            self._incumbents.append((trained, loss))
        if before is None:
            self._judge(trained, state.objective)

    def _judge(self, trained: float, objective: Objective) -> None:
        since = trained - self.rule.patience
        while len(self._incumbents) > 1 and self._incumbents[1][0] <= since:
            self._incumbents.popleft()
        then, former = self._incumbents[0]
        if then > since:
            return
        best, middle = self._ranked[0], self._ranked[len(self._ranked) // 2]
        if former - best <= self.rule.min_improvement * (middle - best):
            self.reached = (
                f"stop_when: {self.rule.patience:g} full-budget evaluations improved {objective.metric} by "
                f"{former - best:.3g}, at most {self.rule.min_improvement:g} of the distance from the best trial to the "
                f"median one, {middle - best:.3g}"
            )


def plateau_of(config: ExperimentConfig, read: Callable[[], Iterable[Event]]) -> Plateau | None:
    """Return the rule of an experiment, which has taken in its log; None without the key `stop_when`."""
    if (rule := parse_stop_when(config.stop_when)) is None:
        return None
    plateau = Plateau(rule, config.max_resource)
    plateau.restore(config.objective, read())
    return plateau


def unused(budget: Budget, state: ExperimentState, elapsed: float) -> str:
    """Return what is left of the budget, to follow a reason; empty if there is no limit of which something is left."""
    counts = {
        "max_wallclock_time": (budget.max_wallclock_time, elapsed),
        "max_num_trials": (budget.max_num_trials, state.counted_trials),
        "max_num_evaluations": (budget.max_num_evaluations, state.reports),
        "max_cost": (budget.max_cost, state.spending.total),
        "max_device_hours": (budget.max_device_hours, budget.hours(state, elapsed)),
        "max_price": (budget.max_price, budget.price(state, elapsed) or 0.0),
    }
    left = [
        f"{(limit - spent) / limit:.0%} of {key}={limit:g}"
        for key, (limit, spent) in counts.items()
        if limit is not None and spent < limit
    ]
    return f"; not used: {', '.join(left)}" if left else ""
