"""The training that a script is checked with: its length, its uninterrupted run, and comparisons with that run."""

import itertools
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hpo.backends.single_attempts import Heard, Rehearsal, RehearsedAttempt
from hpo.checking.diagnosis import Continuation, Diagnosis, diagnose
from hpo.checking.findings import by_resource, different
from hpo.checking.reports import problem_of
from hpo.checking.saves import SAVE, WriteWatch
from hpo.events.types import Trial

UNITS = 4
LONG_ENOUGH = 0.25
"""Least number of seconds between an interruption and the end of a training for the interruption to count."""

Stop = Callable[[Sequence[Heard]], float | None]


@dataclass
class Training:
    """The repeated training of one configuration for the checks of a script.

    Args:
        rehearsal: Environment that runs the attempts.
        units: Units of resource of a training; None chooses.
        tolerance: Relative difference up to which metrics of two trainings count as equal.
    """

    rehearsal: Rehearsal
    units: int | None = None
    tolerance: float = 0.0
    until: int = 0
    """Resource at which the training ends."""
    epoch: float = 0.0
    """Seconds that one unit of resource takes."""
    reference: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    """Reports of the uninterrupted training by resource."""
    saves: bool = False
    """Whether the script has ever written into its checkpoint folder."""

    def __post_init__(self) -> None:
        self.config = self.rehearsal.config
        benchmark = self.config.benchmark
        self.metric = benchmark.metric
        self.resource = self.config.objective.resource_attr or "report"
        self.limit = benchmark.max_resource_attr
        self.until = self.units or UNITS
        if self.config.max_resource is not None:
            self.until = min(self.until, self.config.max_resource)

    @property
    def target(self) -> int | None:
        """The resource limit given to a script that trains to the end; None if it accepts no limit."""
        return None if self.limit is None else self.until

    @property
    def first_rung(self) -> int:
        """The first resource that the method asks of a trial; 1 if the method has no rungs."""
        least, most = self.config.method.scheduler.get("min_resource"), self.config.max_resource
        return min(least, most) if isinstance(least, int) and most is not None else 1

    @property
    def comparable(self) -> bool:
        """Whether metrics of two trainings are compared."""
        return self.tolerance != math.inf

    def train_uninterrupted(self) -> tuple[RehearsedAttempt, str]:
        """Train without interruption, for long enough that a later training can be interrupted, if that is cheap."""
        attempt, order = self.observe(self.rehearsal.trial(), self.at_end)
        if not attempt.reports and attempt.failure is None and self.units is None and self.until < self.first_rung:
            self.until = self.first_rung  # the script may report less often
            attempt, order = self.observe(self.rehearsal.trial(), self.at_end)
        times = [heard.at for heard in attempt.reports]
        self.epoch = statistics.median([b - a for a, b in itertools.pairwise(times)] or times or [0.0])
        most = self.config.max_resource
        if self.units is None and most is not None and len(times) >= self.until:
            wanted = min(most, UNITS + math.ceil(LONG_ENOUGH / max(self.epoch, 1e-3)))
            if wanted > self.until:
                self.until = wanted
                attempt, order = self.observe(self.rehearsal.trial(), self.at_end)
        return attempt, order

    def observe(self, trial: Trial, stop: Stop, until: int | None = None) -> tuple[RehearsedAttempt, str]:
        """Run a trial's first attempt, and return it with the order of its reports and saves."""
        program = self.rehearsal.program
        with WriteWatch(program.directory.checkpoint(trial.id), program.reports(trial.id, 0)) as saves:
            attempt = self.rehearsal.run(trial, until or self.target, stop=stop, look=saves.look)
            saves.look()
        self.saves = self.saves or SAVE in saves.order
        return attempt, saves.order

    def go_on(self, trial: Trial, stop: Stop | None = None) -> RehearsedAttempt:
        """Run the next attempt of a trial, to the end unless `stop` decides otherwise."""
        return self.rehearsal.run(trial, self.target, stop=stop or self.at_end)

    def at_end(self, reports: Sequence[Heard]) -> float | None:
        """Return the seconds that a script at the end of the training may still take; None before that, 0 without a limit."""
        at = reports[-1].metrics.get(self.resource, len(reports))
        if not isinstance(at, int | float) or at < self.until:
            return None
        return self.config.grace_period_seconds if self.limit is not None and at == self.until else 0.0

    def beyond(self, resource: int) -> Stop:
        """Return a stop rule that sends SIGTERM at the first report above `resource`."""
        return lambda reports: 0.0 if self.of(reports[-1]) > resource else None

    def of(self, heard: Heard) -> int:
        """Return the resource that a report names; 0 if it names none."""
        value = heard.metrics.get(self.resource)
        return int(value) if isinstance(value, int | float) and math.isfinite(value) else 0

    def last(self, attempt: RehearsedAttempt) -> int:
        """Return the highest resource that an attempt reported."""
        return max((self.of(heard) for heard in attempt.reports), default=0)

    def diagnose(self, reached: int, resumed: RehearsedAttempt) -> Diagnosis:
        """Diagnose how an attempt resumed after the trial had reported `reached`."""
        if failure := resumed.failure:
            return Diagnosis(Continuation.SILENT, f"resumed after {self.resource} {reached} {failure}")
        if not resumed.reports and reached == self.until - 1 and not resumed.told:
            return Diagnosis(
                Continuation.UNREPORTED,
                f"resumed after {self.resource} {reached} it ended at once: it had saved {self.resource} {self.until}, ended "
                f"before it could report it, and never does; after loading report again what was saved last",
            )
        if problem := problem_of(resumed, self.config):
            return Diagnosis(Continuation.SILENT, f"resumed after {self.resource} {reached}: {problem}")
        found = self._compared(reached, resumed)
        if (
            found.continuation in (Continuation.DIFFERENT, Continuation.MISCOUNTED)
            and self.comparable
            and not self.reproducible()
        ):
            found = self._compared(reached, resumed)
        return found

    def _compared(self, reached: int, resumed: RehearsedAttempt) -> Diagnosis:
        return diagnose(
            self.reference,
            reached,
            [(self.of(heard), heard.metrics) for heard in resumed.reports],
            metric=self.metric,
            resource=self.resource,
            tolerance=self.tolerance,
        )

    def depends_on_limit(self, attempt: RehearsedAttempt) -> bool:
        """Whether a training with a lower limit reports another metric than the uninterrupted one even before that limit."""
        return self._differs(attempt) and self.reproducible()

    def reproducible(self) -> bool:
        """Train again and return whether the metric is the same; if it is not, nothing is compared from then on."""
        attempt, _ = self.observe(self.rehearsal.trial(), self.at_end)
        if self._differs(attempt):
            self.tolerance = math.inf
        return self.comparable

    def _differs(self, attempt: RehearsedAttempt) -> bool:
        """Whether an attempt's metric differs from the uninterrupted training at a resource that both reported."""
        named, known = by_resource(attempt.reports, self.resource), self.reference
        return any(self.metric in different(known[r], named[r], self.tolerance) for r in named if r in known)
