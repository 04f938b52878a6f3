"""The trials of an experiment as rows of a table."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hpo.events.objective import Aim
from hpo.events.types import Configuration, Status
from hpo.history.record import Subject, record_of


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial as a row of a table."""

    trial: int
    status: str
    attempts: int
    resource: int | None
    """Highest reported resource; None before the first report."""
    last: float | None
    """Metric value of the last report; None if it is not finite or there is no report."""
    best: float | None
    """Best finite metric value of reports that meet the constraints; None if there is none."""
    best_at: int | None
    """Resource of the report with the best value."""
    seconds: float
    """Duration of all attempts, including the running one."""
    device_seconds: float
    """Seconds for which its attempts held devices, without the wait for a machine."""
    configuration: Configuration
    further: Sequence[float | None] = ()
    """Values of the objectives after the first in the last report; None for one that is not finite or not reported."""


def trial_rows(subject: Subject) -> Iterator[TrialRow]:
    """Yield one row per trial, in the order in which the trials started."""
    state, record = subject.state, record_of(subject)
    objective = state.objective
    further = [*enumerate(objective.aims)][1:]
    for trial_id, trial in state.trials.items():
        own = record.of_trial.get(trial_id)
        running = state.elapsed - trial.began if trial.status == Status.RUNNING else 0.0
        yield TrialRow(
            trial=trial_id,
            status=trial.status.value,
            attempts=trial.attempt + 1,
            resource=trial.resource or None,
            last=None if trial.loss is None or math.isinf(trial.loss) else objective.value(trial.loss),
            best=objective.value(own.best_loss) if own is not None and own.best_at is not None else None,
            best_at=own.best_at if own is not None else None,
            seconds=trial.busy + running,
            device_seconds=trial.on_devices + (state.device_time.held(trial, state.elapsed) if running else 0.0),
            configuration=trial.trial.configuration,
            further=[_value(aim, trial.losses[place]) if trial.losses else None for place, aim in further],
        )


def _value(aim: Aim, loss: float) -> float | None:
    return aim.value(loss) if math.isfinite(loss) else None
