"""A smoke trial: a short measured training with the first configuration of an experiment.

The first trial of an experiment also pays for imports that are slow only once. If it begins to report within seconds,
so that this matters, a second trial measures how long all further trials take to start.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from hpo.backends.single_attempts import Rehearsal
from hpo.config.schema import ExperimentConfig
from hpo.errors import ExperimentError
from hpo.events.objective import ReportError

UNITS = 3
"""Largest number of units of resource that a smoke trial trains."""
ENOUGH = 10.0
"""Seconds after which a smoke trial ends with the next report."""


@dataclass(frozen=True)
class Smoke:
    """The measurements of a smoke trial."""

    units: int
    """Number of reports."""
    seconds: float
    """Duration from start to end."""
    first_report: float
    """Seconds from the start of a further trial to its first report."""
    per_unit: float
    """Seconds per further unit of resource; if there was one report, seconds for the first unit including the start."""
    checkpoint_bytes: int
    keys: tuple[str, ...]
    """Names of the reported values."""
    peak_memory_mb: float | None

    @property
    def start_up(self) -> float:
        """The seconds that a trial takes before it begins to train."""
        return max(self.first_report - self.per_unit, 0.0)


def smoke_trial(config: ExperimentConfig, silence: float = 3600.0) -> Smoke:
    """Train the first configuration of a resolved experiment for a few units of resource, in a temporary folder.

    Raises:
        ExperimentError: The trial fails, or does not report what the benchmark says.
        ConfigError, BackendError: The trial cannot start.
    """
    most = config.max_resource
    until = None if most is None else min(UNITS, most)
    with (
        tempfile.TemporaryDirectory(prefix="hpo-plan-") as folder,
        Rehearsal(config, Path(folder), silence=silence) as rehearsal,
    ):
        trial = rehearsal.trial()
        attempt = rehearsal.run(
            trial,
            until,
            stop=lambda reports: 0.0 if reports[-1].at > ENOUGH or (until is None and len(reports) >= UNITS) else None,
        )
        saved = rehearsal.saved_bytes(trial)
        first_report = attempt.reports[0].at if attempt.reports else 0.0
        if attempt.reports and not attempt.failure and first_report < ENOUGH:
            again = rehearsal.run(rehearsal.trial(), until, stop=lambda _: 0.0)
            first_report = again.reports[0].at if again.reports else first_report
    if attempt.failure or not attempt.reports:
        raise ExperimentError(
            f"benchmark={config.benchmark.name}: the smoke trial failed: {attempt.failure or 'it ended without a report'}; "
            f"`hpo check-script` with the same overrides says more"
        )
    objective = config.objective
    first = attempt.reports[0]
    try:
        objective.read(first.metrics, 1)
    except ReportError as error:
        raise ExperimentError(f"the smoke trial: {error}") from error
    count, spent = len(attempt.reports), attempt.reports[-1].at - first.at

    return Smoke(
        units=count,
        seconds=attempt.seconds,
        first_report=first_report,
        per_unit=spent / (count - 1) if count > 1 else first_report,
        checkpoint_bytes=saved,
        keys=tuple(sorted(first.metrics)),
        peak_memory_mb=None if attempt.exit is None else attempt.exit.usage.get("peak_memory_mb"),
    )
