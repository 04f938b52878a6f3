"""Can an attempt's reports be used? As the tuner reads them, and in one sentence where not."""

from hpo.objective import Objective, ReportError
from hpo.rehearsal import Attempt


def problem_of(attempt: Attempt, objective: Objective) -> str | None:
    """What is wrong with its reports; None when they can be used."""
    if attempt.garbage:
        return (
            f"it wrote a line that is not a report: {attempt.garbage[0]!r}; append one JSON object per line to "
            f"HPO_REPORT_FILE, or call hpo.report"
        )
    if not attempt.reports:
        how = attempt.failure or "it ended"
        return f"{how} without a report; call hpo.report(...) or append to $HPO_REPORT_FILE"
    for heard in attempt.reports:
        try:
            objective.loss(heard.metrics)
            objective.resource(heard.metrics)
        except ReportError as error:
            return f"{error}; report it, or correct the key"
    return None
