"""Searcher and scheduler made from a method's YAML. Nothing outside hpo is imported unless the user trusts it."""

import importlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from omegaconf import OmegaConf

from hpo.config import ExperimentConfig, load_group
from hpo.errors import ConfigError
from hpo.randomness import Randomness
from hpo.schedulers.base import Scheduler
from hpo.searchers.base import Searcher
from hpo.space import SearchSpace, parse_space


def scheduler_of(config: ExperimentConfig) -> Scheduler:
    """The method of a resolved experiment, fresh.

    Raises:
        ConfigError: the method cannot be made as it is described, or the experiment has no random_seed.
    """
    if config.random_seed is None:
        raise ConfigError("random_seed=null: a stored experiment has one; write there what tag.json or hpo.log say")
    return _assemble(
        {"searcher": config.method.searcher, "scheduler": config.method.scheduler},
        {},
        config.space,
        config.randomness,
        max_resource=config.max_resource,
        points_to_evaluate=config.benchmark.points_to_evaluate,
        max_size_data_for_model=config.max_size_data_for_model,
        trusted=config.trusted_modules,
    )


def build_scheduler(
    method: str | Mapping[str, Any],
    config_space: Mapping[str, Any],
    *,
    max_resource: int | None,
    seed: int,
    random_seed: int = 0,
    points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
    **overrides: Any,
) -> Scheduler:
    """A method alone, to be asked `suggest()` and told `on_start(trial)` and `on_report(trial, resource, loss)`.

    Args:
        method: a name in conf/method, or what such a file contains.
        config_space: as in a benchmark's YAML.
        max_resource: the resource of a complete trial; None for methods that do not stop trials early.
        seed: seed number.
        random_seed: master seed.
        points_to_evaluate: the first configurations; None is the centre of the space.
        **overrides: arguments of the scheduler or the searcher, such as `reduction_factor=4`.

    Raises:
        ConfigError: a name or a value is wrong.
    """
    content = load_group("method", method) if isinstance(method, str) else OmegaConf.create(dict(method))
    parts = OmegaConf.to_container(content)
    assert isinstance(parts, dict)
    return _assemble(
        {part: parts.get(part) for part in ("searcher", "scheduler")},
        overrides,
        parse_space(config_space),
        Randomness(random_seed, seed),
        max_resource=max_resource,
        points_to_evaluate=points_to_evaluate,
        trusted=("",),
    )


def _assemble(
    parts: Mapping[str, Any],
    overrides: Mapping[str, Any],
    space: SearchSpace,
    randomness: Randomness,
    *,
    trusted: Sequence[str],
    **context: Any,
) -> Scheduler:
    """Searcher and scheduler from their YAML. Each gets from the context what its signature asks for."""
    factories = {
        part: factory_of(f"method.{part}", spec, trusted, (Searcher, Scheduler)) for part, spec in parts.items()
    }
    known = {part: parameters_of(f"method.{part}", factory) for part, factory in factories.items()}
    for name in overrides:
        if not any(name in names for names in known.values()):
            options = sorted({n for names in known.values() for n in names} - {"searcher", "space", "randomness"})
            raise ConfigError(f"{name}: neither searcher nor scheduler takes it; they take {', '.join(options)}")
    given = {
        part: {k: v for k, v in {**context, "randomness": randomness, **overrides}.items() if k in known[part]}
        for part in parts
    }
    try:
        searcher = factories["searcher"](space, **given["searcher"])
        scheduler = factories["scheduler"](searcher, **given["scheduler"])
    except TypeError as error:
        raise ConfigError(f"method: {error}; check the names under method.searcher and method.scheduler") from error
    if not isinstance(searcher, Searcher) or not isinstance(scheduler, Scheduler):
        raise ConfigError("method: searcher and scheduler must be subclasses of hpo's Searcher and Scheduler")
    return scheduler


def parameters_of(key: str, factory: Callable[..., Any]) -> set[str]:
    """The names that a factory takes; those that a class passes on to its base as **options are among them.

    Raises:
        ConfigError: an argument stands beside its `_target_` that it does not have.
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
    except (TypeError, ValueError) as error:  # an argument beside _target_ that it does not have
        raise ConfigError(f"{key}: {error}; check the names beside its _target_") from error


def factory_of(key: str, spec: Any, trusted: Sequence[str], kinds: tuple[type, ...]) -> Callable[..., Any]:
    """What a `_target_` names, with the arguments beside it. Only hpo and trusted modules are ever imported.

    Args:
        key: of the configuration, for messages.
        spec: the `_target_` and its arguments, in which others may be nested.
        trusted: modules of which anything may be named.
        kinds: the classes of hpo whose subclasses may be named here.

    Raises:
        ConfigError: it names something else, or nothing.
    """
    if not isinstance(spec, Mapping) or not isinstance(spec.get("_target_"), str):
        raise ConfigError(f"{key}: it needs a _target_, the class to make it from, such as hpo.schedulers.ASHA")
    _check_targets(key, spec, trusted, kinds)
    from hydra.errors import HydraException
    from hydra.utils import instantiate

    try:
        factory: Callable[..., Any] = instantiate({**spec, "_partial_": True})
    except (HydraException, TypeError, ValueError) as error:  # the latter for Hydra's own keys, such as _recursive_
        raise ConfigError(f"{key}._target_={spec['_target_']}: {str(error).splitlines()[0]}") from error
    return factory


def _check_targets(key: str, spec: Any, trusted: Sequence[str], kinds: tuple[type, ...]) -> None:
    """Raise ConfigError unless every `_target_` in `spec` lies in a trusted module, or is a class of hpo of these kinds."""
    if isinstance(spec, Mapping):
        target = spec.get("_target_")
        if target is not None and not any(_inside(str(target), module) for module in trusted):
            _check_own(key, str(target), kinds)
        for name, value in spec.items():
            _check_targets(f"{key}.{name}", value, trusted, kinds)
    elif isinstance(spec, list | tuple):
        for value in spec:
            _check_targets(key, value, trusted, kinds)


def _check_own(key: str, target: str, kinds: tuple[type, ...]) -> None:
    """Raise ConfigError unless `target` is a class that hpo defines for this.

    That it begins with `hpo.` says little: every module that hpo imports, and all that hpo can do, has such a name too.
    """
    if not re.fullmatch(r"[\w.]+", target):
        raise ConfigError(f"{key}._target_={target[:200]!r}: it is no name of a class")
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
