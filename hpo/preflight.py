"""Before the first experiment of a command starts: can all of them run, and each in a directory of its own?

A sweep takes hours, and a mistake in its last value must not be found after the others. A single experiment is not looked
at here: its own start finds the same.
"""

import importlib
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from hpo.assembly import parameters_of, scheduler_of
from hpo.composition import Job
from hpo.config import ExperimentConfig, resolve
from hpo.directory import ExperimentDirectory
from hpo.errors import ConfigError, HPOError
from hpo.nearest import did_you_mean
from hpo.validity import TAG

LOCAL = "hpo.launchers.local.LocalLauncher"
_CONTEXT = {"self", "searcher", "space", "randomness", "max_resource", "points_to_evaluate", "config", "directory"}
"""Arguments that hpo gives, and no configuration."""


def shown(path: Path) -> Path:
    """The path as a person would write it from here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def check_sweep(jobs: Sequence[Job]) -> None:
    """Raise ConfigError unless all experiments of a sweep can be run.

    What else keeps one of them from running, such as what lies in its directory, does not keep the others from it.
    """
    if len(jobs) < 2:
        return
    _check_directories(jobs)
    seen: list[ExperimentConfig] = []
    for job in jobs:
        alike = replace(job.config, seed=0)
        if alike in seen:
            continue
        seen.append(alike)
        try:
            config = resolve(job.config)
            if config.launcher.get("_target_") == LOCAL:  # what is trusted may be importable only where a job runs
                scheduler_of(replace(config, random_seed=0))
                if not ExperimentDirectory(job.output_dir).config.exists():  # one that is complete needs no program
                    _check_program(config)
        except ConfigError as error:
            first = "" if job is jobs[0] else f"{shown(job.output_dir)}: "
            raise ConfigError(f"{first}{clearer(error, job.config)}; no experiment was started") from error


def _check_program(config: ExperimentConfig) -> None:
    """Raise ConfigError unless the benchmark's program, or its table, is there."""
    if config.simulated:
        from hpo.tables.find import find_table

        find_table(str(config.benchmark.table)).check_space(config.space)
    else:
        from hpo.backends.program import find_program

        find_program(config.benchmark)


def _check_directories(jobs: Sequence[Job]) -> None:
    members: dict[Path, list[Job]] = {}
    for job in jobs:
        members.setdefault(job.output_dir, []).append(job)
    for directory, together in members.items():
        if len(together) > 1:
            raise ConfigError(_clash(directory, [job.config for job in together], [job.config for job in jobs]))


def _clash(directory: Path, together: Sequence[ExperimentConfig], everything: Sequence[ExperimentConfig]) -> str:
    """The sentence about experiments that would share a directory."""
    flat = [dict(_flat("", asdict(config))) for config in together]
    values = {key: list(dict.fromkeys(str(one.get(key)) for one in flat)) for one in flat for key in one}
    keys = [key for key, different in values.items() if len(different) > 1]
    begin = f"{shown(directory)} would hold {len(together)} experiments of this command"
    if not keys:
        return f"{begin}, all with the same configuration: name each value of a sweep once"
    told = ", ".join(f"{key}: {', '.join(values[key][:4])}" for key in keys[:3]) + (", ..." if len(keys) > 3 else "")
    remedy = "run a command for each value, with an experiment_tag of its own"
    if name := _name_with(keys[:2], values, everything):
        remedy = f"put the key into a name, {name}, or {remedy}"
    return f"{begin}, which differ ({told}): {remedy}; no experiment was started"


def _name_with(keys: Sequence[str], values: Mapping[str, list[str]], everything: Sequence[ExperimentConfig]) -> str:
    """An override by which each value gets a directory; empty where there is none to recommend."""
    texts = [text for key in keys for text in values[key]]
    if {"seed", "benchmark.name", "method.name", "experiment_tag"} & set(keys) or any(len(text) > 30 for text in texts):
        return ""
    parts = "".join(f"-${{{key}}}" for key in keys)
    section = "benchmark" if all(key.startswith("benchmark.") for key in keys) else "method"
    names = {getattr(config, section).name for config in everything}
    if len(names) == 1 and not any("/" in text or text.startswith(("[", "{")) for text in texts):
        return f"{section}.name='{names.pop()}{parts}'"
    if all(TAG.fullmatch(text) for text in texts):
        return f"experiment_tag='{everything[0].experiment_tag}{parts}'"
    return ""


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else str(key), item)
    else:
        yield prefix, value


def clearer(error: HPOError, config: ExperimentConfig) -> str:
    """The sentence about an experiment that could not be made: what is wrong with a `_target_`, else the error's own."""
    specs = {
        "method.searcher": config.method.searcher,
        "method.scheduler": config.method.scheduler,
        "launcher": config.launcher,
        **{f"callbacks.{name}": spec for name, spec in config.callbacks.items()},
    }
    for key, spec in specs.items():
        target = spec.get("_target_") if isinstance(spec, Mapping) else None
        if isinstance(target, str) and str(error).startswith((key, key.partition(".")[0] + ":")):
            trusted = any(module == "" or target.startswith(f"{module}.") for module in config.trusted_modules)
            if trusted or target.startswith("hpo."):
                return _wrong_target(key, target, trusted) or _wrong_argument(key, spec, target, error) or str(error)
    return str(error)


def _wrong_target(key: str, target: str, trusted: bool) -> str:
    """What is wrong with a `_target_`; empty where that is not it."""
    module, _, name = target.rpartition(".")
    top = target.partition(".")[0]
    if trusted and importlib.util.find_spec(top) is None:
        return (
            f"{key}._target_={target}: cannot import {top} (trusted_modules): is its folder on PYTHONPATH? For example "
            f"PYTHONPATH=. python -m hpo ..."
        )
    try:
        made = importlib.import_module(module)
    except Exception as error:  # whatever the user's module does
        return f"{key}._target_={target}: importing {module} fails ({type(error).__name__}: {error})" if trusted else ""
    if not hasattr(made, name):
        return f"{key}._target_={target}: {module} has no {name}" + did_you_mean(name, _public(made))
    return ""


def _wrong_argument(key: str, spec: Mapping[str, Any], target: str, error: HPOError) -> str:
    """What is wrong with the arguments beside a `_target_` that can be imported; empty where that is not it."""
    if "argument" not in str(error):
        return ""
    module, _, name = target.rpartition(".")
    try:
        takes = sorted(parameters_of(key, getattr(importlib.import_module(module), name)) - _CONTEXT)
    except HPOError:
        return ""
    wrong = [word for word in spec if not str(word).startswith("_") and word not in {*takes, *_CONTEXT}]
    if not wrong:
        return ""
    others = f"; it takes {', '.join(takes)}" if takes else "; it takes none"
    return f"{key}.{wrong[0]}={spec[wrong[0]]}: {name} has no such argument" + (did_you_mean(wrong[0], takes) or others)


def _public(module: Any) -> list[str]:
    return [name for name in vars(module) if isinstance(getattr(module, name), type)]
