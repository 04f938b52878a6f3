"""Constraints of a benchmark, parsed from its YAML: `latency_ms: {upper: 20}`."""

import math
from collections.abc import Mapping
from typing import Any

from hpo.errors import ConfigError, nearest
from hpo.events.outcome import Constraint

KEYS = ("upper", "lower", "at")


def parse_constraints(written: Mapping[str, Any], max_resource: int | None) -> tuple[Constraint, ...]:
    """Parse the constraints of a benchmark.

    Args:
        written: The benchmark's key `constraints`: metric name to bounds.
        max_resource: Resource of a full-budget evaluation; None if it is unknown.

    Raises:
        ConfigError: A constraint cannot be used.
    """
    return tuple(_parse(metric, spec, max_resource) for metric, spec in written.items())


def _parse(metric: str, spec: Any, max_resource: int | None) -> Constraint:
    key = f"benchmark.constraints.{metric}"
    if not isinstance(spec, Mapping):
        raise ConfigError(f"{key}={spec!r}: write {{upper: 20}} or {{lower: 0.9}}, with your bound")
    if unknown := [str(name) for name in spec if name not in KEYS]:
        near = nearest(unknown[0], KEYS)
        raise ConfigError(
            f"{key}.{unknown[0]}: a constraint has upper or lower, and perhaps at: end"
            + (f"; did you mean {near!r}?" if near else "")
        )
    bounds = {name: spec[name] for name in ("upper", "lower") if spec.get(name) is not None}
    if len(bounds) != 1:
        how = "both are given" if bounds else "neither is given"
        raise ConfigError(f"{key}: {how} of upper and lower; give one of them")
    ((side, bound),) = bounds.items()
    if isinstance(bound, bool) or not isinstance(bound, int | float) or not math.isfinite(bound):
        raise ConfigError(f"{key}.{side}={bound}: use a finite number")
    at = spec.get("at")
    if at not in (None, "end"):
        raise ConfigError(f"{key}.at={at}: use end, for the maximum resource alone, or leave it out, for each report")
    if at == "end" and max_resource is None:
        raise ConfigError(
            f"{key}.at=end: where the end is cannot be told without benchmark.max_resource_attr; name it, or remove `at`"
        )
    return Constraint(metric, float(bound), side == "upper", at == "end")
