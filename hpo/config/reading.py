"""Reading configurations from Hydra, from files and from Python; `resolve` fills in and checks the benchmark's defaults."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from enum import Enum
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from omegaconf import MISSING, OmegaConf
from omegaconf.errors import OmegaConfBaseException, UnsupportedValueType

from hpo.config.config_folders import CONF_DIR, check_folder
from hpo.config.environment_references import keep_references
from hpo.config.hydra_errors import emptied, hydra_error_as_sentence, not_plain
from hpo.config.hydra_versions import naming_keys
from hpo.config.objectives import with_first
from hpo.config.processes import check_processes
from hpo.config.schema import ExperimentConfig
from hpo.config.validation import check, check_names, check_preload
from hpo.config.yaml_files import check_kinds, dump_yaml, errors_as_sentence, read_stored, read_yaml, with_leaves
from hpo.errors import ConfigError

_OF_BENCHMARK = ("n_workers", "max_num_trials", "max_num_evaluations", "num_gpus_per_trial")
"""Keys whose default for an experiment is the benchmark's value."""


def resolve(config: ExperimentConfig) -> ExperimentConfig:
    """Return a copy of a configuration with the benchmark's defaults filled in and all values checked. Idempotent.

    Raises:
        ConfigError: A value cannot be used; the message names key, value and remedy.
    """
    benchmark = config.benchmark
    wallclock = config.max_wallclock_time
    if wallclock is None and benchmark.max_wallclock_time is not None:
        wallclock = benchmark.max_wallclock_time
        if config.scale_max_wallclock_time and config.n_workers is not None:
            # With fewer workers than the benchmark's, scale the time limit up in proportion; with more, keep it.
            wallclock *= benchmark.n_workers / min(max(config.n_workers, 1), benchmark.n_workers)

    left_out = [key for key in _OF_BENCHMARK if getattr(config, key) is None]
    resolved = replace(
        config,
        max_wallclock_time=wallclock,
        backend=_with_target(config),
        **{key: getattr(benchmark, key) for key in left_out},
    )
    check(resolved)
    check_processes(resolved)
    return resolved


def to_config(node: Any) -> ExperimentConfig:
    """Convert a composed or stored configuration to its typed form.

    Raises:
        ConfigError: A key is unknown, missing or of the wrong type.
    """
    with errors_as_sentence():
        try:
            merged: Any = OmegaConf.merge(_schema(), node)
            benchmark = merged.benchmark
            if (complete := with_first(benchmark)) is not benchmark:
                merged.benchmark = complete
            with naming_keys(merged):
                config = OmegaConf.to_object(merged)
        except OmegaConfBaseException as error:
            raise ConfigError(hydra_error_as_sentence(error, ExperimentConfig)) from error
    assert isinstance(config, ExperimentConfig)
    check_kinds(config)
    return config


@cache
def _schema() -> Any:
    """Return the OmegaConf schema of an experiment; cached, because constructing it takes milliseconds. Merge into a copy."""
    return OmegaConf.structured(ExperimentConfig)


def to_yaml(config: ExperimentConfig) -> str:
    """Return the text of experiment.yaml, which reads back as an equal configuration."""
    try:
        return dump_yaml(to_plain(config))
    except UnicodeEncodeError as error:
        raise ConfigError(f"{error.object[:200]!r}: is not UTF-8 text, which experiment.yaml is") from None


def to_plain(config: ExperimentConfig) -> dict[str, Any]:
    """Return the content of experiment.yaml as plain lists, dictionaries, strings and numbers."""
    content = dict(with_leaves(asdict(config), lambda leaf: leaf.name if isinstance(leaf, Enum) else leaf))
    if config.benchmark.objectives:
        del content["benchmark"]["metric"], content["benchmark"]["mode"]
    return content


def read_config(path: Path) -> ExperimentConfig:
    """Read the configuration stored at `path`.

    Raises:
        ConfigError: The file cannot be read as a configuration.
    """
    config = to_config(read_stored(path))
    check_names(config)
    check_preload(config.benchmark.preload)
    return replace(config, backend=_with_target(config))


def _with_target(config: ExperimentConfig) -> dict[str, Any]:
    """Return the backend's settings with its `_target_` spelt out, as they are compared and stored."""
    return {**config.backend, "_target_": config.backend_target}


