"""What every backend is: it runs attempts of trials and tells what happens to them."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from hpo.backends.code_watch import CodeWatch
from hpo.config.schema import ExperimentConfig
from hpo.events.state import ExperimentState
from hpo.events.types import BackendEvent, CommandSignal, Trial
from hpo.store.directory import ExperimentDirectory


class Backend(ABC):
    """Runs trials. `wait` is the only call that blocks; what it returns is in the order it happened per trial."""

    repeatable: ClassVar[bool] = False
    """A session that is lost can be made again just as it was, so that its events need not reach the disk one by one."""

    gpus_of_this_machine: ClassVar[bool] = False
    """Its trials are given them."""

    trials_beside_it: ClassVar[bool] = True
    """Trials run on the machine of the tuner, so that this needs what they need."""

    start_up_seconds: ClassVar[float] = 0.0
    """From the order of an attempt to its script, where that is worth a word."""

    copies_checkpoints: ClassVar[bool] = False
    """It can give a trial a copy of what another has saved."""

    options: ClassVar[Collection[str] | None] = None
    """What may stand beside its `_target_`; None: the arguments of what makes it."""

    extras: ClassVar[Sequence[str]] = ()
    """Of hpo, that its tuner needs."""

    reads_code: ClassVar[bool] = False
    """Attempts read the program from the files that lie here when they start; otherwise it was packed before the session."""

    code: CodeWatch | None = None
    """Of a session whose attempts do so: the program's files."""

    @classmethod
    def keys_of(cls, config: ExperimentConfig) -> Mapping[str, Any]:
        """The keys under `backend`, complete for a tuner that a launcher has run elsewhere."""
        return config.backend

    @classmethod
    def elsewhere(cls, config: ExperimentConfig) -> str | None:
        """Where trials run, and what is known of it before they do; None where that is the tuner's machine."""
        return None

    @classmethod
    def instance_type(cls, config: ExperimentConfig) -> str | None:
        """The machine that each attempt has for itself, where it has one that is paid for."""
        return None

    @classmethod  # noqa: B027
    def check(cls, config: ExperimentConfig) -> None:
        """Raise ConfigError unless the experiment can be run; nothing is started."""

    @classmethod
    def open(cls, config: ExperimentConfig, files: ExperimentDirectory, *_: Any, **options: Any) -> Self:
        """The backend of one session of a resolved experiment; unless a subclass says otherwise, made from the options.

        Args:
            config: of the experiment.
            files: its directory.
            *_: nothing.
            **options: what stands beside `_target_`; a subclass names those that it takes.

        Returns:
            a backend that is ready to start trials.

        Raises:
            ConfigError, BackendError: it cannot be had.
        """
        return cls(**options)

    @property
    def opened(self) -> Mapping[str, Any]:
        """Stored with the event that the session begins with."""
        return {}

    @property
    def facts(self) -> Mapping[str, Any]:
        """For metadata.json."""
        return {"backend": type(self).__name__}

    def clock(self) -> float:
        """Monotonic seconds, by which the experiment's time is measured; it stands still while there is no place at all."""
        return time.monotonic()

    def wall(self) -> float:
        """Unix time of what happens now, for the log."""
        return time.time()

    def go_on(self, state: ExperimentState) -> None:  # noqa: B027
        """Called once before the first `start`: what earlier sessions came to."""

    @property
    def capacity(self) -> int | None:
        """How many trials can run at once, by devices or nodes that are there now; None: as many as there are workers."""
        return None

    @property
    def waiting_for_capacity(self) -> bool:
        """May there be more places than there are now? Without any, the experiment then waits and is not over."""
        return False

    @abstractmethod
    def start(self, trial: Trial, attempt: int, until: int | None) -> None:
        """Run an attempt of `trial` up to resource `until`; attempts after the first go on from the checkpoint.

        Raises:
            BackendError: it cannot run anything.
        """

    @abstractmethod
    def stop(self, trial_id: int, patience: float = 0.0) -> None:
        """End the running attempt: after `patience` seconds, if it has not ended by itself, SIGTERM, grace, SIGKILL.

        An Exit follows in any case.
        """

    @abstractmethod
    def wait(self, timeout: float | None) -> Sequence[BackendEvent | CommandSignal]:
        """Block until something happens, at most `timeout` seconds; may return early with nothing.

        Raises:
            BackendError: it cannot go on.
        """

    def attend(self, folder: Path) -> bool:
        """Have `wait` return with a Knock when a file appears in this folder.

        Returns:
            whether it will; if not, whoever wants to know has to look.
        """
        return False

    @abstractmethod
    def wake(self) -> None:
        """Make `wait` return now. May be called from a signal handler."""

    def holds(self, trial_id: int) -> bool:
        """Does a started attempt still wait for a device?"""
        return False

    def adopt(self, trial: Trial, attempt: int, until: int | None, position: int) -> bool:
        """Go on with an attempt that an earlier session has started, and that runs whether or not a tuner does.

        Args:
            trial: whose.
            attempt: its number.
            until: where it ends.
            position: bytes of its channel that were taken in.

        Returns:
            whether that is so: what it reports after `position` and its exit are then told by `wait`, as after `start`.
        """
        return False

    def script_digest(self, trial_id: int) -> str | None:
        """Digest of the script that the last attempt of a trial has compiled; None if only its own process knows."""
        return None

    def left_over(self, trial_id: int, attempt: int, position: int) -> Sequence[BackendEvent]:
        """What an attempt of an earlier session reported after byte `position` of its channel."""
        return ()

    def has_checkpoint(self, trial_id: int) -> bool:
        """Has a trial saved anything that its next attempt may go on from?"""
        return self.checkpoint_bytes(trial_id) > 0

    def restores(self, trial_id: int, reached: int) -> Callable[[], int | None]:
        """What tells, as soon as the attempt that is started next reports, which checkpoint it was given.

        Args:
            trial_id: whose attempt.
            reached: the resource that the trial has reported.

        Returns:
            a function that returns the resource of that checkpoint, or less if it may be less; None if there was none.
        """
        found = reached if self.has_checkpoint(trial_id) else None
        return lambda: found

    def lost_checkpoint(self, trial_id: int) -> bool:
        """Whether the running attempt may lack what the one before had saved, which is no fault of the script."""
        return False

    def checkpoint_bytes(self, trial_id: int) -> int:
        """How much a trial's checkpoint takes."""
        return 0

    def forget_checkpoint(self, trial_id: int) -> None:  # noqa: B027
        """No decision can need the trial's checkpoint any more."""

    def keep_checkpoint(self, trial_id: int, resource: int) -> None:
        """Keep a copy of what a paused trial has saved, for it may go on; one that is there already is not made again.

        Args:
            trial_id: whose.
            resource: at which it was paused.

        Raises:
            StoreError: it could not be written; there is no part of it.
        """
        raise NotImplementedError(f"{type(self).__name__} copies no checkpoints")

    def copy_checkpoint(self, source: int, resource: int | None, trial_id: int) -> None:
        """Give a trial that has not begun what another has saved.

        Args:
            source: the other, which is not running.
            resource: what is kept of that resource; None: what it has now.
            trial_id: to whom.

        Raises:
            StoreError: it could not be written; there is no part of it.
        """
        raise NotImplementedError(f"{type(self).__name__} copies no checkpoints")

    def kept_checkpoints(self) -> Mapping[tuple[int, int], int]:
        """What is kept: (trial, resource): bytes."""
        return {}

    def forget_kept(self, trial_id: int, resource: int) -> None:  # noqa: B027
        """Nobody can go on from there any more."""

    def kill(self) -> None:  # noqa: B027
        """End all running attempts at once, without grace."""

    def close(self) -> None:  # noqa: B027
        """Release everything; running attempts are ended."""
