"""The explanation of an experiment that used up its budget without one finite result."""

from pathlib import Path

from hpo.events.state import ExperimentState
from hpo.events.text import counts_text
from hpo.events.types import Status
from hpo.store.directory import ExperimentDirectory


def failure_of(state: ExperimentState, directory: Path) -> str | None:
    """Return a sentence about why an experiment failed, with a remedy and a log file; None if it did not fail."""
    if state.status != "failed":
        return None
    metrics = " and ".join(aim.metric for aim in state.objective.aims) or state.objective.metric
    result = f"no finite {metrics} in {counts_text(state)}"
    trials = [trial for trial in state.trials.values() if not trial.retried]  # under the newest code
    shown = next((trial for trial in trials if trial.status == Status.FAILED), next(iter(trials), None))
    if shown is None:
        return f"{result}; run the same command with a larger budget"
    files = ExperimentDirectory(directory)
    log = files.attempt(shown.trial.id, shown.attempt) / "stderr.log"
    place = log if log.is_file() else files.log  # simulated trials have no output file
    return f"{result}; fix what keeps it from training, then add retry=failed to the same command; see {place}"
