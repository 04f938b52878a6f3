"""The check that the tuner can use an attempt's reports; it reads them as the tuner does."""

from hpo.backends.single_attempts import RehearsedAttempt
from hpo.config.schema import ExperimentConfig
from hpo.events.objective import ReportError
from hpo.tuner.trial_limits import ONE_OBJECT, how_to_report


def problem_of(attempt: RehearsedAttempt, config: ExperimentConfig) -> str | None:
    """Return a sentence about what is wrong with an attempt's reports; None if the tuner can use them."""
    if attempt.garbage:
        return (
            f"it wrote a line that is not a report: {attempt.garbage[0]!r}; {ONE_OBJECT}, to HPO_REPORT_FILE, or call "
            f"hpo.report"
        )
    if not attempt.reports:
        return _nothing_from(attempt, config)
    objective = config.objective
    for count, heard in enumerate(attempt.reports, 1):
        try:
            objective.read(heard.metrics, count)
        except ReportError as error:
            return error.sentence
    return None


def _nothing_from(attempt: RehearsedAttempt, config: ExperimentConfig) -> str:
    """Explain why an attempt made no report. A script that reports more rarely than its limit is not at fault."""
    limit, most = config.benchmark.max_resource_attr, config.max_resource
    assert attempt.exit is not None
    if attempt.failure is not None and not attempt.printed_metrics:
        return f"{attempt.failure} without a report; fix that first, because a script that fails cannot be checked"
    remedy = attempt.exit.error or how_to_report(config.benchmark.report_channel)
    if attempt.printed_metrics:
        return (
            f"{attempt.failure or 'it ended'} without a report, but it printed [tune-metric] lines; set "
            f"benchmark.report_channel=syne_tune"
        )
    if limit is not None and attempt.until is not None and attempt.until < (most or 0):
        unit = config.objective.resource_attr or "report"
        return (
            f"it ended without a report at --{limit}={attempt.until}; if it reports only every {attempt.until + 1} {unit}s, "
            f"say, pass method.scheduler.min_resource={attempt.until + 1} (to a method without rungs --units "
            f"{attempt.until + 1}), else {remedy}"
        )
    return f"it ended without a report; {remedy}"
