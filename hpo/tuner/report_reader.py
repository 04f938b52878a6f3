"""Taking in reports: which resource, which loss, and whether it is news."""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hpo.events.objective import A_COST, Objective, ReportError
from hpo.events.outcome import ReportOutcome
from hpo.events.trial_costs import Spending
from hpo.events.trial_state import TrialState

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Heard:
    """What a current attempt has reported."""

    restored: Callable[[], int | None] = lambda: None
    """The resource of the checkpoint that it was given; None if there was none."""
    lines: int | None = None
    """Its reports, where the script does not name its resource; None: the state has their count."""
    last: int = 0
    """The highest resource."""
    cost: float = 0.0
    """What its trial has cost."""
    repeated: tuple[int, int] | None = None
    """Where it repeats what is known: the resource it went on from, and how far it repeated."""


@dataclass
class Intake:
    """Reads the reports of running attempts."""

    objective: Objective
    spending: Spending = field(default_factory=Spending)
    """What trials have cost by their reports so far."""
    disorder: str | None = None
    """Of a report that was known already: its resource and the higher one that the same attempt had reported before it."""
    _heard: defaultdict[int, _Heard] = field(default_factory=lambda: defaultdict(_Heard))
    """Of each trial's current attempt."""
    _warned: set[tuple[int, int]] = field(default_factory=set)

    def begin(self, trial_id: int, *, restored: Callable[[], int | None] = lambda: None) -> None:
        """A new attempt starts to report; `restored` is asked when it has: see `Backend.restores`."""
        self._heard[trial_id] = _Heard(restored=restored)

    def adopt(self, trial_id: int, restored: int | None) -> None:
        """An attempt of an earlier session goes on to report; it was given a checkpoint of that resource, if any."""
        self.begin(trial_id, restored=lambda: restored)

    def started_over(self, trial_id: int) -> bool:
        """Did the current attempt begin where the very first one had begun?"""
        repeated = self._heard[trial_id].repeated
        return repeated is not None and repeated[0] == 0

    def again(self, trial_id: int) -> int:
        """How much of the resource the current attempt has trained that an earlier one had trained."""
        begin, end = self._heard[trial_id].repeated or (0, 0)
        return end - begin

    def line(self, trial_id: int) -> int:
        """How many reports the current attempt has made, where they are counted."""
        return self._heard[trial_id].lines or 0

    def read(self, state: TrialState, metrics: Mapping[str, Any]) -> tuple[int, ReportOutcome] | None:
        """(resource, outcome) of a report; None when the resource is known already.

        An attempt that starts over reports again what an earlier one did; one whose reports do not go up is not read right.

        Raises:
            ReportError: it cannot be used.
        """
        heard = self._heard[state.trial.id]
        try:
            resource, outcome = self.objective.read(metrics, (state.lines if heard.lines is None else heard.lines) + 1)
        except ReportError as error:
            raise ReportError(_brief(str(error))) from None
        if self.objective.resource_attr is None:
            heard.lines = resource
        last = heard.last
        heard.last = max(resource, last)
        if outcome.cost is not None:
            self._check_cost(state.trial.id, outcome.cost, news=resource > state.resource)
        if resource > state.resource:
            return resource, outcome
        self.disorder = f"{resource} after {last}" if resource <= last else None
        if resource > last:
            begin, _ = heard.repeated or (self._base(state, resource), resource)
            heard.repeated = begin, resource
        key = (state.trial.id, state.attempt)
        if key not in self._warned:
            self._warned.add(key)
            log.info(
                "trial %d reports resource %d again (it had reached %d); known ones are dropped: %s",
                state.trial.id,
                resource,
                state.resource,
                _brief(str(dict(metrics))),
            )
        return None

    def _check_cost(self, trial_id: int, cost: float, *, news: bool) -> None:
        """Raise ReportError where a trial costs less than before; one that has started over counts from 0 again."""
        heard = self._heard[trial_id]
        before = heard.cost
        if news and not self.started_over(trial_id):
            before = max(before, self.spending.of.get(trial_id, 0.0))
        if cost < before:
            raise ReportError(
                f"benchmark.cost_attr={self.objective.cost_attr}: trial {trial_id} reported {cost:g} after {before:g}; it "
                f"must be {A_COST}, so keep the sum in its checkpoint"
            )
        heard.cost = cost

    def _base(self, state: TrialState, first: int) -> int:
        """Where an attempt went on from whose first report is of a known resource.

        One that has loaded a checkpoint reports again what was saved last, which costs nothing; one that begins with what the
        trial's very first report was of has started over, unless a checkpoint that it was given may hold no more than that.
        """
        if first != state.first:
            return first
        restored = self._heard[state.trial.id].restored()
        return 0 if restored is None or first < restored else first


def _brief(text: str) -> str:
    """A text that quotes what a script reported, which may be megabytes, at a length that a person reads."""
    return text if len(text) <= 700 else f"{text[:450]} … {text[-200:]}"
