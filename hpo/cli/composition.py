"""Composing the experiments of one command line with Hydra's compose API: what its multirun does, each group choice once.

Hydra's own multirun composes the configuration three times before the first job and twice per job. Here a configuration
is composed once per choice of groups; seeds and other plain values are then set in it, which gives the same result, for
value overrides are what composition applies last. Command lines that ask Hydra for more (--help, --cfg, other sweepers
or launchers) are left to Hydra.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from hpo.backends.choice import backend_of
from hpo.config.mistakes import unknown_key
from hpo.config.references import keep
from hpo.config.schema import BACKENDS, CONF_DIR, BenchmarkConfig, ExperimentConfig, MethodConfig
from hpo.config.yamlfiles import quoted
from hpo.errors import ConfigError
from hpo.launchers.base import Job

_LEFT_TO_HYDRA = (
    "hydra/",
    "hydra.mode",
    "hydra.sweeper",
    "hydra.searchpath",
    "hydra.run",
    "hydra.job",
    "~hydra",
    "+hydra",
)


def typed(config: DictConfig) -> ExperimentConfig:
    """What Hydra composed under our schema, as the objects it describes; its own `hydra` key is left out."""
    _check_keys(config)
    _keep_references(config)
    values = {str(name): config[name] for name in config if name != "hydra"}
    plain: dict[str, Any] = {k: OmegaConf.to_object(v) if OmegaConf.is_config(v) else v for k, v in values.items()}
    made = ExperimentConfig(**plain)
    if set(made.backend) - {"name", "_target_"} and made.backend_target in BACKENDS.values():
        backend_of(made)  # a key that it does not take
    return made


def _check_keys(config: DictConfig) -> None:
    """Raise ConfigError for a key that `+key=value` has added and nothing reads."""
    schema = {"": ExperimentConfig, "benchmark.": BenchmarkConfig, "method.": MethodConfig}
    for prefix, kind in schema.items():
        names = [field.name for field in fields(kind)]
        node = config[prefix[:-1]] if prefix else config
        for name in map(str, node):
            if name not in names and (prefix or name != "hydra"):
                raise ConfigError(unknown_key(prefix + name, names))


def _keep_references(config: DictConfig) -> None:
    """What programs and callbacks are given from the environment is not resolved here: the configuration is stored."""
    for parent, name in ((config.benchmark, "arguments"), (config, "callbacks")):
        node = parent.get(name)
        if OmegaConf.is_config(node):
            parent[name] = keep(OmegaConf.to_container(node))


def is_plain(arguments: Sequence[str]) -> bool:
    """Is this a command line that `jobs` composes as Hydra would?"""
    options, overrides = _split(arguments)
    return options is not None and not any(word.startswith(_LEFT_TO_HYDRA) for word in overrides)


def jobs(arguments: Sequence[str]) -> Iterator[Job]:
    """The experiments of a command line, in the order of its sweeps, the last varying fastest.

    Raises:
        HydraException: an override or a choice is wrong.
        ConfigError: a sweep is empty.
    """
    config_dirs, overrides = _split(arguments)
    if config_dirs:
        overrides = [*overrides, f"hydra.searchpath=[{','.join(_quoted(folder) for folder in config_dirs)}]"]
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        yield from _Composer(GlobalHydra.instance().config_loader(), overrides).jobs()


def _split(arguments: Sequence[str]) -> tuple[list[str] | None, list[str]]:
    """(user's configuration folders, overrides); (None, …) when there are options that only Hydra knows."""
    folders: list[str] = []
    overrides: list[str] = []
    words = iter(arguments)
    for word in words:
        name, _, value = word.partition("=")
        if name in ("--config-dir", "-cd"):
            folders.append(value or next(words, ""))
        elif word in ("-m", "--multirun"):
            continue
        elif word.startswith("-"):
            return None, []
        else:
            overrides.append(word)
    return folders, overrides


def _quoted(folder: str) -> str:
    path = Path(folder).expanduser().absolute()
    if not path.is_dir():
        raise ConfigError(f"--config-dir {folder}: there is no such directory")
    return quoted(f"file://{path}")  # Hydra takes search paths as they are


@dataclass
class _Composer:
    loader: ConfigLoader
    words: Sequence[str]
    _composed: dict[tuple[str, ...], DictConfig] = field(default_factory=dict)
    _groups: dict[str, bool] = field(default_factory=dict)

    def jobs(self) -> Iterator[Job]:
        given = self._parse(self.words)
        head = self._compose([_text(override) for override in given if not override.is_sweep_override()])
        params: Any = OmegaConf.to_container(head.hydra.sweeper.params, resolve=True)
        defaults = self._parse([f"{key!s}={value}" for key, value in params.items()])
        chosen = {override.get_key_element(): override for override in [*defaults, *given]}
        yield from map(self._job, itertools.product(*map(self._axis, chosen.values())))

    def _parse(self, words: Sequence[str]) -> list[Override]:
        parsed: list[Override] = OverridesParser.create(config_loader=self.loader).parse_overrides(list(words))
        return parsed

    def _axis(self, override: Override) -> list[tuple[Override, str, Any]]:
        """(override, value as text, value) of everything an override runs through."""
        if not override.is_sweep_override():
            return [(override, override.get_value_element_as_str(), None)]
        if not override.is_discrete_sweep():
            raise ConfigError(f"{override.key_or_group}: an interval is no list of values; use a,b,c or range(…)")
        if not (values := list(zip(override.sweep_string_iterator(), override.sweep_iterator(), strict=True))):
            hint = "; start_seed must be below num_seeds" if override.key_or_group == "seed" else ""
            raise ConfigError(f"{override.key_or_group}={override.get_value_string()}: there is no value in this{hint}")
        return [(override, text, value) for text, value in values]

    def _job(self, combination: Sequence[tuple[Override, str, Any]]) -> Job:
        composed, later = [], []
        for override, text, value in combination:
            plain = override.is_sweep_override() and not override.is_add() and not override.is_delete()
            if plain and not self._is_group(override.key_or_group):
                later.append((override.key_or_group, value))
            else:
                composed.append(_text(override, text))
        config = self._compose(composed)
        for key, value in later:
            OmegaConf.update(config, key, value)
        HydraConfig.instance().set_config(config)  # for ${hydra:…} in a user's YAML
        sweep_dir = Path(config.hydra.sweep.dir)
        return Job(typed(config), (sweep_dir / config.hydra.sweep.subdir).absolute(), sweep_dir)

    def _is_group(self, name: str) -> bool:
        if name not in self._groups:  # Hydra takes 20 ms for an answer
            self._groups[name] = bool(self.loader.get_group_options(name))
        return self._groups[name]

    def _compose(self, overrides: Sequence[str]) -> DictConfig:
        key = tuple(sorted(overrides))
        if key not in self._composed:
            self._composed[key] = compose("config", list(overrides), return_hydra_config=True)
        return self._composed[key]


def _text(override: Override, value: str | None = None) -> str:
    """An override as it is written on a command line."""
    if override.is_delete():
        return str(override.input_line)
    text: str = override.get_value_element_as_str() if value is None else value
    return f"{override.get_key_element()}={text}"
