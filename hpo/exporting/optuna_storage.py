"""Export to Optuna: one study per experiment in an SQLite storage that optuna and optuna-dashboard open."""

import logging
import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from hpo.errors import ConfigError, how_to_install
from hpo.events.objective import Objective
from hpo.events.outcome import ReportOutcome
from hpo.events.text import best_of, front_of
from hpo.events.types import Event, Kind, Status
from hpo.results.experiment import Experiment
from hpo.results.rows import last_line
from hpo.space.domains import LOG, Choice, Domain, Float, Integer

STATES = {
    Status.RUNNING: "RUNNING",
    Status.INTERRUPTED: "RUNNING",
    Status.PAUSED: "PRUNED",
    Status.STOPPED: "PRUNED",
    Status.COMPLETED: "COMPLETE",
    Status.FAILED: "FAIL",
    Status.TIMEOUT: "FAIL",
}
"""Optuna's state for each status of a trial; the user attribute `hpo_status` keeps the original."""


CONSTRAINTS = "constraints"
"""Optuna's name for the attribute of a trial that says how far it is beyond each constraint."""
LARGEST = 1e300
"""Number written instead of infinity, which JSON cannot represent."""


def write_optuna(experiments: Sequence[Experiment], output: Path) -> None:
    """Write an Optuna storage with one study per experiment.

    The value of a trial is the best that it reported, among feasible reports if there are constraints. With several
    objectives it is the values of the trial's report on the Pareto front (if several are, the best in the first
    objective), else those of its last report. The trial with the best result, or those on the front, are COMPLETE even
    if they were paused or stopped, because Optuna looks for the best among complete trials only.

    Raises:
        ConfigError: The package optuna is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise ConfigError(f"--to optuna: it needs the package optuna ({error}); {how_to_install('optuna')}") from error
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.WARNING)
    storage = optuna.storages.RDBStorage(f"sqlite:///{output.absolute()}")
    try:
        for experiment in experiments:
            add_study(optuna, storage, experiment)
    finally:
        optuna.logging.set_verbosity(level)
        storage.remove_session()
        storage.engine.dispose()


def add_study(optuna: Any, storage: Any, experiment: Experiment) -> None:
    """Add an experiment as a study to an Optuna storage; `optuna` is the imported package."""
    config = experiment.config
    objective = experiment.state.objective
    directions = ["maximize" if aim.mode == "max" else "minimize" for aim in objective.each]
    study = optuna.create_study(storage=storage, study_name=config.place, directions=directions)
    facts = {
        "metric": objective.metric,
        **({"objectives": [aim.metric for aim in objective.aims]} if objective.aims else {}),
        "random_seed": config.random_seed,
        "method": config.method.name,
        "seed": config.seed,
        "best": front_of(experiment.state) or best_of(experiment.state),
    }
    for key, value in facts.items():
        study.set_user_attr(f"hpo_{key}", value)
    distributions = {name: distribution(domain) for name, domain in config.space.domains.items()}
    study.add_trials(_frozen(optuna, experiment, distributions))


def distribution(domain: Domain) -> Any:
    """Return the Optuna distribution for a domain. Optuna has no steps on a log scale, so these are left out."""
    from optuna import distributions

    if isinstance(domain, Choice):
        return distributions.CategoricalDistribution(domain.choices)
    if isinstance(domain, Integer):
        last = domain.lower + (int(domain.size) - 1) * domain.step
        log = domain.scale is LOG
        return distributions.IntDistribution(domain.lower, last, log=log, step=1 if log else domain.step)
    assert isinstance(domain, Float)
    if domain.scale is LOG:
        return distributions.FloatDistribution(domain.lower, domain.upper, log=True)
    upper = domain.upper if domain.step is None or domain.size == 1 else domain.decode(1.0)
    return distributions.FloatDistribution(domain.lower, upper, step=domain.step if domain.size > 1 else None)


def _frozen(optuna: Any, experiment: Experiment, distributions: dict[str, Any]) -> Iterator[Any]:
    """Yield all trials as Optuna's frozen trials, in the order of their ids."""
    state, metric = experiment.state, experiment.config.benchmark.metric
    several = bool(state.objective.aims)
    began: dict[int, float] = {}
    ended: dict[int, Event] = {}
    chosen: dict[int, ReportOutcome] = {}
    values: dict[int, dict[int, float]] = {trial_id: {} for trial_id in state.trials}
    on_front = {(point.trial_id, point.losses): place for place, point in enumerate(state.front)}
    for event in experiment.events:
        if event.trial is None:
            continue
        if event.kind == Kind.STARTED:
            began[event.trial] = event.time
        elif event.kind == Kind.REPORTED and event.resource is not None:
            found = state.objective.outcome(event.body["metrics"], event.resource)
            if several:
                before = chosen.get(event.trial, found)
                place, then = (on_front.get((event.trial, one.losses), math.inf) for one in (found, before))
                chosen[event.trial] = found if place <= then else before
            else:  # Optuna has no intermediate values for several objectives
                values[event.trial][event.resource] = _float(event.body["metrics"][metric])
                chosen[event.trial] = min(chosen.get(event.trial, found), found, key=_rank)
        elif event.kind == Kind.ENDED:
            ended[event.trial] = event
    best = {point.trial_id for point in state.front} or ({state.incumbent.trial_id} if state.incumbent else set())
    for trial_id, known in state.trials.items():
        becomes, end = "COMPLETE" if trial_id in best else STATES[known.status], ended.get(trial_id)
        found = chosen.get(trial_id, ReportOutcome(math.inf))
        told = _values(state.objective, found) if found.finite else None
        if becomes == "COMPLETE" and told is None:  # the trial never reported a finite value
            becomes = "FAIL"
        attributes = {"hpo_trial_id": trial_id, "hpo_status": known.status.value, "hpo_attempts": known.attempt + 1}
        if end is not None and (error := last_line(end.body.get("error"))):
            attributes["hpo_error"] = error
        over = datetime.fromtimestamp(began[trial_id] if end is None else end.time)
        yield optuna.trial.FrozenTrial(
            number=trial_id,
            trial_id=-1,
            state=optuna.trial.TrialState[becomes],
            value=None,
            values=told if becomes in ("COMPLETE", "PRUNED") else None,
            datetime_start=datetime.fromtimestamp(began[trial_id]),
            datetime_complete=over if becomes in ("COMPLETE", "PRUNED", "FAIL") else None,
            params=dict(known.trial.configuration),
            distributions={name: distributions[name] for name in known.trial.configuration},
            user_attrs=attributes,
            system_attrs={CONSTRAINTS: [_known(excess) for excess in found.excesses]} if found.excesses else {},
            intermediate_values=values[trial_id],
        )


def _values(objective: Objective, found: ReportOutcome) -> list[float]:
    return list(objective.values(found.losses).values()) if objective.aims else [objective.value(found.loss)]


def _rank(found: ReportOutcome) -> tuple[bool, bool, float, float]:
    """Return the sort key of a report: feasible reports first, then by loss."""
    return math.isinf(found.loss), not found.feasible, found.violation, found.loss


def _known(excess: float) -> float:
    """Return a constraint's violation as Optuna reads it (above 0 is infeasible); an unknown one counts as infeasible."""
    return min(excess, LARGEST) if excess == excess else LARGEST


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf
