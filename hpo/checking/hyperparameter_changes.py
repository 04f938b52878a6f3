"""The check that a script resumes a copied checkpoint with other hyperparameters, each changed in turn."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hpo.checking.findings import Findings, by_resource, different
from hpo.checking.hyperparameters import others
from hpo.checking.training import Training
from hpo.events.types import Configuration, Trial

CHECK = "changing"
Reports = Mapping[int, Mapping[str, Any]]


def check_hyperparameter_changes(training: Training, findings: Findings, names: Sequence[str]) -> None:
    """Pause a trial and resume copies of it: one unchanged, and one per hyperparameter with another value of it.

    Args:
        training: Training after its uninterrupted run.
        findings: Findings that the results are added to.
        names: Hyperparameters that may change while a trial trains.
    """
    if not training.saves or training.limit is None:
        why = "it has no checkpoints" if training.limit is not None else "benchmark.max_resource_attr is not given"
        findings.skip(CHECK, why)
        return
    remarks = []
    for name in names:
        remark = _check(training, findings, name)
        if remark is None:  # the check has failed, and its finding is added
            return
        remarks.append(remark)
    unsure = [name for name, remark in zip(names, remarks, strict=True) if remark]
    if unsure:
        findings.warn(
            CHECK,
            f"{', '.join(unsure)}: whether another value is used after a checkpoint is loaded cannot be told, for "
            f"{next(filter(None, remarks))}; report what is used under its name, such as hpo.report({unsure[0]}=...)",
        )
    else:
        findings.ok(CHECK, f"resumes from a copy with another value of {', '.join(names)}, and uses it")


def _check(training: Training, findings: Findings, name: str) -> str | None:
    """Check that a resumed copy of a trial uses a changed value of one hyperparameter.

    Returns:
        An empty string if the changed value is used, a reason if that cannot be determined, None after a failure was
        added.
    """
    rehearsal, space = training.rehearsal, training.config.space
    bases = [rehearsal.trial().configuration, *space.covering_configurations()]
    base = next(one for one in bases if name in one)
    if not (values := others(space.domains[name], base[name])):
        return "there is only one"
    changed = {**base, name: values[0]}
    pause = 2 if training.until >= 3 else 1
    paused = rehearsal.trial(base)
    rehearsal.run(paused, pause, stop=training.beyond(pause))
    what = (
        f"a copy of a trial paused at {training.resource} {pause} was given {name}={values[0]} in place of {base[name]}"
    )
    as_it_was = _go_on(training, paused, base)
    found = _go_on(training, paused, changed)
    if isinstance(as_it_was, str):
        findings.fail(
            CHECK,
            f"a copy of a trial paused at {training.resource} {pause} should have resumed, and {as_it_was}; {_LOAD}",
        )
        return None
    if isinstance(found, str):
        findings.fail(
            CHECK,
            f"{what}, and {found}; let it resume with another value, or take {name} out of method.scheduler.mutable",
        )
        return None
    told = [metrics[name] for metrics in found.values() if name in metrics]
    if told:
        if any(_apart(value, values[0]) for value in told):
            findings.fail(CHECK, f"{what}, and reports {name}={told[0]}; {_REMEDY}")
            return None
        return ""
    if not training.reproducible():
        return "already two uninterrupted trainings differ: seed everything with HPO_TRIAL_SEED"
    if _differ(as_it_was, found, training.tolerance):
        return ""
    if _differ(training.reference, _from_nothing(training, changed), training.tolerance):
        findings.fail(CHECK, f"{what}, and reports all that it would with the old value; {_REMEDY}")
        return None
    return "no other value changes anything in so few reports"


_LOAD = "load what is in HPO_CHECKPOINT_DIR, whichever trial has saved it there"
_REMEDY = "what it loads brings the old value back: load first, then set the hyperparameters that it is given"


def _go_on(training: Training, paused: Trial, configuration: Configuration) -> Reports | str:
    """Resume a copy of a paused trial and return its reports beyond the pause, or a text that says why there are none."""
    copy = replace(training.rehearsal.trial(configuration), source=paused.id)
    training.rehearsal.copy(paused, copy)
    attempt = training.go_on(copy)
    if failure := attempt.failure:
        return failure
    reports = by_resource(attempt.reports, training.resource)
    pause = 2 if training.until >= 3 else 1
    if min(reports, default=training.until) < pause or max(reports, default=0) < training.until:
        return f"it reported {training.resource} {', '.join(map(str, reports)) or 'nothing'}"
    return {resource: metrics for resource, metrics in reports.items() if resource > pause}


def _from_nothing(training: Training, configuration: Configuration) -> Reports:
    attempt = training.rehearsal.run(training.rehearsal.trial(configuration), training.target, stop=training.at_end)
    return by_resource(attempt.reports, training.resource)


def _differ(one: Reports, other: Reports, tolerance: float) -> bool:
    return any(different(one[resource], other[resource], tolerance) for resource in one if resource in other)


def _apart(told: Any, given: Any) -> bool:
    """Whether a reported value differs from the given one; numbers may differ by rounding."""
    if isinstance(told, int | float) and isinstance(given, int | float):
        return abs(told - given) > 1e-6 * max(abs(told), abs(given))
    return str(told) != str(given)
