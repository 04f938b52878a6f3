"""The explanation of an experiment that used up its budget without one finite result."""

import math
from pathlib import Path

from hpo.events.objective import Objective
from hpo.events.state import ExperimentState
from hpo.events.text import counts_text
from hpo.events.types import Event, Status
from hpo.store.directory import ExperimentDirectory, log_of_attempt


def failure_of(state: ExperimentState, directory: Path) -> str | None:
    """Return a sentence about why an experiment failed, with a remedy and a log file; None if it did not fail.

    The log is that of a trial that failed, if one did; trials that trained to their end and diverged have no error to read.
    """
    if state.status != "failed":
        return None
    metrics = " and ".join(_metrics(state.objective))
    result = f"no finite {metrics} in {counts_text(state)}"
    if state.diverged is not None:
        result += f": {_diverged(state.diverged, state.objective)}"
    trials = [trial for trial in state.trials.values() if not trial.retried]  # under the newest code
    failed = next((trial for trial in trials if trial.status == Status.FAILED), None)
    if state.diverged is not None and failed is None:
        return (
            f"{result}; make the training stable, by a narrower benchmark.config_space under another experiment_tag or in "
            f"the script, and then add retry=failed to the same command"
        )
    shown = failed or next(iter(trials), None)
    if shown is None:
        return f"{result}; run the same command with a larger budget"
    files = ExperimentDirectory(directory)
    place = log_of_attempt(files.attempt(shown.trial.id, shown.attempt)) or files.log
    return f"{result}; fix what keeps it from training, then add retry=failed to the same command; see {place}"


def _metrics(objective: Objective) -> list[str]:
    return [aim.metric for aim in objective.aims] or [objective.metric]


def _diverged(report: Event, objective: Objective) -> str:
    """Say which metric of a report was not finite, in which trial and at which resource."""
    metrics = report.body["metrics"]
    outcome = objective.outcome(metrics, report.reached)
    losses = zip(_metrics(objective), outcome.losses, strict=True)
    metric = next(metric for metric, loss in losses if not math.isfinite(loss))
    value = "NaN" if metrics[metric] != metrics[metric] else "infinite"
    return f"{metric} was {value} at {objective.resource_attr or 'report'} {report.reached} of trial {report.trial}"
