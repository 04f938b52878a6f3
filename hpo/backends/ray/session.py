"""What a session has besides slots: the process that talks with Ray, and short-lived files that nodes look for."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from hpo.backends.failure_cause import last_lines
from hpo.backends.ray.connection import DriverConnection
from hpo.backends.ray.folders import SessionFiles
from hpo.backends.ray.settings import UPLOADS, RaySettings
from hpo.backends.ray.storage import CheckpointStorage
from hpo.backends.ray.stored import StoredTrials
from hpo.config.schema import ExperimentConfig
from hpo.errors import BackendError
from hpo.store.directory import ExperimentDirectory

_DEATHS = 3
"""A driver that dies so often, each time before a slot was ready, is not started again."""
_SHUTDOWN = 30.0
"""Seconds that Ray has to end, once all trials have."""


class RaySession:
    """Started by being made.

    Args:
        config: of the experiment.
        files: its directory.
        settings: of the backend.
        command: what starts a driver, for a pretended one.

    Raises:
        ConfigError, BackendError, OSError: it cannot be had.
    """

    def __init__(
        self, config: ExperimentConfig, files: ExperimentDirectory, settings: RaySettings, command: tuple[str, ...]
    ) -> None:
        self._files, self._command, self._environment = files, command, settings.environment
        self._grace = config.grace_period_seconds
        self._deaths = 0
        self._ends = contextlib.ExitStack()
        self.apart: StoredTrials | None = None
        """What takes in from slots that do not see the directory, where it is so."""
        try:
            self._opening = self._prepare(config, settings)
            self._start()
        except BaseException:
            self._ends.close()
            raise

    def _prepare(self, config: ExperimentConfig, settings: RaySettings) -> Mapping[str, Any]:
        """The first message to a driver."""
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
        """To be polled, until `receive` has told of the driver's end."""
        return self._driver.descriptor

    def send(self, message: Mapping[str, Any]) -> None:
        """Tell the driver."""
        self._driver.send(message)

    def receive(self) -> list[dict[str, Any]] | None:
        """What the driver has to say; None when it is gone."""
        messages = self._driver.receive()
        if messages and any("up" in message for message in messages):
            self._deaths = 0
        return messages

    def start_again(self) -> None:
        """Have another driver, in place of one that is gone: it says whether the cluster is still there.

        Raises:
            BackendError: they all die.
        """
        self._driver.end(_SHUTDOWN)
        self._deaths += 1
        if self._deaths >= _DEATHS:
            tail = last_lines(self._files.ray_log, lines=3) or "no last words"
            raise BackendError(f"the process that talks with Ray died {self._deaths} times in a row; it said: {tail}")
        self._start()

    def close(self, said: Callable[[int, Mapping[str, Any]], None]) -> None:
        """Have all slots end what still runs, and wait for it; what they have stored meanwhile is noted.

        Args:
            said: is given the number of a slot and what it logs meanwhile.
        """
        if self.apart is not None:
            for message in self._driver.last_words(self._grace + UPLOADS):
                for item in message.get("told", ()):
                    if "said" in item:
                        said(message["slot"], item)
                    elif "trial" in item and "kind" not in item:
                        self.apart.take_in(item)
        self._driver.end(self._grace + _SHUTDOWN)
        self._ends.close()
