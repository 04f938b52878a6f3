"""Composing configurations with Hydra: hpo's groups, the user's folders, and Hydra's search path.

Import this module only to compose a command line or a choice that is not built into hpo: importing Hydra takes time.
After composing, Hydra's global state is as before, because the process may be a Hydra application itself.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.errors import ConfigCompositionException, HydraException, OverrideParseException
from hydra.plugins.config_source import ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from hydra.version import VersionBase
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from hpo.config.config_folders import CONF_DIR
from hpo.config.hydra_errors import hydra_error_as_sentence, unreadable
from hpo.config.hydra_versions import REPLACE, VERSION_BASE
from hpo.config.schema import ExperimentConfig
from hpo.config.validation import wrong_tag
from hpo.config.yaml_files import one_line, quoted
from hpo.errors import ConfigError

_GIVEN = "hpo: places that were given"
_OF_HYDRA = ("hydra", "schema")
"""Hydra's own configuration sources (its files and its config store), in which hpo looks for no groups."""


class Composer:
    """Hydra's compose API over all folders that have configuration groups, with a cache of results.

    Args:
        loader: Hydra's configuration loader.
    """

    def __init__(self, loader: ConfigLoader) -> None:
        self.loader = loader
        self._composed: dict[tuple[str, ...], DictConfig] = {}
        self._groups: dict[str, bool] = {}
        self._clashes = dict(_clashes(loader.get_sources()))

    def parse(self, words: Sequence[str]) -> list[Override]:
        """Parse words of a command line as Hydra overrides."""
        parsed: list[Override] = OverridesParser.create(config_loader=self.loader).parse_overrides(list(words))
        return parsed

    def is_group(self, name: str) -> bool:
        """Whether a configuration group of this name exists."""
        if name not in self._groups:  # the loader would copy all sources before it answers
            sources = (source for source in self.loader.get_sources() if source.is_group(name))
            self._groups[name] = any(source.list(name, ObjectType.CONFIG) for source in sources)
        return self._groups[name]

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """Compose a configuration, Hydra's own key included. Equal overrides return the same object.

        Raises:
            HydraException: An override or a choice is wrong.
            ConfigError: Two folders have different files of the same name, and one of these is composed.
        """
        key = tuple(sorted(overrides))
        if key not in self._composed:
            if self._clashes:
                self._check(overrides)
            try:
                self._composed[key] = compose("config", list(overrides), return_hydra_config=True)
            except ValueError as error:  # about a defaults list, such as one with `optional: true`
                raise ConfigCompositionException(str(error)) from None
        return self._composed[key]

    def _check(self, overrides: Sequence[str]) -> None:
        """Raise ConfigError if a composed file hides a different file of the same name in another folder."""
        found = self.loader.compute_defaults_list("config", list(overrides), RunMode.RUN).defaults
        for path in (str(default.config_path).removesuffix(".yaml") for default in found):
            first, other = self._clashes.get(path, (None, None))
            if first is not None and other is not None and _content(first, path) != _content(other, path):
                group, _, name = path.rpartition("/")
                what = "the built-in " if first.provider == "main" else ""
                raise ConfigError(
                    f"{group}={name}: {_file(other, path)} has the name of {what}{_file(first, path)}, which would be "
                    "taken; rename it"
                )


def _clashes(sources: Sequence[ConfigSource]) -> Iterator[tuple[str, tuple[ConfigSource, ConfigSource]]]:
    """Yield each file name that several sources have, with the source that Hydra uses and one that it ignores."""
    sources = [source for source in sources if source.provider not in _OF_HYDRA]
    taken: dict[str, ConfigSource] = {}
    groups = [folder.name for folder in CONF_DIR.iterdir() if folder.is_dir()] if len(sources) > 1 else []
    for source in sources:
        for group in filter(source.is_group, groups):
            for name in source.list(group, ObjectType.CONFIG):
                path = f"{group}/{name}"
                first = taken.setdefault(path, source)
                if first is not source:
                    yield path, (first, source)


