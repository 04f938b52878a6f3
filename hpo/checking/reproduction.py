"""Training one trial of an experiment again in a fresh folder, to see whether its metrics are reproducible.

It gives the exact commands, and compares the new reports with the stored ones. A trial that was paused and resumed is
trained in the same legs, each up to the same resource.
"""

import itertools
import math
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from hpo.backends.gpus import visible_gpus
from hpo.backends.single_attempts import Heard, Rehearsal
from hpo.backends.trial_program import Program
from hpo.config.environment_references import shell_word
from hpo.config.reading import resolve
from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError
from hpo.events.outcome import no_trial_met
from hpo.events.text import shortened
from hpo.events.types import Exit, Kind, Status, Trial
from hpo.functions.finding import OWN, is_own
from hpo.results.experiment import Experiment
from hpo.store.directory import ExperimentDirectory

Reports = Mapping[int, Mapping[str, Any]]
"""Metrics of a training by resource."""


@dataclass(frozen=True)
class StoredTrial:
    """A trial as the event log has recorded it."""

    trial: Trial
    status: Status
    legs: Sequence[int | None]
    """Resource limit of each attempt that starts or resumes the trial; None: no limit. Restarts are not counted."""
    reports: Reports
    """Reports of this trial alone, without those of `source`."""
    error: str | None = None
    source: "StoredTrial | None" = None
    """Trial from whose copied checkpoint this one started, with its legs and reports up to the copy; None otherwise."""

    @property
    def resource(self) -> int:
        """The highest resource with a stored report."""
        return max(self.reports, default=0 if self.source is None else self.source.resource)

    @property
    def whole(self) -> "Sequence[StoredTrial]":
        """All trials whose checkpoints led to this one, in order, and this trial."""
        return [self] if self.source is None else [*self.source.whole, self]

    @property
    def all_reports(self) -> Reports:
        """Reports of the whole training, including those of the trials it was copied from."""
        return {resource: metrics for part in self.whole for resource, metrics in part.reports.items()}


@dataclass(frozen=True)
class RepeatedTraining:
    """The result of training a stored trial again."""

    reports: Reports
    exit: Exit | None
    """Exit of the attempt that failed; None if none did."""


@dataclass(frozen=True)
class MetricDifference:
    """The comparison of one metric between a stored trial and its repetition."""

    name: str
    compared: int
    different: int
    at: int = 0
    """Resource at which the values differ most."""
    stored: Any = None
    again: Any = None


