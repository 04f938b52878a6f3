"""Checks that the compared experiments ran under equal conditions."""

from collections.abc import Mapping, Sequence
from typing import Any

from hpo.analysis.loading import LoadedExperiment
from hpo.config.budgets import LIMIT_KEYS
from hpo.config.schema import BACKENDS, CONDITIONS, REAL_BACKENDS
from hpo.errors import ConfigError
from hpo.events.text import shortened

_WAITING = tuple(BACKENDS[name].rpartition(".")[2] for name in ("sagemaker", "slurm"))
"""Names of the backend classes whose attempts, or workers, wait until a machine is granted."""
_ALIKE = {target.rpartition(".")[2] for target in REAL_BACKENDS} - {*_WAITING}
"""Names of the backend classes that start an attempt at once, wherever it runs."""


def check_conditions(benchmark: str, runs: Sequence[LoadedExperiment]) -> list[str]:
    """Return warnings about unequal conditions among experiments of one benchmark.

    Args:
        benchmark: Name of their benchmark.
        runs: Experiments that are compared.

    Raises:
        ConfigError: They did not run the same benchmark under the same conditions.
    """
    first = runs[0]
    for run in runs[1:]:
        old, new = first.config.benchmark, run.config.benchmark
        machine = {*old.arguments_of_the_machine, *new.arguments_of_the_machine}
        pairs = {
            **{f"benchmark.{key}": (getattr(old, key), getattr(new, key)) for key in CONDITIONS},
            "benchmark.arguments": (old.arguments_besides(machine), new.arguments_besides(machine)),
            "num_gpus_per_trial": (first.config.num_gpus_per_trial, run.config.num_gpus_per_trial),
            "backend": (_backend(first), _backend(run, _backend(first))),
        }
        for key, (a, b) in pairs.items():
            if a != b and not (key == "backend" and {a, b} <= _ALIKE):
                key, a, b = _narrowed(key, a, b)
                waits = (
                    ", and an attempt of the one waits minutes for its machine"
                    if a in _WAITING or b in _WAITING
                    else ""
                )
                raise ConfigError(
                    f"{benchmark}: {key} is {a} in {first.directory} and {b} in {run.directory}{waits}; methods are "
                    "compared under equal conditions only: run them with one command, or name other directories"
                )
    warnings = [*_backends(benchmark, runs), *_workers(benchmark, runs)]
    for key in LIMIT_KEYS:
        values = sorted({str(getattr(run.config, key)) for run in runs})
        if len(values) > 1:
            warnings.append(
                f"{benchmark}: {key} differs ({', '.join(values)}); compared within the time that all reached"
            )
    hosts = sorted({host for run in runs for host in run.hosts})
    if len(hosts) > 1 and "imulat" not in str(first.metadata.get("backend")):
        warnings.append(f"{benchmark}: times are compared across {len(hosts)} machines ({shortened(hosts)})")
    return warnings


def _backend(run: LoadedExperiment, otherwise: str | None = None) -> str | None:
    """Return the class name of the backend that ran the trials; `otherwise` if the experiment does not record it."""
    found = run.metadata.get("backend", otherwise)
    return None if found is None else str(found)


def _backends(benchmark: str, runs: Sequence[LoadedExperiment]) -> list[str]:
    """Warn if the trials of some experiments ran on this machine and those of others on other machines.

    The trials' reports are the same, because configurations, seeds and code are. Their times are not, and methods are
    compared over time.
    """
    names = sorted({name for run in runs if (name := _backend(run)) is not None})
    if len(names) < 2:
        return []
    of_method = {
        method: {_backend(run) for run in runs if run.label == method} for method in {run.label for run in runs}
    }
    mixed = len({frozenset(found) for found in of_method.values()}) == 1
    whose = "the same share of each method's seeds has to be on each" if mixed else "run all methods with one of them"
    return [
        f"{benchmark}: trials ran with {' and '.join(names)}; their results may be compared, but their times are also "
        f"those of the machines: for a difference in time that is of the methods, {whose}"
    ]


def _workers(benchmark: str, runs: Sequence[LoadedExperiment]) -> list[str]:
    """Warn if the number of workers changed within an experiment or differs between experiments."""
    warnings = [
        f"{benchmark}: n_workers changed within {run.directory} (from {' to '.join(map(str, run.n_workers))})"
        for run in runs
        if len(run.n_workers) > 1
    ]
    if len(counts := sorted({run.config.n_workers or 1 for run in runs})) > 1:
        warnings.append(
            f"{benchmark}: n_workers differs ({', '.join(map(str, counts))}); with more of them results come sooner, "
            "whatever the method"
        )
    return warnings


def _narrowed(key: str, a: Any, b: Any) -> tuple[str, Any, Any]:
    """Return the dotted key of the first difference between two mappings, and the two values there."""
    while isinstance(a, Mapping) and isinstance(b, Mapping):
        name = next(name for name in [*a, *b] if a.get(name) != b.get(name))
        key, a, b = f"{key}.{name}", a.get(name), b.get(name)
    return key, getattr(a, "value", a), getattr(b, "value", b)
