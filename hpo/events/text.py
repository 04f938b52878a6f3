"""Times, counts, configurations and results in words, the same wherever a person reads them."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hpo.events.outcome import no_trial_met
from hpo.events.state import ExperimentState
from hpo.events.steering import CommandName
from hpo.events.types import Status

_DIGITS = 4
"""Number of significant digits of a value that is shown."""
_EXACT = 17
"""Number of significant digits with which every float is read back unchanged."""
_OF_THE_REST = 0.005
"""Share of a value's distance from 1 that rounding may change; for momenta and decay rates that distance matters."""


def best_of(state: ExperimentState) -> dict[str, Any] | None:
    """Return the incumbent as plain values; None without one."""
    best = state.incumbent
    if best is None:
        return None
    return _told(state, best.trial_id, {state.objective.metric: state.objective.value(best.loss)}, best.resource)


def held_out_text(state: ExperimentState) -> str:
    """Return the test values of the incumbent, as far as they are known; empty without a test metric."""
    best = state.incumbent
    if best is None or not state.objective.test_metrics:
        return ""
    values = state.held_out.of(best.trial_id, best.resource)
    return ", ".join(
        f"{name}={values[name]:.6g}" if name in values else f"no {name}" for name in state.objective.test_metrics
    )


def front_of(state: ExperimentState) -> list[dict[str, Any]]:
    """Return the Pareto front as plain values, the best of the first objective first; empty for a single objective."""
    values = state.objective.values
    return [_told(state, point.trial_id, values(point.losses), point.resource) for point in state.front]


def _told(state: ExperimentState, trial_id: int, metrics: Mapping[str, float], resource: int) -> dict[str, Any]:
    return {
        "trial_id": trial_id,
        **metrics,
        **({} if (unit := state.objective.resource_attr or "report") in metrics else {unit: resource}),
        **({"test": state.held_out.of(trial_id, resource)} if state.objective.test_metrics else {}),
        "configuration": dict(state.trials[trial_id].trial.configuration),
    }


def best_name(state: ExperimentState) -> str:
    """Return the words before `best_text`."""
    return "front" if state.objective.aims else "best"


def best_text(state: ExperimentState) -> str:
    """Return the incumbent, or the Pareto front, in one line."""
    best = state.incumbent
    objective = state.objective
    if state.front:
        return _front_text(state)
    if best is None:
        return "none yet" if state.closest is None else f"none: {no_trial_met(objective.constraints, state.closest)}"
    where = f"{objective.resource_attr or 'report'} {best.resource}"
    configuration = configuration_text(state.trials[best.trial_id].trial.configuration)
    tests = f"; test: {told}" if (told := held_out_text(state)) else ""
    return (
        f"{objective.metric}={objective.value(best.loss):.6g} (trial {best.trial_id}, {where}{tests}): {configuration}"
    )


def _front_text(state: ExperimentState) -> str:
    """Return the size and the extent of the Pareto front; for three objectives and more, the range of each."""
    front, aims, ends = state.front, state.objective.aims, []
    for place, aim in enumerate(aims):
        losses = [point.losses[place] for point in front]
        first, last = (losses[0], losses[-1]) if len(aims) == 2 else (min(losses), max(losses))
        ends.append(f"{aim.metric} {aim.value(first):.6g}" + (f" to {aim.value(last):.6g}" if len(front) > 1 else ""))
    trials = state.best_trials
    of = f"trial {trials[0]}" if len(trials) == 1 else f"trials {shortened([str(trial) for trial in trials], 8)}"
    return f"{len(front)} report{'s' if len(front) > 1 else ''} ({of}): {', '.join(ends)}"


def counts_text(state: ExperimentState) -> str:
    """Return the number of trials by status, and the number of reports."""
    memory = f" ({state.out_of_memory} out of memory)" if state.out_of_memory else ""
    counts = state.counts().items()
    text = ", ".join(f"{count} {status}{memory if status == Status.FAILED else ''}" for status, count in counts)
    again = f", {state.retries} of them to train a failed one again" if state.retries else ""
    unread = f", {state.unread:,} lines that are no reports" if state.unread else ""
    return f"{len(state.trials)} trials ({text or 'none'}){again}, {state.reports} reports{unread}"


def again_text(state: ExperimentState) -> str:
    """Return how much of the training was done twice; empty if nothing was."""
    again = sum(state.again.values())
    if not again:
        return ""
    unit = state.objective.resource_attr or "report"
    who = " and ".join(
        f"{kind} trials" for kind, promoted in (("promoted", True), ("interrupted", False)) if state.again[promoted]
    )
    total = state.trained + again
    return f"{again} of {total} {unit}s ({again / total:.0%}) were trained before: {who} did not resume where they were"


def command_text(body: Mapping[str, Any]) -> str:
    """Return what an accepted command asked for, from the body of its event."""
    match body["command"]:
        case CommandName.STOP:
            return f"stop trial {body['arguments']['trial']}"
        case CommandName.BUDGET:
            return ", ".join(
                f"{key} {limit_text(body['old'][key])} -> {limit_text(new)}" for key, new in body["new"].items()
            )
        case other:
            return str(other)


