"""Checks before the first experiment of a command starts: all can run, and each has a directory of its own.

A sweep takes hours, so a mistake in its last value must be found at once; and a command that cannot run leaves nothing
behind.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from hpo.backends.backend_choice import check_backend, check_devices
from hpo.config.environment_references import from_environment
from hpo.config.reading import resolve
from hpo.config.schema import ExperimentConfig
from hpo.config.targets import target_error_as_sentence
from hpo.config.validation import TAG
from hpo.errors import BackendError, ConfigError
from hpo.experiment.warm_start import check_sources
from hpo.launchers.base import Job, runs_here
from hpo.schedulers.construction import scheduler_of
from hpo.store.directory import ExperimentDirectory
from hpo.store.experiment_paths import from_here


def check_jobs(jobs: Sequence[Job], *, chosen: bool = True) -> None:
    """Raise ConfigError unless all experiments of a command can be run.

    Other obstacles to one of them, such as the content of its directory, do not keep the others from running.

    Args:
        jobs: Experiments of the command.
        chosen: Whether the user named the benchmark; if not, the message suggests one that needs nothing installed.
    """
    _check_directories(jobs)
    seen: list[ExperimentConfig] = []
    devices: list[tuple[int | None, list[int] | None]] = []
    for job in jobs:
        alike = replace(job.config, seed=0)
        if alike in seen:
            continue
        seen.append(alike)
        try:
            config = resolve(job.config)
            if config.overwrite or not ExperimentDirectory(job.output_dir).config.exists():
                check_sources(config, job.output_dir)
            if not runs_here(config):  # trusted modules may be importable only where the job runs
                continue
            # A single experiment also constructs it when it starts; but a rejected one must leave no directory.
            by_itself = config.warm_start or config.objective.takes_outcomes or config.copies_checkpoints
            if len(jobs) > 1 or by_itself or config.benchmark.points_to_evaluate:
                scheduler_of(replace(config, random_seed=0))
            if ExperimentDirectory(job.output_dir).config.exists():  # a finished experiment needs no program
                continue
            check_backend(config)
            from_environment("callbacks", config.callbacks)
            needs = config.num_gpus_per_trial, config.gpus_to_use
            if needs not in devices:  # cached: equal for all methods and seeds, and drivers answer slowly
                devices.append(needs)
                check_devices(config)
        except BackendError as error:
            example = "" if chosen else ", or try it with a small network: hpo benchmark=mlp_digits"
            raise ConfigError(f"benchmark={config.benchmark.name}: {error}{example}; nothing was started") from error
        except ConfigError as error:
            first = "" if job is jobs[0] else f"{from_here(job.output_dir)}: "
            raise ConfigError(
                f"{first}{target_error_as_sentence(error, job.config)}; no experiment was started"
            ) from error


def _check_directories(jobs: Sequence[Job]) -> None:
    members: dict[Path, list[Job]] = {}
    for job in jobs:
        members.setdefault(job.output_dir, []).append(job)
    for directory, together in members.items():
        if len(together) > 1:
            raise ConfigError(_clash(directory, [job.config for job in together], [job.config for job in jobs]))


def _clash(directory: Path, together: Sequence[ExperimentConfig], everything: Sequence[ExperimentConfig]) -> str:
    """Return the error message about experiments that would share a directory."""
    flat = [dict(_flat("", asdict(config))) for config in together]
    values = {key: list(dict.fromkeys(str(one.get(key)) for one in flat)) for one in flat for key in one}
    keys = [key for key, different in values.items() if len(different) > 1]
    begin = f"{from_here(directory)} would hold {len(together)} experiments of this command"
    if not keys:
        return f"{begin}, all with the same configuration: name each value of a sweep once"
    told = ", ".join(f"{key}: {', '.join(values[key][:4])}" for key in keys[:3]) + (", ..." if len(keys) > 3 else "")
    remedy = "run a command for each value, with an experiment_tag of its own"
    if name := _name_with(keys[:2], values, everything):
        remedy = f"put the key into a name, {name}, or {remedy}"
    return f"{begin}, which differ ({told}): {remedy}; no experiment was started"


def _name_with(keys: Sequence[str], values: Mapping[str, list[str]], everything: Sequence[ExperimentConfig]) -> str:
    """Return an override that gives each value its own directory; empty if none can be recommended."""
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
