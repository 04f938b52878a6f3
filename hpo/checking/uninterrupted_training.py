"""Checks of an uninterrupted training: reports, resources, the end, and whether the script saves before it reports."""

import math
from collections.abc import Sequence

from hpo.backends.single_attempts import RehearsedAttempt
from hpo.backends.unmodified_program import in_blocks
from hpo.checking.findings import Findings, by_resource
from hpo.checking.reports import problem_of
from hpo.checking.saves import REPORT, unsaved
from hpo.checking.training import Training
from hpo.config.choices import ReportChannel


def check_uninterrupted(training: Training, findings: Findings) -> str | None:
    """Train once without interruption; return why nothing more can be checked, or None."""
    attempt, order = training.train_uninterrupted()
    if problem := problem_of(attempt, training.config):
        findings.fail("reports", problem)
        return "there are no usable reports"
    count = len(attempt.reports)
    if failure := attempt.failure:
        findings.fail("reports", f"after {count} report(s) {failure}; see what it prints when it is run by hand")
        return "it does not come to its end"
    findings.ok("reports", f"{', '.join(sorted(attempt.reports[0].metrics))}, {count} times")
    benchmark = training.config.benchmark
    if attempt.exit is not None and in_blocks(attempt.exit.found, benchmark):
        findings.warn(
            "lines",
            f"all {count} reports came at the same moment: the program holds its output back, so that nothing is known of a "
            f"trial until it is over; have it flush each line, or start it by benchmark.command=[stdbuf,-oL,...]",
        )
    if benchmark.named_resource is None:
        name = benchmark.resource_attr
        key = f"benchmark.patterns.{name}" if benchmark.patterns and name is not None else "benchmark.resource_attr"
        return f"{key} is not given: reports are only counted"
    training.reference = by_resource(attempt.reports, training.resource)
    step = _step([heard.metrics[training.resource] for heard in attempt.reports])
    if step > 1 and training.first_rung % step == 0:
        findings.warn(
            "resources",
            f"it reports every {step} {training.resource}s only, which min_resource={training.first_rung} allows for; "
            f"interruptions cannot be checked",
        )
        return f"it does not report every {training.resource}"
    if not _check_resources(attempt, training, findings) or not _check_end(attempt, training, findings):
        return "the training does not go as it should without an interruption"
    _check_order(order, count, training, findings)
    return None if training.until >= 2 else f"a training of one {training.resource} cannot be interrupted"


def _step(named: Sequence[float]) -> int:
    """Return the number of units of resource between reports; 0 if they are not evenly spaced."""
    first = named[0]
    even = all(resource == number * first for number, resource in enumerate(named, 1))
    return int(first) if even and int(first) == first else 0


def _check_resources(attempt: RehearsedAttempt, training: Training, findings: Findings) -> bool:
    unit = training.resource
    named = [heard.metrics[unit] for heard in attempt.reports]
    step = _step(named)
    other = f", or pass method.scheduler.min_resource={step} to a method with rungs" if step > 1 else ""
    for number, resource in enumerate(named, 1):
        if resource != number:
            findings.fail(
                "resources",
                f"report {number} names {unit}={resource}, not {number}; count from 1 and report every {unit} once{other}",
            )
            return False
    findings.ok("resources", f"{unit} 1 to {named[-1]}, one by one")
    return True


def _check_end(attempt: RehearsedAttempt, training: Training, findings: Findings) -> bool:
    unit, limit, until, last = training.resource, training.limit, training.until, max(training.reference)
    told = f"--{limit}={until}"
    if limit is None:
        findings.warn(
            "end",
            f"benchmark.max_resource_attr is not given: the script cannot be told where to end and is killed there; name "
            f"its argument for the number of {unit}s",
        )
        return True
    if last > until:
        findings.fail("end", f"{told}, but it continued to {unit} {last}; end there")
        return False
    if attempt.told:
        grace = training.config.grace_period_seconds
        findings.fail("end", f"{told}, but it did not end within {grace:g} s after {unit} {last}; end there")
        return False
    if last < until:
        value = training.reference[last][training.metric]
        text = f"{told}, but it ended after {unit} {last}"
        if math.isfinite(value):
            findings.fail("end", f"{text}; train to {limit}, it is the method that ends trials early")
        else:
            findings.warn("end", f"{text} with {training.metric}={value}; put a better first point to evaluate")
        return False
    findings.ok("end", f"by itself at {told}")
    return True


def _check_order(order: str, reports: int, training: Training, findings: Findings) -> None:
    if not training.saves:
        return
    benchmark = training.config.benchmark
    if benchmark.report_channel == ReportChannel.syne_tune:
        findings.skip("order", "what it prints and what it reports go to the same file")
    elif benchmark.foreign:
        findings.skip("order", "its results are read from what it prints or writes, a moment later")
    elif REPORT not in order:
        findings.skip("order", "the kernel has no inotify left to see it with; see fs.inotify.max_user_watches")
    elif reports >= 2 and order == "RS" * reports:
        findings.fail(
            "order",
            f"it reports each {training.resource} before it has saved it, so that a trial ended there has lost it; save "
            f"first, then report",
        )
    elif unsaved(order, reports):
        findings.warn("order", "it saves less often than it reports; what is not saved is trained again")
    else:
        findings.ok("order", "saves first, then reports")
