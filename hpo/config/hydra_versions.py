"""Differences between Hydra 1.3 with OmegaConf 2.3 and Hydra 1.4 with OmegaConf 2.4: this module alone knows them.

It does not import Hydra, which takes its time. Each version of Hydra requires its version of OmegaConf.
"""

import contextlib
import functools
from collections.abc import Callable, Collection, Iterator
from typing import IO, Any

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf, __version__
from omegaconf.errors import OmegaConfBaseException, ValidationError

IS_1_4 = tuple(int(part) for part in __version__.split(".")[:2]) >= (2, 4)
"""Whether these are Hydra 1.4 and OmegaConf 2.4, or later ones."""

VERSION_BASE: dict[str, str] = {} if IS_1_4 else {"version_base": "1.3"}
"""Arguments for `hydra.main` and `hydra.initialize`: 1.4 has one behaviour, and warns if another is asked for."""

REPLACE: dict[str, Any] = {"replace": True} if IS_1_4 else {}
"""Argument for `ConfigStore.store` where a configuration of that name may be stored already; 1.3 replaces it in any case."""


def register_resolver(name: str, function: Callable[..., Any], *, use_cache: bool = False) -> None:
    """Define what `${name:...}` stands for, in place of an earlier definition."""
    register = getattr(OmegaConf, "register_resolver" if IS_1_4 else "register_new_resolver")
    register(name, function, use_cache=use_cache, replace=True)


def parse_yaml(stream: IO[str]) -> Any:
    """Parse YAML as OmegaConf does, in C if PyYAML has that parser: seven times as fast, which 2.4 does by itself.

    Raises:
        yaml.YAMLError: The text is not valid YAML.
    """
    if IS_1_4:
        return OmegaConf.load(stream)
    content = yaml.load(stream, Loader=_loader())
    return OmegaConf.create({} if content is None else content)


@functools.cache
def _loader() -> Any:
    """Return the class of OmegaConf 2.3's YAML loader, on the parser in C if there is one."""
    from omegaconf import _utils

    reader: Any = getattr(_utils, "get_yaml_loader")()  # noqa: B009  2.4 does not have it
    if not hasattr(yaml, "CSafeLoader"):
        return reader

    class Loader(yaml.CSafeLoader, reader):  # type: ignore[misc]
        """Parses in C, and makes values as OmegaConf does."""

    return Loader


def allowing(targets: Collection[str]) -> dict[str, Any]:
    """Return the arguments with which `hydra.utils.instantiate` makes these targets and no others.

    Hydra 1.4 has a whitelist for that; 1.3 makes whatever is named, so that callers check the names before.
    """
    return {"_execution_whitelist_": sorted(targets)} if IS_1_4 else {}


@contextlib.contextmanager
def naming_keys(config: DictConfig | ListConfig) -> Iterator[None]:
    """Name the key in errors about a configuration, on both versions.

    OmegaConf 2.4 checks the value that an interpolation gives a mapping or a list but names no key; 2.3 does not check it.

    Raises:
        OmegaConfBaseException: As raised inside, or in its place one with the key.
    """
    try:
        yield
    except OmegaConfBaseException as error:
        if not isinstance(error.full_key, str) or not error.full_key:
            for key, text in _misplaced(config):
                located = ValidationError(str(error.msg))
                located.full_key, located.value = key, text
                raise located from None
        raise


def _misplaced(config: DictConfig | ListConfig) -> Iterator[tuple[str, Any]]:
    """Yield keys that should have a mapping or a list and stand for something else, each with its text."""
    for key in range(len(config)) if isinstance(config, ListConfig) else list(config):
        node = config._get_node(key)
        if not isinstance(node, DictConfig | ListConfig):
            continue
        if not node._is_interpolation():
            yield from _misplaced(node) if not node._is_none() and not node._is_missing() else ()
            continue
        try:
            value = config[key]
        except OmegaConfBaseException:
            value = None
        if not OmegaConf.is_config(value):
            yield str(config._get_full_key(key)), node._value()
