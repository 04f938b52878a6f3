"""Reading reports: the resource and the outcome of each, and whether it is new."""

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
    """The reports of a running attempt so far, summarised."""

    restored: Callable[[], int | None] = lambda: None
    """Function that returns the resource of the checkpoint that the attempt was given; None if it was given none."""
    lines: int | None = None
    """Number of its reports, if the script does not name its resource; None if the state counts them."""
    last: int = 0
    """Highest resource reported by the attempt."""
    cost: float = 0.0
    """Cost of the trial as last reported by the attempt."""
    repeated: tuple[int, int] | None = None
    """Resource from which the attempt started, and the highest known resource that it repeated; None if it repeated none."""


@dataclass(frozen=True, slots=True)
class NewReport:
    """A report of a resource that the trial had not reached before."""

    resource: int
    outcome: ReportOutcome
    line: int
    """Number of reports of the attempt so far; 0 if the script names its resource."""


@dataclass(frozen=True, slots=True)
class KnownReport:
    """A report of a resource that is known already, which does not count."""

    started_over: bool
    """Whether the attempt trains from where the trial's very first attempt began."""
    disorder: str | None
    """Text about a resource that the attempt itself reported out of order, such as `3 after 5`; None if it is in order."""


@dataclass
class Intake:
    """Reader of the reports of running attempts."""

    objective: Objective
    spending: Spending = field(default_factory=Spending)
    """Costs of the trials by their reports so far."""
    _heard: defaultdict[int, _Heard] = field(default_factory=lambda: defaultdict(_Heard))
    """Reports of each trial's current attempt."""
    _warned: set[tuple[int, int]] = field(default_factory=set)

    def begin(self, trial_id: int, *, restored: Callable[[], int | None] = lambda: None) -> None:
        """Prepare for the reports of a new attempt; `restored` is called once it has reported, see `Backend.restores`."""
        self._heard[trial_id] = _Heard(restored=restored)

    def adopt(self, trial_id: int, restored: int | None) -> None:
        """Prepare for the reports of an attempt that an earlier session started, with a checkpoint of `restored` if any."""
        self.begin(trial_id, restored=lambda: restored)

    def _started_over(self, trial_id: int) -> bool:
        repeated = self._heard[trial_id].repeated
        return repeated is not None and repeated[0] == 0

    def again(self, trial_id: int) -> int:
        """Return the units of resource that the current attempt trained although an earlier one had trained them."""
        begin, end = self._heard[trial_id].repeated or (0, 0)
        return end - begin

    def jumps(self, state: TrialState, resource: int) -> bool:
        """Whether an attempt that was given no checkpoint reports for the first time at its end, beyond what is known.

        Args:
            state: The trial before this report is taken in.
            resource: Resource of the report.
        """
        heard = self._heard[state.trial.id]
        at_end = resource == state.until and resource > state.resource + 1
        return at_end and state.position == 0 and heard.repeated is None and heard.restored() is None

    def read(self, state: TrialState, metrics: Mapping[str, Any]) -> NewReport | KnownReport:
        """Return the resource and the outcome of a report, or what is to be said of a resource that is known already.

        An attempt that starts over repeats reports of an earlier one. Reports whose resource does not grow are not used.

        Raises:
            ReportError: The report cannot be used.
        """
        heard = self._heard[state.trial.id]
        try:
            resource, outcome = self.objective.read(metrics, (state.lines if heard.lines is None else heard.lines) + 1)
        except ReportError as error:
            raise ReportError(_brief(str(error)), error.remedy) from None
        if self.objective.resource_attr is None:
            heard.lines = resource
        last = heard.last
        heard.last = max(resource, last)
        if outcome.cost is not None:
            self._check_cost(state.trial.id, outcome.cost, news=resource > state.resource)
        if resource > state.resource:
            return NewReport(resource, outcome, heard.lines or 0)
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
        return KnownReport(self._started_over(state.trial.id), f"{resource} after {last}" if resource <= last else None)

    def _check_cost(self, trial_id: int, cost: float, *, news: bool) -> None:
        """Raise ReportError if a trial reports a lower cost than before; a trial that started over counts from 0 again."""
        heard = self._heard[trial_id]
        before = heard.cost
        if news and not self._started_over(trial_id):
            before = max(before, self.spending.of.get(trial_id, 0.0))
        if cost < before:
            raise ReportError(
                f"benchmark.cost_attr={self.objective.cost_attr}: trial {trial_id} reported {cost:g} after {before:g}; it "
                f"must be {A_COST}, so keep the sum in its checkpoint"
            )
        heard.cost = cost

    def _base(self, state: TrialState, first: int) -> int:
        """Return the resource from which an attempt started whose first report, at `first`, repeats a known one.

        An attempt that has loaded a checkpoint first repeats the report of what was saved, which costs nothing. One that
        begins with the resource of the trial's very first report has started over, unless its checkpoint is from there.
        """
        if first != state.first:
            return first
        restored = self._heard[state.trial.id].restored()
        return 0 if restored is None or first < restored else first


def _brief(text: str) -> str:
    """Shorten a text that quotes a script's report, which may be megabytes, to a readable length."""
    return text if len(text) <= 700 else f"{text[:450]} … {text[-200:]}"