@dataclass
class Reproduction:
    """One stored trial that is to be trained again.

    Args:
        experiment: Experiment that the trial is from.
        trial: Id of the trial, or `best`.
        folder: Folder to train it in; must be empty or not exist.

    Raises:
        ConfigError: There is no such trial, its benchmark has no program, or the folder is not empty.
    """

    experiment: Experiment
    trial: str
    folder: Path
    config: ExperimentConfig = field(init=False)
    stored: StoredTrial = field(init=False)

    def __post_init__(self) -> None:
        self.config = resolve(self.experiment.config)
        benchmark = self.config.benchmark
        directory = self.experiment.directory.absolute()
        if is_own(benchmark.function) and (directory / OWN).is_file():
            self.config = replace(
                self.config, benchmark=replace(benchmark, function=f"{directory}/{benchmark.function}")
            )
        if not benchmark.has_program:
            raise ConfigError(
                f"{self.experiment.directory}: its trials were looked up in a table; there is no program to run"
            )
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise ConfigError(f"--output {self.folder}: holds something already; delete it or name another folder")
        self.stored = stored_trial(self.experiment, self._id())
        self._printed = Program(self.config, ExperimentDirectory(self.folder), self.config.randomness, printed=True)

    def _id(self) -> int:
        state = self.experiment.state
        if self.trial == "best":
            if state.incumbent is None:
                why = (
                    f"{no_trial_met(state.objective.constraints, state.closest)} in"
                    if state.closest
                    else "no result yet in"
                )
                raise ConfigError(f"--trial best: {why} {self.experiment.directory}; name a trial by its number")
            if len(front := state.best_trials) > 1:
                raise ConfigError(
                    f"--trial best: with several objectives there is no one best; name a trial on the front, such as "
                    f"{front[0]} (it has {shortened([str(trial) for trial in front], 10)})"
                )
            return state.incumbent.trial_id
        if not self.trial.isdigit() or int(self.trial) not in state.trials:
            known = f"has the trials 0 to {len(state.trials) - 1}" if state.trials else "has no trial yet"
            raise ConfigError(f"--trial {self.trial}: {self.experiment.directory} {known}; name one of them, or best")
        return int(self.trial)

    def script(self) -> str:
        """Return a POSIX shell script that trains the trial again without hpo."""
        stored, folder = self.stored, self.folder.absolute()
        seed = self._printed.describe(stored.trial, 0, None, [])["env"]["HPO_TRIAL_SEED"]
        what = f"# trial {stored.trial.id} of {self.experiment.directory}: {stored.status}, training seed {seed}"
        lines = [what, shlex.join(["cd", str(Path.cwd())])]
        per_trial = self.config.num_gpus_per_trial or 0
        devices = visible_gpus()[:per_trial] if per_trial else []
        files = ExperimentDirectory(folder)
        parts = [(part, attempt, until) for part in stored.whole for attempt, until in enumerate(part.legs)]
        for part, attempt, until in parts:
            order = self._printed.describe(part.trial, attempt, until, devices)
            argv = [sys.executable, *order["argv"]] if order["script"] is not None else order["argv"]
            saved = order["env"]["HPO_CHECKPOINT_DIR"]
            lines.append(shlex.join(["mkdir", "-p", str(files.attempt(part.trial.id, attempt)), saved]))
            if part.source is not None and attempt == 0:
                lines.append(shlex.join(["cp", "-a", f"{files.checkpoint(part.source.trial.id)}/.", saved]))
            if (file := self._printed.file(part.trial, attempt, until)) is not None:
                lines.append(f"printf '%s' {shell_word(file[1])} > {shlex.quote(str(file[0]))}")
            if order["cwd"] is not None:
                lines.append(shlex.join(["cd", order["cwd"]]))
            variables = [f"{name}={shell_word(value)}" for name, value in order["env"].items()]
            lines.append(" \\\n    ".join([*variables, " ".join(map(shell_word, argv))]))
        return "\n".join(lines)

    def run(self) -> RepeatedTraining:
        """Train the trial again up to its stored resource, with the backend that experiments use.

        Raises:
            BackendError: This machine cannot run it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        objective = self.config.objective
        reports: dict[int, Mapping[str, Any]] = {}
        with Rehearsal(self.config, self.folder, randomness=self.config.randomness, silence=math.inf) as rehearsal:
            for part, number, until in [(p, n, until) for p in self.stored.whole for n, until in enumerate(p.legs)]:
                if part.source is not None and number == 0:
                    rehearsal.copy(part.source.trial, part.trial)
                goal = part.resource if until is None else min(until, part.resource)
                attempt = rehearsal.run(part.trial, until, stop=partial(self._patience, part, goal))
                for count, heard in enumerate(attempt.reports, 1):
                    resource = objective.resource(heard.metrics) or count
                    if resource > max(reports, default=0) and (not goal or resource <= goal):
                        reports[resource] = heard.metrics
                assert attempt.exit is not None
                if attempt.exit.exit_code != 0 and not (goal and goal in reports):
                    return RepeatedTraining(reports, attempt.exit)
        return RepeatedTraining(reports, None)

    def _patience(self, part: StoredTrial, goal: int, heard: Sequence[Heard]) -> float | None:
        """Return the seconds until an attempt that has reached its goal is stopped; None before that."""
        if not goal or (self.config.objective.resource(heard[-1].metrics) or len(heard)) < goal:
            return None
        # A script with a resource limit ends here by itself; any other is stopped, as in the experiment.
        ends = self.config.benchmark.max_resource_attr is not None and goal in part.legs
        return self.config.grace_period_seconds if ends else 0.0


def stored_trial(experiment: Experiment, trial_id: int, until: int | None = None) -> StoredTrial:
    """Return a trial as the event log has recorded it, with its legs and reports.

    Args:
        experiment: Experiment that the trial is from.
        trial_id: Id of the trial.
        until: Highest resource of the reports to include; None includes all.
    """
    state = experiment.state.trials[trial_id]
    legs: list[int | None] = []
    reports: dict[int, Mapping[str, Any]] = {}
    error = None
    for event in experiment.events:
        if event.trial != trial_id:
            continue
        if event.kind in (Kind.STARTED, Kind.RESUMED):  # a restarted attempt continues its leg
            legs.append(event.body["until"])
        elif event.kind == Kind.REPORTED and (until is None or event.reached <= until):
            reports[event.reached] = event.body["metrics"]
        elif event.kind == Kind.ENDED:
            error = event.body.get("error")
    reached = max(reports, default=0)
    later = [leg for before, leg in itertools.pairwise(legs) if before is not None and before < reached]
    source = None if state.trial.source is None else stored_trial(experiment, state.trial.source, state.base)
    return StoredTrial(state.trial, state.status, [legs[0], *later], reports, error, source)


def compare(stored: Reports, again: Reports) -> list[MetricDifference]:
    """Compare every metric that both trainings reported, over the resources that both reported."""
    common = [(resource, metrics, again[resource]) for resource, metrics in stored.items() if resource in again]
    found = []
    for name in dict.fromkeys(name for _, one, other in common for name in one if name in other):
        pairs = [(at, one[name], other[name]) for at, one, other in common if name in one and name in other]
        different = [(at, a, b) for at, a, b in pairs if a != b and (a == a or b == b)]  # two NaN count as equal
        largest = max(different, key=lambda pair: _distance(pair[1], pair[2]), default=(0, None, None))
        found.append(MetricDifference(name, len(pairs), len(different), *largest))
    return found


def _distance(one: Any, other: Any) -> float:
    if isinstance(one, int | float) and isinstance(other, int | float):
        distance = abs(float(one) - float(other))
        return math.inf if math.isnan(distance) else distance
    return math.inf
