"""The base class of backends, which run attempts of trials and report their events."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from hpo.backends.code_watch import CodeWatch
from hpo.config.schema import ExperimentConfig
from hpo.events.state import ExperimentState
from hpo.events.types import BackendEvent, CommandSignal, Trial
from hpo.store.directory import ExperimentDirectory


@dataclass(frozen=True)
class BackendCapabilities:
    """Capabilities of a class of backends, and its needs.

    Attributes:
        repeatable: Whether a lost session can be repeated exactly, so that its events need not reach the disk one by one.
        gpus_of_this_machine: Whether its trials are given GPUs of this machine.
        trials_beside_it: Whether trials run on the tuner's machine, which then needs all that they need.
        start_up_seconds: Seconds from the order of an attempt to the start of its script; 0 if that is negligible.
        copies_checkpoints: Whether it can give a trial a copy of another trial's checkpoint.
        reads_code: Whether attempts read the program's files here at their start; if not, they are packed before the session.
        extras: Extras of the package hpo that the tuner needs for this backend.
    """

    repeatable: bool = False
    gpus_of_this_machine: bool = False
    trials_beside_it: bool = True
    start_up_seconds: float = 0.0
    copies_checkpoints: bool = False
    reads_code: bool = False
    extras: Sequence[str] = ()


class Backend(ABC):
    """A backend that runs trials.

    `wait` is the only call that blocks; it returns the events of each trial in the order in which they happened.
    """

    capabilities: ClassVar[BackendCapabilities] = BackendCapabilities()

    options: ClassVar[Collection[str] | None] = None
    """Keys that are accepted besides `_target_`; None for the arguments of the callable that makes the backend."""

    code: CodeWatch | None = None
    """Watch over the program's files, if attempts read them when they start."""

    @classmethod
    def keys_of(cls, config: ExperimentConfig) -> Mapping[str, Any]:
        """Return the keys under `backend`, completed for a tuner that a launcher runs on another machine."""
        return config.backend

    @classmethod
    def elsewhere(cls, config: ExperimentConfig) -> str | None:
        """Return a description of the machines that trials run on; None if that is the tuner's machine."""
        return None

    @classmethod
    def instance_type(cls, config: ExperimentConfig) -> str | None:
        """Return the type of the paid machine that each attempt has for itself, if it has one."""
        return None

    @classmethod  # noqa: B027
    def check(cls, config: ExperimentConfig) -> None:
        """Raise ConfigError if the experiment cannot be run; starts nothing."""

    @classmethod
    def open(cls, config: ExperimentConfig, files: ExperimentDirectory, *_: Any, **options: Any) -> Self:
        """Open the backend for one session of a resolved experiment; by default it is made from the options.

        Args:
            config: Configuration of the experiment.
            files: The experiment's directory.
            *_: Nothing.
            **options: Keys besides `_target_`; a subclass names those that it accepts.

        Returns:
            A backend that is ready to start trials.

        Raises:
            ConfigError, BackendError: The backend is not available.
        """
        return cls(**options)

    @property
    def opened(self) -> Mapping[str, Any]:
        """Facts that are stored with the first event of the session."""
        return {}

    @property
    def facts(self) -> Mapping[str, Any]:
        """Facts for metadata.json."""
        return {"backend": type(self).__name__}

    def clock(self) -> float:
        """Return the monotonic seconds that measure the experiment's time; the clock stops while no trial can run at all."""
        return time.monotonic()

    def wall(self) -> float:
        """Return the Unix time of the present moment, for the log."""
        return time.time()

    def go_on(self, state: ExperimentState) -> None:  # noqa: B027
        """Take in the state that earlier sessions reached; called once, before the first `start`."""

    @property
    def capacity(self) -> int | None:
        """Return how many trials can run at once on the present devices or nodes; None: as many as there are workers."""
        return None

    @property
    def waiting_for_capacity(self) -> bool:
        """Whether capacity may still grow. If it is 0, the experiment then waits and does not end."""
        return False

    @abstractmethod
    def start(self, trial: Trial, attempt: int, until: int | None) -> None:
        """Run an attempt of `trial` up to resource `until`; attempts after the first resume from the checkpoint.

        Raises:
            BackendError: The backend cannot run anything.
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
            BackendError: The backend cannot continue.
        """

    def attend(self, folder: Path) -> bool:
        """Let `wait` return with a Knock when a file appears in this folder.

        Returns:
            Whether the backend will do so; if not, the caller has to look into the folder itself.
        """
        return False

    @abstractmethod
    def wake(self) -> None:
        """Make `wait` return now. May be called from a signal handler."""

    def holds(self, trial_id: int) -> bool:
        """Whether a started attempt still waits for a device."""
        return False

    def adopt(self, trial: Trial, attempt: int, until: int | None, position: int) -> bool:
        """Take over an attempt that an earlier session has started, if it runs independently of the tuner.

        Args:
            trial: Trial of the attempt.
            attempt: Number of the attempt.
            until: Resource at which the attempt ends.
            position: Bytes of its report channel that were taken in.

        Returns:
            Whether it was taken over: `wait` then returns its reports after `position` and its exit, as after `start`.
        """
        return False

    def script_digest(self, trial_id: int) -> str | None:
        """Return the digest of the script that a trial's last attempt has compiled; None if only its own process knows it."""
        return None

    def left_over(self, trial_id: int, attempt: int, position: int) -> Sequence[BackendEvent]:
        """Return the events that an attempt of an earlier session reported after byte `position` of its channel."""
        return ()

    def has_checkpoint(self, trial_id: int) -> bool:
        """Whether a trial has saved something that its next attempt may resume from."""
        return self.checkpoint_bytes(trial_id) > 0

    def restores(self, trial_id: int, reached: int) -> Callable[[], int | None]:
        """Return a function that tells which checkpoint the attempt that is started next was given.

        It is called as soon as that attempt reports.

        Args:
            trial_id: Trial of the attempt.
            reached: Resource that the trial has reported.

        Returns:
            A function that returns the resource of that checkpoint, or less if it may be less; None if there was none.
        """
        found = reached if self.has_checkpoint(trial_id) else None
        return lambda: found

    def lost_checkpoint(self, trial_id: int) -> bool:
        """Whether the running attempt may lack the checkpoint of the one before, through no fault of the script."""
        return False

    def checkpoint_bytes(self, trial_id: int) -> int:
        """Return the size of a trial's checkpoint in bytes."""
        return 0

    def forget_checkpoint(self, trial_id: int) -> None:  # noqa: B027
        """Release a trial's checkpoint that no decision can need any more."""

    def keep_checkpoint(self, trial_id: int, resource: int) -> None:
        """Keep a copy of a paused trial's checkpoint, since the trial may resume; an existing copy is not made again.

        Args:
            trial_id: Number of the trial.
            resource: Resource at which it was paused.

        Raises:
            StoreError: The copy could not be written; no part of it remains.
        """
        raise NotImplementedError(f"{type(self).__name__} copies no checkpoints")

    def copy_checkpoint(self, source: int, resource: int | None, trial_id: int) -> None:
        """Give a trial that has not begun a copy of another trial's checkpoint.

        Args:
            source: Number of the other trial, which is not running.
            resource: Resource of the kept checkpoint to copy; None for the current checkpoint.
            trial_id: Number of the trial that gets the copy.

        Raises:
            StoreError: The copy could not be written; no part of it remains.
        """
        raise NotImplementedError(f"{type(self).__name__} copies no checkpoints")

    def kept_checkpoints(self) -> Mapping[tuple[int, int], int]:
        """Return the sizes in bytes of all kept checkpoints, by (trial, resource)."""
        return {}

    def forget_kept(self, trial_id: int, resource: int) -> None:  # noqa: B027
        """Release a kept checkpoint that no trial can resume from any more."""

    def kill(self) -> None:  # noqa: B027
        """End all running attempts at once, without grace."""

    def close(self) -> None:  # noqa: B027
        """Release everything and end running attempts."""
