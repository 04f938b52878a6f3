"""A webhook that sends a message when an experiment has finished or failed."""

import json
import logging
import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError
from hpo.events.callback import Callback
from hpo.events.state import ExperimentState
from hpo.events.text import best_name, best_of, best_text, clock, counts_text, front_of

log = logging.getLogger(__name__)

TIMEOUT = 10.0
"""Seconds after which sending is given up; only the end of the session waits for it."""


class Webhook(Callback):
    """A callback that posts one JSON object when the experiment finishes or its session ends by an error.

    Nothing is posted when a user ends the session. The key `text` is one sentence, in the form that chat services
    accept; the other keys are for programs. The message contains nothing of the environment or of the script's
    arguments, and the URL is never logged.

    Args:
        config: Configuration of the experiment.
        directory: Directory of the experiment.
        url: Address of the service; if written as `${oc.env:NAME}` it is not stored anywhere.

    Raises:
        ConfigError: The address is not an HTTP address.
    """

    def __init__(self, config: ExperimentConfig, directory: Path | str, url: str) -> None:
        if not url.startswith(("https://", "http://")):
            raise ConfigError("callbacks.….url: give an address that begins with https:// or http://")
        self._config = config
        self._directory = Path(directory)
        self._url = url
        self._state: ExperimentState | None = None

    def on_open(self, state: ExperimentState) -> None:
        """Keep the state of the experiment that starts or resumes."""
        self._state = state

    def on_close(self) -> None:
        """Post how the experiment ended, unless it will resume with the next call of its command."""
        error, state = sys.exc_info()[1], self._state
        if state is None or (state.finished is None and not isinstance(error, Exception)):
            return
        request = urllib.request.Request(
            self._url,
            json.dumps(self._message(state, None if state.finished else error)).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT):
                pass
        except (OSError, ValueError) as failure:
            reason = failure.reason if isinstance(failure, urllib.error.URLError) else type(failure).__name__
            log.warning("callbacks: the message of how the experiment ended could not be delivered (%s)", reason)

    def _message(self, state: ExperimentState, error: BaseException | None) -> dict[str, Any]:
        config = self._config
        name = f"{config.benchmark.name} {config.method.name} seed {config.seed}"
        event = "ended" if error is None else "broke"
        why = state.finished if error is None else f"{type(error).__name__}: {error}"
        how = state.status if error is None else "broke"
        result = f"{best_name(state)} {best_text(state)}"
        return {
            "text": f"{name} {how} after {clock(state.elapsed)}: {why}; {result}; {counts_text(state)}",
            "event": event,
            "status": state.status,
            "reason": why,
            "experiment_tag": config.experiment_tag,
            "benchmark": config.benchmark.name,
            "method": config.method.name,
            "seed": config.seed,
            "host": socket.gethostname(),
            "directory": str(self._directory),
            "elapsed_seconds": state.elapsed,
            "trials": {status.value: count for status, count in state.counts().items()},
            **({"front": front_of(state)} if state.objective.aims else {"best": best_of(state)}),
        }
