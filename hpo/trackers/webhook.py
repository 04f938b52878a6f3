"""A message to an address when an experiment has ended, or broke."""

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
from hpo.events.wording import best_name, best_of, best_text, clock, counts_text, front_of

log = logging.getLogger(__name__)

TIMEOUT = 10.0
"""Seconds; nothing waits for the message but the end of the session."""


class Webhook(Callback):
    """Posts one JSON object: when the experiment is over, and when its session ends by an error. Not when a person ends it.

    Its `text` is one sentence, as chat services take it; the other keys are for programs. Nothing of the environment or of
    the script's arguments is in it, and the address is in no log.

    Args:
        config: of the experiment.
        directory: of the experiment.
        url: of the service; as `${oc.env:NAME}` it is stored nowhere.

    Raises:
        ConfigError: the address is none.
    """

    def __init__(self, config: ExperimentConfig, directory: Path | str, url: str) -> None:
        if not url.startswith(("https://", "http://")):
            raise ConfigError("callbacks.….url: give an address that begins with https:// or http://")
        self._config = config
        self._directory = Path(directory)
        self._url = url
        self._state: ExperimentState | None = None

    def on_open(self, state: ExperimentState) -> None:
        """The experiment starts or resumes."""
        self._state = state

    def on_close(self) -> None:
        """Say how it ended, unless it goes on with the next call of its command."""
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
