"""Composing the experiments of a command line with Hydra's compose API: the result of its multirun, in less time.

Hydra's own multirun composes the configuration three times before the first job and twice per job. Here a configuration
is composed once per choice of groups; seeds and other plain values are then set in it, which gives the same result,
because composition applies value overrides last. Command lines that ask Hydra to show something (--help, --info) are
left to Hydra.
"""

import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, read_write

from hpo.backends.backend_choice import backend_of
from hpo.config.composing import Composer, composing
from hpo.config.config_folders import check_folder
from hpo.config.default_method import default_methods
from hpo.config.environment_references import keep_references
from hpo.config.hydra_errors import emptied, unknown_key
from hpo.config.hydra_versions import naming_keys
from hpo.config.objectives import with_first
from hpo.config.schema import BACKENDS, BenchmarkConfig, ExperimentConfig, MethodConfig
from hpo.config.yaml_files import quoted
from hpo.errors import ConfigError
from hpo.launchers.base import Job
from hpo.space.sweeper_syntax import parse_sweeper_expression


def typed(config: DictConfig) -> ExperimentConfig:
    """Convert a composed configuration to its typed form, without Hydra's own key."""
    with naming_keys(config):
        _check_keys(config)
        keep_references(config)
        values = {str(name): config[name] for name in config if name != "hydra"}
        values["benchmark"] = with_first(values["benchmark"])
        plain: dict[str, Any] = {k: OmegaConf.to_object(v) if OmegaConf.is_config(v) else v for k, v in values.items()}
    made = ExperimentConfig(**plain)
    if set(made.backend) - {"name", "_target_"} and made.backend_target in BACKENDS.values():
        backend_of(made)  # raises for an unknown key
    return made


def _check_keys(config: DictConfig) -> None:
    """Raise ConfigError for a key that `+key=value` added and nothing reads."""
    schema = {"": ExperimentConfig, "benchmark.": BenchmarkConfig, "method.": MethodConfig}
    for prefix, kind in schema.items():
        names = [field.name for field in fields(kind)]
        node = config[prefix[:-1]] if prefix else config
        for name in map(str, node):
            if name not in names and (prefix or name != "hydra"):
                raise ConfigError(unknown_key(prefix + name, names))


_NOT_OURS = {
    "hydra/sweeper": "hpo searches by its methods: choose one by method=…, such as method=BO",
    "hydra/launcher": "hpo has its own, launcher=slurm (a job per experiment), backend=slurm (jobs for its trials) and "
    "launcher=sagemaker; n_workers is how many trials run at once",
}
_THEIRS = {
    "submitit_slurm": "hpo's is launcher=slurm, a job per experiment, or backend=slurm, jobs for its trials",
    "submitit_local": "experiments run here in turn; n_workers is how many trials run at a time",
    "joblib": "experiments run here in turn; n_workers is how many trials run at a time",
    "ray": "hpo has none for that yet",
}
"""Hydra launchers that hpo does not support, and what to use instead."""


def check_hydra(settings: DictConfig) -> None:
    """Raise ConfigError for Hydra settings that hpo does not support."""
    if settings.mode != RunMode.MULTIRUN:
        raise ConfigError("hydra.mode=RUN: leave it out; a command with one method and one seed is one experiment")
    if settings.verbose:
        logging.getLogger("hpo").setLevel(logging.DEBUG)
    for key, remedy in (
        ("callbacks", "hpo calls none of Hydra's; give callbacks.NAME._target_=… of hpo's own kind"),
        ("output_subdir", "nothing is written there; each experiment's directory has its experiment.yaml"),
        ("job.env_set", "no variable is set by it; set it before the command, and trials have it"),
    ):
        if OmegaConf.select(settings, key):
            raise ConfigError(f"hydra.{key}={OmegaConf.select(settings, key)}: {remedy}")


def is_plain(arguments: Sequence[str]) -> bool:
    """Whether `jobs` can compose a command line as Hydra would."""
    return _split(arguments)[0] is not None


def jobs(arguments: Sequence[str]) -> Iterator[Job]:
    """Yield the experiments of a command line, in the order of its sweeps; the last sweep varies fastest.

    Raises:
        HydraException: An override or a choice is wrong.
        ConfigError: A sweep is empty.
    """
    _, overrides = _split(arguments)
    with composing(places_of(arguments)) as composer:
        yield from _Sweep(composer, [word for word in overrides if not word.startswith(_SEARCH_PATH)]).jobs()


_SEARCH_PATH = "hydra.searchpath="


def places_of(arguments: Sequence[str]) -> list[str]:
    """Return the entries that a command line adds to Hydra's search path.

    Raises:
        ConfigError: An entry does not exist.
    """
    folders, overrides = _split(arguments)
    places = [f"file://{check_folder(f'--config-dir {folder}', folder)}" for folder in folders or ()]
    return [*places, *(place for word in overrides for place in _searched(word))]


def _searched(word: str) -> list[str]:
    """Return the entries that an override adds to Hydra's search path."""
    if not word.startswith(_SEARCH_PATH):
        return []
    value = OverridesParser.create().parse_overrides([word])[0].value()
    if not isinstance(value, list) or not all(isinstance(place, str) for place in value):
        raise ConfigError(
            f"{word}: it is a list of places, such as '{_SEARCH_PATH}[file:///home/me/conf,pkg://lab.conf]'"
        )
    return value


def _split(arguments: Sequence[str]) -> tuple[list[str] | None, list[str]]:
    """Return (user's configuration folders, overrides); (None, …) if there are options that only Hydra knows."""
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


