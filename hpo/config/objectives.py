"""Objectives of a benchmark, parsed from its YAML: `objectives: {accuracy: max, latency_ms: {mode: min, log: true}}`."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from omegaconf import MISSING, OmegaConf

from hpo.config.choices import Mode
from hpo.errors import ConfigError, did_you_mean
from hpo.events.objective import Aim

MOST = 4
"""Largest number of objectives: with more, nearly every trial is on the Pareto front."""

KEYS = ("mode", "log")


def parse_objectives(written: Mapping[str, Any]) -> tuple[Aim, ...]:
    """Parse the objectives of a benchmark, in order; an empty tuple if it has a single metric instead.

    The first objective is the one that is shown if there is room for only one.

    Args:
        written: The benchmark's key `objectives`: metric name to mode or settings.

    Raises:
        ConfigError: The objectives cannot be used.
    """
    if len(written) == 1:
        raise ConfigError(
            f"benchmark.objectives: {_listed(written)} alone is one objective; write it as benchmark.metric and "
            "benchmark.mode, or name a second"
        )
    if len(written) > MOST:
        raise ConfigError(
            f"benchmark.objectives: {len(written)} are given ({_listed(written)}); use at most {MOST}, for with more nearly "
            "every trial is on the Pareto front"
        )
    return tuple(_parse(str(metric), spec) for metric, spec in written.items())


def _parse(metric: str, spec: Any) -> Aim:
    key = f"benchmark.objectives.{metric}"
    if not isinstance(spec, Mapping):
        return Aim(metric, _mode(key, spec))
    if unknown := [str(name) for name in spec if name not in KEYS]:
        raise ConfigError(
            f"{key}.{unknown[0]}: an objective has a mode, and perhaps log: true" + did_you_mean(unknown[0], KEYS)
        )
    log = spec.get("log", False)
    if not isinstance(log, bool):
        raise ConfigError(f"{key}.log={log}: use true or false")
    return Aim(metric, _mode(f"{key}.mode", spec.get("mode")), log)


def _mode(key: str, value: Any) -> str:
    name = value.value if isinstance(value, Mode) else value
    modes = [mode.value for mode in Mode]
    if name not in modes:
        given = f"{key}={name}" if name is not None else key
        raise ConfigError(f"{given}: use min or max, or {{mode: min, log: true}}" + did_you_mean(str(name), modes))
    return str(name)


def check_reference(reference: Mapping[str, Any], objectives: Mapping[str, Any]) -> None:
    """Raise ConfigError unless the hypervolume's reference point is empty or has a finite value for each objective."""
    key = "benchmark.reference_point"
    if not reference:
        return
    if not objectives:
        raise ConfigError(f"{key}: it belongs to benchmark.objectives, and there are none; remove it, or give them")
    names = [str(name) for name in objectives]
    for name, value in reference.items():
        if name not in names:
            raise ConfigError(
                f"{key}.{name}: it is none of benchmark.objectives ({_listed(names)})" + did_you_mean(str(name), names)
            )
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ConfigError(f"{key}.{name}={value}: use a finite number, in the unit of {name}")
    if missing := [name for name in names if name not in reference]:
        raise ConfigError(f"{key}: there is no value for {missing[0]}; give one for each objective, or none at all")


def with_first(benchmark: Any) -> Any:
    """Return a benchmark's OmegaConf node; if it is multi-objective, a copy whose metric and mode are its first objective's.

    Raises:
        ConfigError: The objectives cannot be used, or a metric or mode is given in addition.
    """
    if not OmegaConf.is_dict(benchmark) or not benchmark.get("objectives"):
        return benchmark
    for key in ("metric", "mode"):
        if key in benchmark:  # and its value is not `???`
            raise both_given(key, benchmark[key])
    written: Any = OmegaConf.to_container(benchmark.objectives, resolve=True)
    first, *_ = parse_objectives(written)
    return OmegaConf.merge(benchmark, {"metric": first.metric, "mode": first.mode})


def check_by_hand(metric: Any, mode: Any, objectives: Mapping[str, Any]) -> None:
    """Raise ConfigError if a benchmark that was constructed in Python lacks its metric or mode, even if it has objectives.

    Args:
        metric: Metric of the benchmark; `MISSING` if none is given.
        mode: Mode of the benchmark; `MISSING` if none is given.
        objectives: Objectives of the benchmark.
    """
    for key, value, example in (
        ("metric", metric, "the name of what the script reports"),
        ("mode", mode, "Mode.min or Mode.max"),
    ):
        if value != MISSING and (key == "metric" or isinstance(value, Mode)):
            continue
        if objectives:
            first = next(iter(objectives))
            raise ConfigError(
                f"benchmark.{key}={value}: a BenchmarkConfig with objectives that is made by hand has the metric and mode of "
                f"the first, {first}, too; give both, or use hpo.load_config, which fills them in"
            )
        raise ConfigError(f"benchmark.{key}={value}: give {example}, or several objectives with hpo.load_config")


def both_given(key: str, value: Any) -> ConfigError:
    """Return the error for a benchmark that has both objectives and a metric or mode."""
    told = value.value if isinstance(value, Mode) else value
    return ConfigError(
        f"benchmark.{key}={told}: benchmark.objectives are given too, and take the place of metric and mode; remove these "
        f"two, on a command line by 'benchmark.metric=???' 'benchmark.mode=???', or remove the objectives"
    )


def _listed(names: Iterable[Any]) -> str:
    return ", ".join(map(str, names))
