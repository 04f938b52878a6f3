"""Single attempts of single trials, run for real but outside any experiment: to check a script, not to tune.

Everything is as in an experiment (trial host, report channel, checkpoint folder, devices); there is no tuner and no log.
"""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hpo.backends.local import LocalBackend
from hpo.backends.trial_program import Program
from hpo.config.schema import ExperimentConfig
from hpo.events.types import Configuration, Exit, Garbage, Report, Trial
from hpo.randomness import Randomness
from hpo.store.directory import ExperimentDirectory

_TURN = 0.1
"""Seconds between two checks of conditions that send no event."""
_READ_OUTPUT = 1 << 20
"""Bytes of standard output that are searched for reports of another tool."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A report, and the second of its attempt at which it arrived."""

    at: float
    metrics: Mapping[str, Any]


@dataclass
class RehearsedAttempt:
    """The reports of an attempt and the way it ended."""

    until: int | None
    reports: list[Heard] = field(default_factory=list)
    garbage: list[str] = field(default_factory=list)
    exit: Exit | None = None
    seconds: float = 0.0
    """Duration of the attempt."""
    due: float | None = None
    """Second at which SIGTERM was due."""
    silent: bool = False
    """Whether it was ended because it had not reported for too long."""
    printed_metrics: bool = False
    """Whether it reported nothing, but printed lines like those of Syne Tune's reporter."""

    @property
    def told(self) -> bool:
        """Whether the attempt still ran when it was told to end."""
        return self.due is not None and self.seconds >= self.due

    @property
    def failure(self) -> str | None:
        """A description of the failure, if the attempt ended by itself and failed."""
        assert self.exit is not None
        if self.told or (self.exit.exit_code == 0 and not self.silent):
            return None
        if self.silent:
            return f"nothing was heard of it for {self.seconds - (self.reports[-1].at if self.reports else 0.0):.0f} s"
        code, number = self.exit.exit_code, self.exit.signal
        how = f"signal {number}" if number is not None else f"exit code {code}"
        how += f" at {self.exit.where}" if self.exit.where else ""
        last = [line.strip() for line in (self.exit.error or "").splitlines() if line.strip()][-1:]
        return f"it ended with {how}" + (f" ({last[0]})" if last else "")


@dataclass(frozen=True, slots=True)
class SameSeed(Randomness):
    """Randomness with one training seed for all configurations, so that trainings differ by their hyperparameters alone."""

    def training_seed(self, configuration: Configuration, copy: int | None = None) -> int:
        """Return the seed of the empty configuration."""
        return Randomness.training_seed(self, {})


class Rehearsal:
    """A context manager that runs attempts one at a time, and ends what still runs at its exit.

    Args:
        config: Resolved experiment with a program.
        folder: Empty folder for reports, output and checkpoints.
        randomness: Source of the training seeds; by default all trainings have the same seed.
        silence: Seconds without a report after which an attempt is given up.

    Raises:
        ConfigError, BackendError: The program or the devices are missing.
    """

    def __init__(
        self, config: ExperimentConfig, folder: Path, *, randomness: Randomness | None = None, silence: float = 600.0
    ) -> None:
        self.config = replace(config, random_seed=config.random_seed or 0)
        self.files = ExperimentDirectory(folder)
        self.silence = silence
        self.program = Program(self.config, self.files, randomness or SameSeed(config.random_seed or 0, config.seed))
        self._backend = LocalBackend.for_program(self.program)
        self._ids = itertools.count()
        self._attempts: dict[int, int] = {}

    def __enter__(self) -> "Rehearsal":
        return self

    def __exit__(self, *_: object) -> None:
        self._backend.close()

    def trial(self, configuration: Configuration | None = None) -> Trial:
        """Return a new trial; its configuration defaults to the first one of an experiment."""
        if configuration is None:
            configuration = first_configuration(self.config)
        return Trial(next(self._ids), configuration)

    def copy(self, source: Trial, trial: Trial) -> None:
        """Give a trial that has not begun a copy of another trial's checkpoint.

        Raises:
            StoreError: There is no checkpoint, or it could not be copied.
        """
        self._backend.copy_checkpoint(source.id, None, trial.id)

    def run(
        self,
        trial: Trial,
        until: int | None,
        *,
        stop: Callable[[Sequence[Heard]], float | None] = lambda _: None,
        look: Callable[[], None] = lambda: None,
    ) -> RehearsedAttempt:
        """Run the next attempt of a trial to its end.

        Args:
            trial: Trial that `trial()` returned.
            until: Resource at which the script shall end by itself.
            stop: Called after each report; returns the seconds until SIGTERM, or None to let the attempt run.
            look: Called at intervals, and at the end of the attempt.
        """
        number = self._attempts[trial.id] = self._attempts.get(trial.id, -1) + 1
        attempt = RehearsedAttempt(until)
        begin = heard = time.monotonic()
        self._backend.start(trial, number, until)
        while attempt.exit is None:
            for event in self._backend.wait(_TURN):
                heard = time.monotonic()
                attempt.seconds = heard - begin
                if isinstance(event, Report):
                    attempt.reports.append(Heard(attempt.seconds, event.metrics))
                    delay = stop(attempt.reports) if attempt.due is None else None
                    if delay is not None:
                        self._backend.stop(trial.id, delay)
                        attempt.due = attempt.seconds + delay
                elif isinstance(event, Garbage):
                    attempt.garbage.append(event.text)
                elif isinstance(event, Exit):
                    attempt.exit = event
            if attempt.exit is None and not attempt.silent and time.monotonic() - heard > self.silence:
                attempt.silent = True
                self._backend.stop(trial.id)
            look()
        attempt.printed_metrics = not attempt.reports and self._printed_metrics(trial.id, number)
        return attempt

    def _printed_metrics(self, trial_id: int, number: int) -> bool:
        with (self.files.attempt(trial_id, number) / "stdout.log").open("rb") as file:
            return b"[tune-metric]" in file.read(_READ_OUTPUT)

    def saved_bytes(self, trial: Trial) -> int:
        """Return the size of the trial's checkpoint folder in bytes."""
        return self._backend.checkpoint_bytes(trial.id)


def first_configuration(config: ExperimentConfig) -> Configuration:
    """Return the first point to evaluate, or the centre of the search space if there is none."""
    points = config.benchmark.points_to_evaluate or [{}]
    return config.space.complete(points[0], "points_to_evaluate[0]")
