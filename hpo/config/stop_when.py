"""The rule by which an experiment ends early, parsed from its YAML: `stop_when: {patience: 32}`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from hpo.errors import ConfigError, nearest


@dataclass(frozen=True, slots=True)
class StopWhen:
    """A rule that ends an experiment once its best result has stopped improving; perf/stopping.py chose the defaults."""

    patience: float = 32.0
    """Full-budget evaluations' worth of training over which the improvement is measured."""
    min_improvement: float = 0.02
    """The largest improvement that ends the experiment, as a share of the distance from the best trial to the median one."""


def parse_stop_when(written: Any) -> StopWhen | None:
    """Parse the key `stop_when`; return None for null, and the defaults for what it leaves out.

    Raises:
        ConfigError: A key is unknown, or its value cannot be used.
    """
    if written is None:
        return None
    if not isinstance(written, Mapping):
        raise ConfigError(f"stop_when={str(written)[:40]}: use a mapping, such as {{patience: 32}}, or null")
    known = [key.name for key in fields(StopWhen)]
    if unknown := [str(name) for name in written if name not in known]:
        near = nearest(unknown[0], known)
        raise ConfigError(
            f"stop_when.{unknown[0]}: use {' and '.join(known)}" + (f"; did you mean {near!r}?" if near else "")
        )
    for key, value in written.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ConfigError(f"stop_when.{key}={str(value)[:40]}: use a number")
    rule = StopWhen(**{key: float(value) for key, value in written.items()})
    if rule.patience < 1:
        raise ConfigError(f"stop_when.patience={rule.patience:g}: use a number of full-budget evaluations, at least 1")
    if rule.min_improvement <= 0:
        raise ConfigError(
            f"stop_when.min_improvement={rule.min_improvement:g}: use a positive number, such as 0.02, a share of the "
            f"distance from the best trial to the median one"
        )
    return rule
