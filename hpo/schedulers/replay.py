"""Replaying an event log through a scheduler, to resume an experiment or to verify its decisions.

A scheduler is a pure function of its configuration and of the calls made to it. If it gets the same calls as in the log, it
reaches the same state. If it is asked again, it must give the same answers as in the log.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hpo.events.outcome import ReportOutcome
from hpo.events.state import ExperimentState
from hpo.events.steering import stopped_trial
from hpo.events.types import Decision, Event, Kind, Resume, Start, Status, Suggestion, Trial
from hpo.schedulers.base import Scheduler


@dataclass(frozen=True, slots=True)
class DecisionDifference:
    """A logged decision that differs from the one computed on replay."""

    sequence: int
    logged: str
    replayed: str


def feed(scheduler: Scheduler, state: ExperimentState, event: Event) -> Decision | None:
    """Pass a logged event to the scheduler, without questioning logged suggestions; return its decision if it is a report.

    Call this before `state.apply(event)`.
    """
    _tell_budget(scheduler, state, event)
    if event.trial is None:
        return None
    match event.kind:
        case Kind.STARTED:
            scheduler.accept(suggestion_of(event))
            scheduler.on_start(Trial(event.trial, event.body["configuration"], event.body.get("source")))
        case Kind.RESUMED:
            scheduler.accept(suggestion_of(event))
        case Kind.REPORTED:
            outcome = state.objective.outcome(event.body["metrics"], event.reached)
            trial = state.trials[event.trial].trial
            return tell_result(scheduler, state, trial, event.reached, outcome, elapsed=event.elapsed)
        case Kind.ENDED:
            tell_end(scheduler, state.trials[event.trial].trial, Status(event.body["status"]))
        case Kind.COMMANDED if stopped_trial(event) is not None:
            tell_stopped(scheduler, state.trials[event.trial].trial)
    return None


def tell_result(
    scheduler: Scheduler,
    state: ExperimentState,
    trial: Trial,
    resource: int,
    outcome: ReportOutcome,
    *,
    elapsed: float,
) -> Decision:
    """Pass a trial's report to the scheduler, first its cost and then its result, and return the decision.

    Args:
        scheduler: Scheduler that gets the report.
        state: State of the experiment before the report.
        trial: Trial that reports.
        resource: Resource that the trial has reached.
        outcome: Loss, constraint violations and cost, computed from the report.
        elapsed: Time of the event in seconds, so that a replay of the log gives the same cost in seconds.
    """
    cost = outcome.cost
    if cost is None and scheduler.capabilities.counts_seconds:
        known = state.trials[trial.id]
        cost = known.busy + elapsed - known.began
    if cost is not None:
        scheduler.on_cost(trial, resource, cost)
    if state.objective.takes_outcomes:
        return scheduler.on_outcome(trial, resource, outcome)
    return scheduler.on_report(trial, resource, outcome.loss)


def _tell_budget(scheduler: Scheduler, state: ExperimentState, event: Event) -> None:
    """Tell the scheduler the limit on total cost if a session begins or a command changes it."""
    if event.kind == Kind.OPENED and "max_cost" in (given := event.body.get("budget") or {}):
        scheduler.on_budget(max_cost={**given, **state.steering.changes_under(given)}.get("max_cost"))
    elif event.kind == Kind.COMMANDED and "max_cost" in event.body.get("new", {}):
        scheduler.on_budget(max_cost=event.body["new"]["max_cost"])


def tell_end(scheduler: Scheduler, trial: Trial, status: Status) -> None:
    """Tell the scheduler that a trial's attempt has ended, if the status concerns it."""
    if status == Status.COMPLETED:
        scheduler.on_complete(trial)
    elif status in (Status.FAILED, Status.TIMEOUT):
        scheduler.on_error(trial)
    elif status == Status.PAUSED:
        scheduler.on_paused(trial)


def tell_stopped(scheduler: Scheduler, trial: Trial) -> None:
    """Tell the scheduler that a user stopped a trial; called once the command is stored, before the processes have ended."""
    scheduler.on_complete(trial)


def restore(scheduler: Scheduler, state: ExperimentState, events: Iterable[Event]) -> None:
    """Replay a log into a new scheduler and an empty state, up to the log's end."""
    for event in events:
        feed(scheduler, state, event)
        state.apply(event)


def verify(
    scheduler: Scheduler, state: ExperimentState, events: Iterable[tuple[int, Event]], count: list[int]
) -> Iterator[DecisionDifference]:
    """Compute every logged decision again, yield those that differ, and add the number compared to `count[0]`."""
    for sequence, event in events:
        logged = suggestion_of(event) if event.kind in (Kind.STARTED, Kind.RESUMED) else None
        if logged is not None and not (isinstance(logged, Start) and logged.retries is not None):
            count[0] += 1
            proposed = scheduler.propose(new_trials=event.body.get("new_trials", True))
            if proposed != logged:
                yield DecisionDifference(sequence, str(logged), str(proposed))
        if (decision := feed(scheduler, state, event)) is not None:
            count[0] += 1
            if decision != event.body["decision"]:
                yield DecisionDifference(sequence, event.body["decision"], decision)
        state.apply(event)


def versions_of(libraries: Sequence[str]) -> dict[str, str]:
    """Return the installed versions of libraries on which a searcher's proposals depend."""
    if not libraries:
        return {}
    from importlib import metadata  # few methods need it

    return {name: metadata.version(name) for name in libraries}


def other_versions(scheduler: Scheduler, events: Iterable[Event]) -> dict[str, tuple[str, str]]:
    """Return the (logged, installed) versions of libraries that the searcher depends on, if they differ."""
    today = versions_of(scheduler.searcher.libraries)
    logged = [event.body.get("libraries", {}) for event in events if event.kind == Kind.OPENED]
    return {
        name: (versions[name], now)
        for name, now in today.items()
        for versions in logged
        if versions.get(name, now) != now
    }


def suggestion_of(event: Event) -> Suggestion:
    """Return the suggestion that a STARTED or RESUMED event carried out, or the restart of a failed trial."""
    if event.kind == Kind.STARTED:
        also = {name: event.body[name] for name in ("retries", *_COPY) if name in event.body}
        return Start(event.body["configuration"], event.body["until"], **also)
    return Resume(event.trial_id, event.body["until"])


_COPY = ("source", "source_resource", "replaces")


def event_body(suggestion: Suggestion, *, new_trials: bool) -> dict[str, Any]:
    """Return the body of the event that carries out a suggestion.

    Args:
        suggestion: Suggestion of the scheduler.
        new_trials: Whether the scheduler was allowed to suggest a new trial.
    """
    if isinstance(suggestion, Resume):
        return {"until": suggestion.until, "new_trials": new_trials}
    body: dict[str, Any] = {"configuration": dict(suggestion.configuration), "until": suggestion.until}
    if suggestion.retries is not None:
        body["retries"] = suggestion.retries
    if suggestion.source is not None:
        body |= {name: getattr(suggestion, name) for name in _COPY} | {"new_trials": new_trials}
    return body