def _content(source: ConfigSource, path: str) -> Any:
    loaded = source.load_config(path)
    return loaded.header, OmegaConf.to_container(loaded.config)


def _file(source: ConfigSource, path: str) -> str:
    return f"{source.full_path().removeprefix('file://')}/{path}.yaml"


class _GivenPlaces(SearchPathPlugin):
    """Hydra plugin that adds the folders given to `composing` to the search path; otherwise it adds none."""

    places: ClassVar[Sequence[str]] = ()

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for place in self.places:
            search_path.append(_GIVEN, place)


@contextlib.contextmanager
def composing(places: Sequence[str] = ()) -> Iterator[Composer]:
    """Open a `Composer` over hpo's groups, those of packages with a Hydra plugin, and those of the given places.

    Args:
        places: Further entries of Hydra's search path, such as `file:///home/me/conf` and `pkg://lab.conf`.

    Raises:
        ConfigError: A place does not exist.
    """
    running, base = GlobalHydra.instance().hydra, VersionBase.instance().version_base
    store = ConfigStore.instance()
    theirs = store.repo.get("schema.yaml")
    GlobalHydra.instance().clear()
    store.store(name="schema", node=ExperimentConfig, **REPLACE)
    Plugins.instance().register(_GivenPlaces)
    _GivenPlaces.places = places
    try:
        with initialize_config_dir(str(CONF_DIR), **VERSION_BASE):
            loader = GlobalHydra.instance().config_loader()
            for source in loader.get_sources():
                if source.provider == _GIVEN and not source.available():
                    raise ConfigError(_no_such_place(source))
            yield Composer(loader)
    finally:
        _GivenPlaces.places = ()
        GlobalHydra.instance().hydra = running
        VersionBase.instance().version_base = base
        store.repo.pop("schema.yaml")
        if theirs is not None:
            store.repo["schema.yaml"] = theirs


def _no_such_place(source: ConfigSource) -> str:
    why = "there is no such directory"
    if source.scheme() == "pkg":
        why = (
            f"{source.path} is not a package with an __init__.py that this Python finds; install it, or set PYTHONPATH"
        )
    return f"hydra.searchpath={source.full_path()}: {why}"


def compose_plain(choices: Mapping[str, str], places: Sequence[str] = ()) -> dict[str, Any]:
    """Compose a whole configuration and return it as plain values; interpolations are not resolved.

    Args:
        choices: Choice of each group, by group name. A group that is not in hpo's defaults is added.
        places: Further entries of Hydra's search path, as for `composing`.

    Raises:
        ConfigError: A choice does not exist or cannot be composed.
    """
    for group, name in choices.items():
        if not name.isprintable():
            raise ConfigError(f"{group}={name!r}: there is no such {group}; give the name of a file in {group}/")
    ours = ("benchmark", "method", "backend", "launcher")
    words = [f"{'' if group in ours else '+'}{group}={quoted(name)}" for group, name in choices.items()]
    with hydra_errors_as_sentence(own_folder=bool(places), in_python=True), composing(places) as composer:
        content = OmegaConf.to_container(composer.compose(words))
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items() if key != "hydra"}


@contextlib.contextmanager
def hydra_errors_as_sentence(*, own_folder: bool, in_python: bool = False) -> Iterator[None]:
    """Convert exceptions of Hydra, OmegaConf and the YAML parser in the block into a ConfigError of one sentence.

    Args:
        own_folder: Whether the user gave folders of their own YAML files.
        in_python: Whether the configuration was given in Python and not on a command line.
    """
    try:
        yield
    except OverrideParseException as error:
        key, _, value = str(error.override).partition("=")
        readable = key != "experiment_tag" or value.startswith(("[", "{"))
        raise ConfigError(unreadable(error.override, error.message) if readable else wrong_tag(value)) from error
    except (HydraException, OmegaConfBaseException) as error:
        sentence = hydra_error_as_sentence(error, ExperimentConfig, own_folder=own_folder, in_python=in_python)
        raise ConfigError(sentence) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"a configuration file is not valid YAML: {one_line(error)}") from error
