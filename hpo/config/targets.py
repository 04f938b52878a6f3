"""Classes that a configuration names by `_target_`. Only hpo and modules that the user trusts are imported."""

import functools
import importlib
import importlib.util
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hpo.config.hydra_versions import allowing
from hpo.config.schema import ExperimentConfig
from hpo.errors import ConfigError, HPOError, did_you_mean


def parameters_of(key: str, factory: Callable[..., Any]) -> set[str]:
    """Return the argument names that a factory accepts, those of base classes included if it passes **options on.

    Raises:
        ConfigError: The `_target_` is given an argument that it does not have.
    """
    try:
        names: set[str] = set()
        target = getattr(factory, "func", factory)
        bases: Sequence[Callable[..., Any]] = target.__mro__[1:] if isinstance(target, type) else ()
        for part in (factory, *bases):
            parameters = inspect.signature(part).parameters
            names |= {name for name, p in parameters.items() if p.kind != p.VAR_KEYWORD}
            if not any(p.kind == p.VAR_KEYWORD for p in parameters.values()):
                break
        return names
    except (TypeError, ValueError) as error:  # the target is given an argument that it does not have
        raise ConfigError(f"{key}: {error}; check the names beside its _target_") from error


def factory_of(key: str, spec: Any, trusted: Sequence[str], kinds: tuple[type, ...]) -> Callable[..., Any]:
    """Return the class that a `_target_` names, with its arguments bound. Only hpo and trusted modules are imported.

    Args:
        key: Configuration key of the `_target_`, for messages.
        spec: The `_target_` and its arguments, which may contain further targets.
        trusted: Modules from which anything may be named.
        kinds: Base classes; a class of hpo may be named only if it derives from one of them.

    Raises:
        ConfigError: The target does not exist or is not allowed.
    """
    if not isinstance(spec, Mapping) or not isinstance(spec.get("_target_"), str):
        raise ConfigError(f"{key}: it needs a _target_, the class to make it from, such as hpo.schedulers.ASHA")
    _check_targets(key, spec, trusted, kinds)
    if (made := _of_hpo_alone(spec)) is not None:
        return made
    from hydra.errors import HydraException
    from hydra.utils import instantiate

    try:
        factory: Callable[..., Any] = instantiate({**spec, "_partial_": True}, **allowing(set(_targets_in(spec))))
    except (HydraException, TypeError, ValueError) as error:  # of its keys, such as _recursive_
        raise ConfigError(f"{key}._target_={spec['_target_']}: {str(error).splitlines()[0]}") from error
    return factory


def _of_hpo_alone(spec: Mapping[str, Any]) -> Callable[..., Any] | None:
    """Return a class of hpo with its plain arguments bound, without importing Hydra; None if only Hydra can do it."""
    arguments = {name: value for name, value in spec.items() if name not in ("_target_", "_partial_")}
    module, _, name = str(spec["_target_"]).rpartition(".")
    if not _inside(module, "hpo") or not all(_is_plain(name, value) for name, value in arguments.items()):
        return None
    try:
        kind = getattr(importlib.import_module(module), name, None)
    except ImportError:  # Hydra then raises an error that says what is wrong
        return None
    return functools.partial(kind, **arguments) if isinstance(kind, type) else None


def _is_plain(name: Any, value: Any) -> bool:
    """Whether Hydra would pass an argument on unchanged. It wraps lists and mappings and interprets some names."""
    if not isinstance(name, str) or name.startswith("_"):
        return False
    return value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and "${" not in value)


def _check_targets(key: str, spec: Any, trusted: Sequence[str], kinds: tuple[type, ...]) -> None:
    """Raise ConfigError unless every `_target_` in `spec` is in a trusted module or a class of hpo of these kinds."""
    if isinstance(spec, Mapping):
        target = spec.get("_target_")
        if target is not None and not any(_inside(str(target), module) for module in trusted):
            _check_own(key, str(target), kinds)
        for name, value in spec.items():
            _check_targets(f"{key}.{name}", value, trusted, kinds)
    elif isinstance(spec, list | tuple):
        for value in spec:
            _check_targets(key, value, trusted, kinds)


