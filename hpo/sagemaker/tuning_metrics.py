"""The best result so far as metrics in a remote job's console: one line per improvement, and regexes that read it.

    [hpo 1f3a9c2e] best_metric_value=0.9123 best_trial_id=7 best_resource_value=9 best_hp_lr=1e-05

The service looks for the regexes in everything the job prints. The number after `hpo` belongs to the experiment, so that
a trial's output, even if it is quoted, is not mistaken for such a line. With several objectives the best is that of the
first, and a line is written whenever the Pareto front has grown, with its size and its hypervolume.
"""

import hashlib
import logging
import math
import re
from collections.abc import Mapping
from typing import Any

from hpo.config.schema import ExperimentConfig
from hpo.events.callback import Callback
from hpo.events.state import ExperimentState
from hpo.events.types import Event, Kind
from hpo.results.hypervolume import front_share
from hpo.space.domains import Choice
from hpo.watching.plain_lines import say

log = logging.getLogger(__name__)

OF_ALL = ("best_metric_value", "best_trial_id", "best_resource_value")
OF_FRONTS = ("front_size", "hypervolume")
MOST_DEFINITIONS = 40
LONGEST_NAME = 100
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"


class TuningMetrics(Callback):
    """A callback that writes a line whenever there is a better result, and when an experiment is resumed.

    Args:
        config: Resolved experiment.
        nonce: Mark of the experiment's lines, as given to `definitions`.
    """

    def __init__(self, config: ExperimentConfig, nonce: str) -> None:
        self._config = config
        self._nonce = nonce
        self._names = metric_names(config)
        self._state: ExperimentState | None = None
        self._said: tuple[object, ...] | None = None

    def on_open(self, state: ExperimentState) -> None:
        """Write the best result so far of a resumed experiment."""
        self._state = state
        self._say()

    def on_event(self, event: Event) -> None:
        """Write the result if it is better."""
        if event.kind == Kind.REPORTED:
            self._say()

    def _say(self) -> None:
        state = self._state
        if state is None or state.incumbent is None:
            return
        now = state.incumbent.loss, state.incumbent.trial_id, state.front
        if now == self._said:
            return
        self._said = now
        configuration = state.trials[state.incumbent.trial_id].trial.configuration
        values: dict[str, float | None] = {
            "best_metric_value": _number(state.objective.value(state.incumbent.loss)),
            "best_trial_id": state.incumbent.trial_id,
            "best_resource_value": state.incumbent.resource,
        }
        if state.front:
            share = front_share(self._config, state.front)
            values |= dict(zip(OF_FRONTS, (len(state.front), share), strict=True))
        domains = self._config.space.domains
        for name, metric in self._names.items():
            domain, value = domains[name], configuration.get(name)
            shown = _number(value)
            if shown is None and isinstance(domain, Choice) and value in domain:
                shown = domain.index(value)
            values[metric] = shown
        say(line(values, self._nonce))


def line(values: Mapping[str, float | None], nonce: str) -> str:
    """Return the line that carries these values, except those that are not finite numbers."""
    fields = [f"{name}={value!r}" for name, value in values.items() if value is not None and math.isfinite(value)]
    return f"[hpo {nonce}] " + " ".join(fields)


def definitions(config: ExperimentConfig, nonce: str) -> list[dict[str, str]]:
    """Return the MetricDefinitions for the lines that `TuningMetrics` writes."""
    names = [*OF_ALL, *(OF_FRONTS if config.objective.aims else ()), *metric_names(config).values()]
    # Not tied to the beginning of a line: whether the service's `^` would mean that is not documented.
    head = re.escape(f"[hpo {nonce}]").replace("\\ ", " ")
    return [{"Name": name, "Regex": rf"{head}(?: \S+)*? {re.escape(name)}=({NUMBER})"} for name in names]


def metric_names(config: ExperimentConfig) -> dict[str, str]:
    """Return the metric name of each tuned hyperparameter, for as many as the service accepts."""
    names = list(config.space.domains)
    most = MOST_DEFINITIONS - len(OF_ALL) - (len(OF_FRONTS) if config.objective.aims else 0)
    if len(names) > most:
        text = "remote_tuning_metrics: the service takes %d metrics; %s are not shown"
        log.warning(text, MOST_DEFINITIONS, names[most:])
    return {name: f"best_hp_{_safe(name)}" for name in names[:most]}


def nonce_of(identity: str) -> str:
    """Return the mark of an experiment's lines."""
    return identity[:8]


def _safe(name: str) -> str:
    changed = re.sub(r"[^a-zA-Z0-9_.-]", "_", name)[:LONGEST_NAME]
    if changed == name:
        return name
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{changed}-{digest}"


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:
        return None