def content_of(group: str, choice: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a group's choice as plain values: of the file with that name, or as given.

    Raises:
        ConfigError: No such file exists; the message lists the existing ones.
    """
    if not isinstance(choice, str):
        if not isinstance(choice, Mapping):
            kind = type(choice).__name__
            raise ConfigError(
                f"{group}: a {kind} is neither the name of a {group} nor a mapping with what its YAML has"
            )
        with errors_as_sentence():
            try:
                return _container(OmegaConf.create(dict(choice)))
            except UnsupportedValueType as error:
                found = re.search("'(.+?)'", str(error.msg))
                raise ConfigError(not_plain(f"{group}.{error.full_key}", found[1] if found else "unknown")) from error
    if _is_built_in(group, choice):
        path = CONF_DIR / group / f"{choice}.yaml"
        return _container(_read_built_in(path, path.stat().st_mtime_ns))
    from hpo.config.composing import compose_plain

    return _container(OmegaConf.create(compose_plain({group: choice})[group]))


def _is_built_in(group: str, choice: str) -> bool:
    """Whether a choice is the name of a file that comes with hpo. Those need no Hydra, because none extends another."""
    may_be = group != "experiment" and re.fullmatch(r"[\w-]{1,100}", choice, re.ASCII) is not None
    return may_be and (CONF_DIR / group / f"{choice}.yaml").is_file()


@lru_cache(maxsize=64)
def _read_built_in(path: Path, _changed: int) -> Any:
    """Read a built-in YAML file, cached by path and time of change: a program may load the same few many times."""
    return read_yaml(path)


def _container(node: Any) -> dict[str, Any]:
    content: Any = OmegaConf.to_container(node)
    return {str(key): value for key, value in content.items()}


def load_config(
    benchmark: str | Mapping[str, Any] | None = None,
    method: str | Mapping[str, Any] | None = None,
    *,
    config_dir: str | Path | Sequence[str | Path] | None = None,
    seed: int = 0,
    experiment_tag: str = "python",
    **overrides: Any,
) -> ExperimentConfig:
    """Compose the configuration of an experiment in Python, as the command line would.

    Args:
        benchmark: Name of a benchmark, or the content of its YAML. None leaves it to an experiment file.
        method: Name of a method, or the content of its YAML. None leaves it to an experiment file.
        config_dir: Folder of your own YAML files, as for `--config-dir`, or several folders.
        seed: Seed number of the experiment.
        experiment_tag: Tag of the experiment.
        **overrides: Top-level keys, and dotted keys in a dictionary: `**{"method.scheduler.reduction_factor": 4}`.
            Groups are chosen by name: `backend="simulated"`; `experiment="small"` is `+experiment=small` on a command
            line.

    Raises:
        ConfigError: A name, key or value is wrong.
    """
    groups = {key: value for key, value in overrides.items() if isinstance(value, str) and _may_be_group(key)}
    choices = {"benchmark": benchmark, "method": method, **groups}
    given = {group: choice for group, choice in choices.items() if choice is not None}
    for group, example in (("benchmark", "mlp_digits"), ("method", "ASHA")):
        if group not in given and "experiment" not in given:
            raise ConfigError(f"{group}: name one, such as {example!r}, or an experiment that chooses it")
    names = {group: choice for group, choice in given.items() if isinstance(choice, str)}
    parts: dict[str, Any] = {}
    if config_dir is not None or not all(_is_built_in(group, name) for group, name in names.items()):
        from hpo.config.composing import compose_plain

        folders = [config_dir] if isinstance(config_dir, str | Path) else config_dir or ()
        places = [f"file://{check_folder(f'config_dir={str(folder)!r}', str(folder))}" for folder in folders]
        parts, names = compose_plain(names, places), {}
        if method is None and parts["method"]["name"] == MISSING:
            raise ConfigError(f"method: experiment={groups['experiment']!r} chooses none; name one, such as 'ASHA'")
    for group, choice in given.items():
        if group in names or not isinstance(choice, str):
            parts[group] = content_of(group, choice)
    with errors_as_sentence():
        node = OmegaConf.create({**parts, "seed": seed, "experiment_tag": experiment_tag})
        for key, value in overrides.items():
            if key not in groups:
                if sentence := emptied(key, value, OmegaConf.select(node, key)):
                    raise ConfigError(sentence)
                OmegaConf.update(node, key, value, force_add=True)
        keep_references(node)
    return to_config(node)


def _may_be_group(key: str) -> bool:
    """Whether a text given for this key may be a choice of a group rather than a value."""
    known = key in ExperimentConfig.__dataclass_fields__
    return key in ("backend", "launcher") if known else re.fullmatch(r"\w+(/\w+)*", key, re.ASCII) is not None