def _targets_in(spec: Any) -> Iterator[str]:
    """Yield every `_target_` of a specification, nested ones too."""
    if isinstance(spec, Mapping):
        if isinstance(target := spec.get("_target_"), str):
            yield target
        spec = list(spec.values())
    if isinstance(spec, list | tuple):
        for value in spec:
            yield from _targets_in(value)


def _check_own(key: str, target: str, kinds: tuple[type, ...]) -> None:
    """Raise ConfigError unless `target` is a class that hpo defines and that derives from one of `kinds`.

    The prefix `hpo.` proves little: every module that hpo imports can be reached under such a name.
    """
    if not re.fullmatch(r"[\w.]+", target):
        raise ConfigError(f"{key}._target_={target[:200]!r}: it is not the name of a class")
    if not _inside(target, "hpo"):
        module = target.partition(".")[0]
        raise ConfigError(
            f"{key}._target_={target}: it is not in hpo; to allow it, pass trusted_modules=[{module}], or --trust {module} "
            f"to a command that reads a stored experiment"
        )
    module, _, name = target.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        raise ConfigError(f"{key}._target_={target}: {error}") from error
    if not (isinstance(found, type) and issubclass(found, kinds) and _inside(found.__module__, "hpo")):
        wanted = " or ".join(kind.__name__.lower() for kind in dict.fromkeys(kinds))
        raise ConfigError(f"{key}._target_={target}: hpo has no {wanted} of this name")


def _inside(target: str, module: str) -> bool:
    return module == "" or target.startswith(f"{module}.")


_CONTEXT = {
    "self",
    "searcher",
    "space",
    "randomness",
    "max_resource",
    "points_to_evaluate",
    "aims",
    "config",
    "directory",
}
"""Names of arguments that hpo itself passes to a target, and that a configuration cannot set."""


def target_error_as_sentence(error: HPOError, config: ExperimentConfig) -> str:
    """Return the message for an experiment that could not be constructed: about its `_target_`, else the error's own."""
    specs = {
        "method.searcher": config.method.searcher,
        "method.scheduler": config.method.scheduler,
        "launcher": config.launcher,
        "backend": config.backend,
        **{f"callbacks.{name}": spec for name, spec in config.callbacks.items()},
    }
    for key, spec in specs.items():
        target = spec.get("_target_") if isinstance(spec, Mapping) else None
        if isinstance(target, str) and str(error).startswith((key, key.partition(".")[0] + ":")):
            trusted = any(_inside(target, module) for module in config.trusted_modules)
            if trusted or _inside(target, "hpo"):
                return _wrong_target(key, target, trusted) or _wrong_argument(key, spec, target, error) or str(error)
    return str(error)


def _wrong_target(key: str, target: str, trusted: bool) -> str:
    """Return what is wrong with the name of a `_target_`; empty if the name is right."""
    module, _, name = target.rpartition(".")
    top = target.partition(".")[0]
    if trusted and importlib.util.find_spec(top) is None:
        return (
            f"{key}._target_={target}: cannot import {top} (trusted_modules): is its folder on PYTHONPATH? For example "
            f"PYTHONPATH=. hpo ..."
        )
    try:
        made = importlib.import_module(module)
    except Exception as error:  # importing a user's module may raise anything
        return f"{key}._target_={target}: importing {module} fails ({type(error).__name__}: {error})" if trusted else ""
    if not hasattr(made, name):
        classes = [other for other in vars(made) if isinstance(getattr(made, other), type)]
        return f"{key}._target_={target}: {module} has no {name}" + did_you_mean(name, classes)
    return ""


def _wrong_argument(key: str, spec: Mapping[str, Any], target: str, error: HPOError) -> str:
    """Return what is wrong with the arguments of an importable `_target_`; empty if they are right."""
    if "argument" not in str(error):
        return ""
    module, _, name = target.rpartition(".")
    try:
        takes = sorted(parameters_of(key, getattr(importlib.import_module(module), name)) - _CONTEXT)
    except HPOError:
        return ""
    for word, value in spec.items():
        if not str(word).startswith("_") and word not in {*takes, *_CONTEXT}:
            others = f"; it takes {', '.join(takes) or 'none'}"
            return f"{key}.{word}={value}: {name} has no such argument" + did_you_mean(word, takes, others)
    return ""