def limit_text(value: float | None) -> str:
    """Return a limit of a budget as it is written on a command line."""
    return "null" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def steering_text(state: ExperimentState) -> str:
    """Return how people influenced an experiment's decisions; empty if nobody did."""
    if not state.steering.marks:
        return ""
    stops = [str(event.trial) for event in state.steering.marks if event.trial is not None]
    holds = len(state.steering.marks) - len(stops)
    parts = [f"trial{'s' * (len(stops) > 1)} {shortened(stops, 5)} stopped"] if stops else []
    parts += [f"held {'once' if holds == 1 else f'{holds} times'}"] if holds else []
    return f"steered: {' and '.join(parts)} by command, so that it is no longer its method's result alone"


def configuration_text(configuration: Mapping[str, Any]) -> str:
    """Return a configuration for people to read."""
    return " ".join(f"{name}={value_text(value)}" for name, value in configuration.items())


def value_text(value: object) -> str:
    """Return a value of a configuration with four digits, or as many as tell it apart from 1 and from a rounder number."""
    if not isinstance(value, float):
        return word(value)
    for precision in range(_DIGITS, _EXACT):
        text = f"{value:.{precision}g}"
        shown, digits = float(text), re.sub(r"e.*|\D", "", text).strip("0")
        near_one = abs(shown - value) > _OF_THE_REST * abs(1 - value)
        if not near_one and (len(digits) >= _DIGITS or math.isclose(shown, value, rel_tol=1e-9)):
            return text
    return repr(value)


def word(value: object) -> str:
    """Return a value as text; truth values as in YAML."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def clock(seconds: float) -> str:
    """Return seconds as h:mm:ss, or with one decimal below a minute."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = int(seconds + 0.05)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def in_unit_of(longest: float, seconds: float, cost: str | None = None) -> str:
    """Return seconds in the unit that suits the longest of several times, so that a reader need not convert.

    Args:
        longest: Longest of the times, in seconds.
        seconds: Time to be shown.
        cost: Name of the cost, if costs are shown in place of seconds.
    """
    if math.isnan(seconds):
        return "-"
    if math.isinf(seconds):
        return "never"
    if cost is not None:
        return f"{seconds:.4g} {cost}"
    name, size = next((unit for unit in (("s", 1), ("min", 60)) if longest < 120 * unit[1]), ("h", 3600))
    value = seconds / size
    return f"{value:.0f} {name}" if value >= 100 else f"{value:.3g} {name}"


def days_text(began: float | None, ended: float | None) -> str:
    """Return a period between two unix times, in UTC; empty if its beginning is unknown."""
    if began is None:
        return ""
    first, *last = (datetime.fromtimestamp(time, UTC) for time in (began, ended) if time is not None)
    text = f"{first:%Y-%m-%d %H:%M}"
    if last and f"{last[0]:%Y-%m-%d %H:%M}" != text:
        text += f" to {last[0]:%H:%M}" if last[0].date() == first.date() else f" to {last[0]:%Y-%m-%d %H:%M}"
    return f"{text} UTC"


def printable(text: str) -> str:
    """Return a program's text as one line without control characters."""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def shortened(names: Sequence[str], most: int = 3) -> str:
    """Return names as a list in a sentence, the first `most` of them."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def code_changes_of(state: ExperimentState) -> list[tuple[str, str, str]]:
    """List the changes of the code, oldest first: where it was found, in a word and in a phrase, and in which files."""
    found = [(session, -1, names) for session, names in state.code.changes.items()] + state.code.edits
    return [
        (f"session {session}", f"before session {session}", shortened(names))
        if trial < 0
        else (f"trial {trial}", f"while session {session} ran, before trial {trial} was started", shortened(names))
        for session, trial, names in sorted(found, key=lambda change: (change[0], change[1] >= 0))
    ]


def code_versions_text(state: ExperimentState) -> str:
    """Say which trials ran which version of the code; empty if there is one version."""
    if len(state.code.versions) < 2 and not state.code.unsure:
        return ""
    each, several, unsure = state.code.trials()
    parts = [f"version {number} ran in {ids_text(trials)}" for number, trials in enumerate(each, 1) if trials]
    parts += [f"several versions ran in {ids_text(several)}"] if several else []
    parts += [f"not known of {ids_text(unsure)}"] if unsure else []
    return "; ".join(parts)


def ranges_of(numbers: Iterable[int]) -> list[str]:
    """Return numbers as ascending ranges, such as `0-3` and `7`."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return [str(low) if low == high else f"{low}-{high}" for low, high in ranges]


def ids_text(trials: Sequence[int], most: int = 8) -> str:
    """Return ids of trials for a sentence, such as `trials 0-3, 7`."""
    shown = shortened(ranges_of(trials), most)
    return f"trial {shown}" if len(trials) == 1 else f"trials {shown}"


def overview(result: Any, state: ExperimentState, otherwise: str, behind: str = "") -> str:
    """Return what a notebook shows of an object that has an experiment's `directory`.

    Args:
        result: The object.
        state: State of the experiment.
        otherwise: Condition of the experiment if it has not finished.
        behind: Text after the best result.
    """
    parts = {"status": f"{state.status}: {state.finished}" if state.finished else otherwise}
    parts |= {best_name(state): best_text(state) + behind, "trials": counts_text(state)}
    return f"{type(result).__name__} {result.directory}" + "".join(f"\n  {k:<9}{text}" for k, text in parts.items())
