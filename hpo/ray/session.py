"""A session of the Ray backend without its slots: the driver, and the temporary files that nodes look for."""

import contextlib
from collections.abc import Callable
from typing import Any

from hpo.backends.failure_cause import last_lines
from hpo.config.schema import ExperimentConfig
from hpo.errors import BackendError
from hpo.ray.connection import DriverConnection
from hpo.ray.messages import LogMessage, OpenSession, Order, SlotReady, SlotTold, StorageMessage
from hpo.ray.remote_trials import StoredTrials
from hpo.ray.session_files import SessionFiles
from hpo.ray.settings import UPLOADS, RaySettings
from hpo.ray.storage import CheckpointStorage
from hpo.store.directory import ExperimentDirectory

_DEATHS = 3
"""Number of consecutive deaths of drivers, without a slot becoming ready between them, after which the session fails."""
_SHUTDOWN = 30.0
"""Seconds that Ray has to end, once all trials have."""


class RaySession:
    """A running driver with its session's files; creating the object starts the driver.

    Args:
        config: Configuration of the experiment.
        files: The experiment's directory.
        settings: Settings of the backend.
        command: Command that starts a driver; tests give a mocked one.

    Raises:
        ConfigError, BackendError, OSError: The session cannot be started.
    """

    def __init__(
        self, config: ExperimentConfig, files: ExperimentDirectory, settings: RaySettings, command: tuple[str, ...]
    ) -> None:
        self._files, self._command, self._environment = files, command, settings.environment
        self._grace = config.grace_period_seconds
        self._deaths = 0
        self._ends = contextlib.ExitStack()
        self.apart: StoredTrials | None = None
        """Record of trials on nodes that do not share the directory; None if all nodes share it."""
        try:
            self._opening = self._prepare(config, settings)
            self._start()
        except BaseException:
            self._ends.close()
            raise

    def _prepare(self, config: ExperimentConfig, settings: RaySettings) -> OpenSession:
        """Return the first order to a driver."""
        session = SessionFiles(self._files.path)
        self._ends.callback(session.remove)
        if settings.storage is None:
            return settings.opening(config, self._files, session=session, bundle=None, proof="")
        storage, bundle = CheckpointStorage(settings.storage), settings.bundle(config)
        proof = self._ends.enter_context(storage.proof())
        session.code.write_bytes(bundle.packed())
        self.apart = StoredTrials(config, self._files, storage)
        self._ends.callback(self.apart.close)
        return settings.opening(config, self._files, session=session, bundle=bundle, proof=proof)

    def _start(self) -> None:
        self._driver = DriverConnection(
            self._opening, self._files.ray_log, environment=self._environment, command=self._command
        )

    @property
    def descriptor(self) -> int:
        """Descriptor to poll, until `news` has reported the driver's end."""
        return self._driver.descriptor

    def order(self, order: Order) -> None:
        """Send an order to the driver."""
        self._driver.order(order)

    def news(self) -> list[Any] | None:
        """Return the driver's news; None when the driver has ended."""
        found = self._driver.news()
        if any(isinstance(one, SlotReady) for one in found or ()):
            self._deaths = 0
        return found

    def start_again(self) -> None:
        """Start another driver instead of one that has ended; it reports whether the cluster still exists.

        Raises:
            BackendError: All drivers die.
        """
        self._driver.end(_SHUTDOWN)
        self._deaths += 1
        if self._deaths >= _DEATHS:
            tail = last_lines(self._files.ray_log, lines=3) or "no last words"
            raise BackendError(f"the process that talks with Ray died {self._deaths} times in a row; it said: {tail}")
        self._start()

    def close(self, said: Callable[[int, LogMessage], None]) -> None:
        """Let all slots end what still runs, and wait for it; what they store meanwhile is recorded.

        Args:
            said: Called with the number of a slot and each of its log messages.
        """
        if self.apart is not None:
            for news in self._driver.last_words(self._grace + UPLOADS):
                for message in news.told if isinstance(news, SlotTold) else ():
                    if isinstance(message, LogMessage):
                        said(news.slot, message)
                    elif isinstance(message, StorageMessage):
                        self.apart.take_in(message)
        self._driver.end(self._grace + _SHUTDOWN)
        self._ends.close()
