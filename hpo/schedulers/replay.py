"""Feeding a log to a scheduler: how an experiment resumes, and how its decisions are verified.

A scheduler is a pure function of its configuration and of what it was told. Told again what the log says, it is in the
state it was in; asked again, it must answer what the log says it answered.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hpo.events.outcome import ReportOutcome
from hpo.events.state import ExperimentState
from hpo.events.steering import stopped_trial
from hpo.events.values import Decision, Event, Kind, Resume, Start, Status, Suggestion, Trial
from hpo.schedulers.base import Scheduler


@dataclass(frozen=True, slots=True)
class ReplayedOtherwise:
    """A decision that comes out otherwise than logged."""

    sequence: int
    logged: str
    replayed: str


def feed(scheduler: Scheduler, state: ExperimentState, event: Event) -> Decision | None:
    """Tell the scheduler what `event` says, trusting logged suggestions. Returns its decision on a report.

    Call before `state.apply(event)`.
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
    """A trial's report: its cost and its loss, and what else is asked of it where that is anything.

    Args:
        scheduler: is told.
        state: before the report.
        trial: whose it is.
        resource: that it has reached.
        outcome: what the report comes to.
        elapsed: that of the event, so that a log tells the same seconds again.
    """
    cost = outcome.cost
    if cost is None and scheduler.counts_seconds:
        known = state.trials[trial.id]
        cost = known.busy + elapsed - known.began
    if cost is not None:
        scheduler.on_cost(trial, resource, cost)
    if state.objective.takes_outcomes:
        return scheduler.on_outcome(trial, resource, outcome)
    return scheduler.on_report(trial, resource, outcome.loss)


def _tell_budget(scheduler: Scheduler, state: ExperimentState, event: Event) -> None:
    """What all trials together may cost, where a session begins or a command changes it."""
    if event.kind == Kind.OPENED and "max_cost" in (given := event.body.get("budget") or {}):
        scheduler.on_budget(max_cost={**given, **state.steering.changes_under(given)}.get("max_cost"))
    elif event.kind == Kind.COMMANDED and "max_cost" in event.body.get("new", {}):
        scheduler.on_budget(max_cost=event.body["new"]["max_cost"])


def tell_end(scheduler: Scheduler, trial: Trial, status: Status) -> None:
    """A trial's attempt is over: what of that concerns the scheduler."""
    if status == Status.COMPLETED:
        scheduler.on_complete(trial)
    elif status in (Status.FAILED, Status.TIMEOUT):
        scheduler.on_error(trial)
    elif status == Status.PAUSED:
        scheduler.on_paused(trial)


def tell_stopped(scheduler: Scheduler, trial: Trial) -> None:
    """Somebody has stopped a trial, running or paused: told when that is stored, before its processes are gone."""
    scheduler.on_complete(trial)


def restore(scheduler: Scheduler, state: ExperimentState, events: Iterable[Event]) -> None:
    """Bring a fresh scheduler and an empty state to where the log ends."""
    for event in events:
        feed(scheduler, state, event)
        state.apply(event)


def verify(
    scheduler: Scheduler, state: ExperimentState, events: Iterable[tuple[int, Event]], count: list[int]
) -> Iterator[ReplayedOtherwise]:
    """Compute every logged decision again. Yields the differences; `count[0]` grows by the decisions compared."""
    for sequence, event in events:
        logged = suggestion_of(event) if event.kind in (Kind.STARTED, Kind.RESUMED) else None
        if logged is not None and not (isinstance(logged, Start) and logged.retries is not None):
            count[0] += 1
            proposed = scheduler.propose(new_trials=event.body.get("new_trials", True))
            if proposed != logged:
                yield ReplayedOtherwise(sequence, str(logged), str(proposed))
        if (decision := feed(scheduler, state, event)) is not None:
            count[0] += 1
            if decision != event.body["decision"]:
                yield ReplayedOtherwise(sequence, event.body["decision"], decision)
        state.apply(event)


def versions_of(libraries: Sequence[str]) -> dict[str, str]:
    """The versions of distributions that decide what a searcher proposes, as they are installed."""
    if not libraries:
        return {}
    from importlib import metadata  # which few methods need

    return {name: metadata.version(name) for name in libraries}


def other_versions(scheduler: Scheduler, events: Iterable[Event]) -> dict[str, tuple[str, str]]:
    """Of the libraries that decide, those whose version is another than in a session of the log: that one, and today's."""
    today = versions_of(scheduler.searcher.libraries)
    logged = [event.body.get("libraries", {}) for event in events if event.kind == Kind.OPENED]
    return {
        name: (versions[name], now)
        for name, now in today.items()
        for versions in logged
        if versions.get(name, now) != now
    }


def suggestion_of(event: Event) -> Suggestion:
    """What a STARTED or RESUMED event carried out: a suggestion, or the wish to train a failed trial again."""
    if event.kind == Kind.STARTED:
        also = {name: event.body[name] for name in ("retries", *_COPY) if name in event.body}
        return Start(event.body["configuration"], event.body["until"], **also)
    return Resume(event.trial_id, event.body["until"])


_COPY = ("source", "source_resource", "replaces")


def body_of(suggestion: Suggestion, *, new_trials: bool) -> dict[str, Any]:
    """What the event that carries out a suggestion stores.

    Args:
        suggestion: of the scheduler.
        new_trials: might a new trial have been suggested?
    """
    if isinstance(suggestion, Resume):
        return {"until": suggestion.until, "new_trials": new_trials}
    body: dict[str, Any] = {"configuration": dict(suggestion.configuration), "until": suggestion.until}
    if suggestion.retries is not None:
        body["retries"] = suggestion.retries
    if suggestion.source is not None:
        body |= {name: getattr(suggestion, name) for name in _COPY} | {"new_trials": new_trials}
    return body
