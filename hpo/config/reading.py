"""Configurations from Hydra, from files and from Python; `resolve` fills in what the benchmark provides and checks them."""

import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from enum import Enum
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException, UnsupportedValueType

from hpo.config.mistakes import hydra_error_as_sentence, not_plain
from hpo.config.schema import CONF_DIR, ExperimentConfig
from hpo.config.validity import check, check_names, check_preload
from hpo.config.yamlfiles import check_kinds, dump_yaml, errors_as_sentence, read_stored, read_yaml, with_leaves
from hpo.errors import ConfigError, choose

_OF_BENCHMARK = ("n_workers", "max_num_trials", "max_num_evaluations", "num_gpus_per_trial")
"""What the benchmark says where the experiment does not."""


def resolve(config: ExperimentConfig) -> ExperimentConfig:
    """A copy with every value decided: benchmark defaults filled in, cross-checks done. Resolving twice changes nothing.

    Raises:
        ConfigError: naming key, value and remedy.
    """
    benchmark = config.benchmark
    wallclock = config.max_wallclock_time
    if wallclock is None and benchmark.max_wallclock_time is not None:
        wallclock = benchmark.max_wallclock_time
        if config.scale_max_wallclock_time and config.n_workers is not None:
            # Fewer workers than the benchmark is meant for get proportionally more time; more get no less.
            wallclock *= benchmark.n_workers / min(max(config.n_workers, 1), benchmark.n_workers)

    left_out = [key for key in _OF_BENCHMARK if getattr(config, key) is None]
    resolved = replace(
        config,
        max_wallclock_time=wallclock,
        backend=_with_target(config),
        **{key: getattr(benchmark, key) for key in left_out},
    )
    check(resolved)
    return resolved


def to_config(node: Any) -> ExperimentConfig:
    """The typed configuration from a composed or stored one.

    Raises:
        ConfigError: a key is unknown, missing or of the wrong type.
    """
    with errors_as_sentence():
        try:
            config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(ExperimentConfig), node))
        except OmegaConfBaseException as error:
            raise ConfigError(hydra_error_as_sentence(error, ExperimentConfig)) from error
    assert isinstance(config, ExperimentConfig)
    check_kinds(config)
    return config


def to_yaml(config: ExperimentConfig) -> str:
    """The text of experiment.yaml: reading it back gives an equal configuration."""
    try:
        return dump_yaml(to_plain(config))
    except UnicodeEncodeError as error:
        raise ConfigError(f"{error.object[:200]!r}: is not UTF-8 text, which experiment.yaml is") from None


def to_plain(config: ExperimentConfig) -> dict[str, Any]:
    """The content of experiment.yaml: lists, dictionaries, texts and numbers."""
    return dict(with_leaves(asdict(config), lambda leaf: leaf.name if isinstance(leaf, Enum) else leaf))


def read_config(path: Path) -> ExperimentConfig:
    """The configuration stored at `path`.

    Raises:
        ConfigError: it cannot be read as one.
    """
    config = to_config(read_stored(path))
    check_names(config)
    check_preload(config.benchmark.preload)
    return replace(config, backend=_with_target(config))


def _with_target(config: ExperimentConfig) -> dict[str, Any]:
    """The backend as it is compared and stored, however little of it was given."""
    return {**config.backend, "_target_": config.backend_target}


def content_of(group: str, choice: str | Mapping[str, Any]) -> dict[str, Any]:
    """What a choice of a group stands for, as plain values: the file of that name in conf/`group`, or a given content.

    Raises:
        ConfigError: there is no such file; the message lists those there are.
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
    path = CONF_DIR / group / f"{choice}.yaml"
    if not path.is_file():
        names = sorted(p.stem for p in (CONF_DIR / group).glob("*.yaml"))
        raise ConfigError(f"{group}={choice!r}: there is no such {group}{choose(choice, names)}")
    return _container(read_yaml(path))


def _container(node: Any) -> dict[str, Any]:
    content: Any = OmegaConf.to_container(node)
    return {str(key): value for key, value in content.items()}


def load_config(
    benchmark: str | Mapping[str, Any],
    method: str | Mapping[str, Any],
    *,
    seed: int = 0,
    experiment_tag: str = "python",
    **overrides: Any,
) -> ExperimentConfig:
    """An experiment's configuration from Python, without Hydra.

    Args:
        benchmark: a name in conf/benchmark, or what such a file contains.
        method: likewise for conf/method.
        seed: the seed number.
        experiment_tag: the tag.
        **overrides: top-level keys, and dotted ones in a dictionary: `**{"method.scheduler.reduction_factor": 4}`.

    Raises:
        ConfigError: a name, key or value is wrong.
    """
    parts = {group: content_of(group, choice) for group, choice in (("benchmark", benchmark), ("method", method))}
    with errors_as_sentence():
        node = OmegaConf.create({**parts, "seed": seed, "experiment_tag": experiment_tag})
        for key, value in overrides.items():
            OmegaConf.update(node, key, value, force_add=True)
    return to_config(node)