@dataclass
class _Sweep:
    composer: Composer
    words: Sequence[str]

    def jobs(self) -> Iterator[Job]:
        given = self.composer.parse(self.words)
        for override in given:
            self._check_choice(override)
        swept = {override.key_or_group for override in given if override.is_sweep_override()}
        # If a group has several choices, or none yet, an override of a value inside it is applied per choice.
        apart = {f"{key}." for key in swept if self.composer.is_group(key)} | {"method."}
        fixed = [override for override in given if not override.is_sweep_override()]
        head = self.composer.compose([_text(o) for o in fixed if not o.key_or_group.startswith(tuple(apart))])
        check_hydra(head.hydra)
        params: Any = OmegaConf.to_container(head.hydra.sweeper.params, resolve=True)
        chosen = {f"{key!s}": f"{key!s}={value}" for key, value in params.items()}
        differ = False
        if head.hydra.runtime.choices.get("method") is None and "method" not in {o.key_or_group for o in given}:
            # In a sweep over benchmarks some may be single-objective and others multi-objective.
            differ = any(key == "benchmark" or key.startswith("benchmark.objectives") for key in swept)
            answers = [False, True] if differ else [bool(head.benchmark.objectives)]
            ours = dict.fromkeys(name for answer in answers for name in default_methods(several=answer))
            chosen = {"method": f"method={','.join(ours)}", **chosen}
        defaults = self.composer.parse(list(chosen.values()))
        axes = {override.get_key_element(): override for override in [*defaults, *given]}
        axes = {
            **({"method": axes["method"]} if "method" in axes else {}),
            **axes,
        }  # keep the seeds of a method together
        number = 0
        for combination in itertools.product(*map(self._axis, axes.values())):
            job = self._job(combination, number)
            several = bool(job.config.benchmark.objectives)
            if not differ or combination[0][1] in default_methods(several=several):  # the first axis is the method
                number += 1
                yield job

    def _check_choice(self, override: Override) -> None:
        """Raise ConfigError for a choice of a group that Hydra would read differently than it looks."""
        group, value = override.key_or_group, override.value()
        if group in _NOT_OURS and value != "basic":
            raise ConfigError(f"{override.input_line}: {_NOT_OURS[group]}")
        if group == "launcher" and (near := _THEIRS.get(str(value))) is not None:
            raise ConfigError(f"launcher={value}: that is one of Hydra's launchers; {near}")
        if group.startswith("hydra.run"):
            raise ConfigError(
                f"{override.input_line}: experiments lie below hydra.sweep.dir; set that, or experiment_tag"
            )
        if isinstance(value, list) and "." not in group and not override.is_delete() and self.composer.is_group(group):
            names = ",".join(map(str, value))
            raise ConfigError(f"{group}=[{names}]: to run each of them, write {group}={names}")

    def _axis(self, override: Override) -> list[tuple[Override, str, Any]]:
        """Return (override, value as text, value) for each value of an override's sweep."""
        if not override.is_sweep_override():
            return [(override, override.get_value_element_as_str(), None)]
        if override.key_or_group.startswith("benchmark.config_space.") and parse_sweeper_expression(
            override.get_value_string()
        ):
            text = override.get_value_string()  # perhaps a domain in another sweeper's syntax
            return [(override, quoted(text), text)]
        if not override.is_discrete_sweep():
            raise ConfigError(f"{override.key_or_group}: an interval is no list of values; use a,b,c or range(…)")
        if not (values := list(zip(override.sweep_string_iterator(), override.sweep_iterator(), strict=True))):
            hint = "; start_seed must be below num_seeds" if override.key_or_group == "seed" else ""
            raise ConfigError(f"{override.key_or_group}={override.get_value_string()}: there is no value in this{hint}")
        return [(override, text, value) for text, value in values]

    def _job(self, combination: Sequence[tuple[Override, str, Any]], number: int) -> Job:
        composed, later = [], []
        for override, text, value in combination:
            plain = override.is_sweep_override() and not override.is_add() and not override.is_delete()
            if plain and not self.composer.is_group(override.key_or_group):
                later.append((override.key_or_group, value))
            else:
                composed.append(_text(override, text))
        config = self.composer.compose(composed)
        for override, _, value in combination:
            given = value if override.is_sweep_override() else override.value()
            key = override.key_or_group
            if given == {} and (sentence := emptied(key, given, OmegaConf.select(config, key))):
                raise ConfigError(sentence)
        for key, value in later:
            domain = _conditional(OmegaConf.select(config, key), value)
            OmegaConf.update(config, key, value if domain is None else domain, merge=domain is None)
        with read_write(config.hydra), read_write(config.hydra.runtime):
            config.hydra.job.num, config.hydra.job.id = number, str(number)
            HydraConfig.instance().set_config(config)  # for ${hydra:…} in a user's YAML; it keeps a copy
            sweep_dir = Path(config.hydra.sweep.dir)
            output_dir = (sweep_dir / config.hydra.sweep.subdir).absolute()
            config.hydra.runtime.output_dir = str(output_dir)
            copied: Any = HydraConfig.get().runtime
            with read_write(copied):
                copied.output_dir = str(output_dir)
        return Job(typed(config), output_dir, sweep_dir)


def _conditional(before: Any, value: Any) -> dict[str, Any] | None:
    """Return a domain given as text with the conditions of the domain that it replaces; None if it has none."""
    spec = parse_sweeper_expression(value) if isinstance(value, str) else None
    if spec is None or not isinstance(before, DictConfig) or "when" not in before:
        return None
    return {**spec, **{key: before[key] for key in ("when", "otherwise", "argument") if key in before}}


def _text(override: Override, value: str | None = None) -> str:
    """Return an override as it is written on a command line."""
    if override.is_delete():
        return str(override.input_line)
    text: str = override.get_value_element_as_str() if value is None else value
    return f"{override.get_key_element()}={text}"
