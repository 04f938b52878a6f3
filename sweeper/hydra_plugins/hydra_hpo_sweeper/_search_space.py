"""The hyperparameters of a search: swept overrides, mappings, and functions that suggest values to a trial."""

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.errors import CompactHydraException
from hydra_plugins.hydra_hpo_sweeper._domains import domain_of, is_plain, name_of, texts_of
from omegaconf import DictConfig

from hpo.config.yaml_files import override_text
from hpo.errors import did_you_mean

_KINDS = ("float", "int", "categorical")
_BOUNDS = ("low", "high", "log", "step")


@dataclass(frozen=True)
class Hyperparameter:
    """A hyperparameter of the app."""

    name: str
    key: str
    """How its override begins: `lr`, `+lr`, `db@backup`."""
    domain: dict[str, Any]
    """As in a benchmark's `config_space`."""
    texts: Sequence[str]
    """Some of its values as overrides have them: all of a choice."""


def swept(override: Override) -> Hyperparameter:
    """Return the hyperparameter that a swept override is."""
    return Hyperparameter(name_of(override), override.get_key_element(), domain_of(override), texts_of(override))


def read_space(space: Mapping[str, Any]) -> list[Hyperparameter]:
    """Return the hyperparameters of `hydra.sweeper.search_space`, each written as Optuna's distributions or as hpo's domains.

    Raises:
        CompactHydraException: One cannot be read.
    """
    return [_read(str(key), spec) for key, spec in space.items()]


def _read(key: str, spec: Any) -> Hyperparameter:
    where = f"hydra.sweeper.search_space.{key}"
    if not isinstance(spec, Mapping):
        raise CompactHydraException(
            f"{where}={spec}: write a mapping, such as {{type: float, low: 0.1, high: 1}}; texts such as interval(0.1, 1) "
            "belong to hydra.sweeper.params"
        )
    if {"choices", "low", "high"} & set(spec):
        domain = _distribution(where, spec)
    else:
        domain = {str(name): value for name, value in spec.items()}
    name = key.lstrip("+")
    if name != key:
        domain["argument"] = key
    values = domain.get("values")
    if not isinstance(values, list):
        return Hyperparameter(name, key, domain, [str(domain.get("lower"))])
    texts = [override_text(value) for value in values]
    if not all(map(is_plain, values)):
        domain = {**domain, "values": texts, "argument": f"{key}="}
    return Hyperparameter(name, key, domain, texts)


def _distribution(where: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the domain that a distribution of Optuna's is."""
    kind = str(getattr(spec.get("type"), "name", spec.get("type")))
    if kind not in _KINDS:
        raise CompactHydraException(
            f"{where}.type={kind}: use float, int or categorical" + did_you_mean(kind, list(_KINDS))
        )
    known = ("choices",) if kind == "categorical" else _BOUNDS
    kept = {name: value for name, value in spec.items() if name != "type" and value is not None}
    for name in kept:
        if name not in known:
            raise CompactHydraException(
                f"{where}.{name}={kept[name]}: a hyperparameter of type {kind} has {', '.join(known)}"
            )
    if kind == "categorical":
        if not isinstance(kept.get("choices"), list) or not kept["choices"]:
            raise CompactHydraException(
                f"{where}.choices={kept.get('choices')}: write a list of values, such as [a, b]"
            )
        return {"type": "choice", "values": kept["choices"]}
    for name in ("low", "high"):
        if isinstance(kept.get(name), bool) or not isinstance(kept.get(name), int | float):
            raise CompactHydraException(f"{where}.{name}={kept.get(name)}: write a number")
    low, high, step = kept["low"], kept["high"], kept.get("step")
    domain = {"type": kind, "lower": low, "upper": high}
    if kept.get("log"):
        return {**domain, "log": True}
    if step is None or (kind == "int" and step == 1):
        return domain
    if isinstance(step, int | float) and step > 0:  # as Optuna, up to the last multiple
        high = low + math.floor((high - low) / step + 1e-9) * step
    return {**domain, "upper": high, "step": step}


class _Recorder:
    """A trial as a function of `custom_search_space` sees it: what is suggested is noted and nothing can be read."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.space: dict[str, dict[str, Any]] = {}

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> "_Suggested":
        return self._note(name, {"type": "float", "low": float(low), "high": float(high), "step": step, "log": log})

    def suggest_int(self, name: str, low: int, high: int, step: int = 1, log: bool = False) -> "_Suggested":
        return self._note(name, {"type": "int", "low": low, "high": high, "step": step, "log": log})

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> "_Suggested":
        return self._note(name, {"type": "categorical", "choices": list(choices)})

    def suggest_uniform(self, name: str, low: float, high: float) -> "_Suggested":
        return self.suggest_float(name, low, high)

    def suggest_loguniform(self, name: str, low: float, high: float) -> "_Suggested":
        return self.suggest_float(name, low, high, log=True)

    def suggest_discrete_uniform(self, name: str, low: float, high: float, q: float) -> "_Suggested":
        return self.suggest_float(name, low, high, step=q)

    def _note(self, name: str, spec: dict[str, Any]) -> "_Suggested":
        self.space[name] = spec
        return _Suggested(self._name, name)

    def __getattr__(self, attribute: str) -> Any:
        raise depends(self._name, f"trial.{attribute}")


class _Suggested:
    """A value that is not known yet; whatever looks at it makes the search space depend on it."""

    def __init__(self, function: str, hyperparameter: str) -> None:
        self.__dict__.update(function=function, hyperparameter=hyperparameter)

    def _refuse(self, *_: Any) -> Any:
        raise depends(self.__dict__["function"], f"the value of {self.__dict__['hyperparameter']}")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __float__ = __int__ = __index__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __neg__ = _refuse
    __getattr__ = __getitem__ = __iter__ = __len__ = __contains__ = __str__ = __format__ = _refuse
    __hash__ = None  # type: ignore[assignment]


def depends(name: str, on: str) -> CompactHydraException:
    """Return the error about a function whose suggestions depend on something that is known in a trial only."""
    return CompactHydraException(
        f"hydra.sweeper.custom_search_space={name}: it reads {on}, and hpo asks it once, before the first trial; write "
        "conditions as hydra.sweeper.search_space={momentum: {type: float, lower: 0, upper: 1, when: {optimizer: sgd}}}"
    )


def call_custom(name: str, config: DictConfig) -> dict[str, Any]:
    """Return the `search_space` that a function (config, trial) suggests.

    Raises:
        CompactHydraException: It cannot be imported, or suggests what depends on other suggestions.
    """
    module, _, attribute = name.rpartition(".")
    try:
        function: Callable[[DictConfig, _Recorder], None] = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise CompactHydraException(
            f"hydra.sweeper.custom_search_space={name}: {error}; write package.module.function, importable from where the "
            "app starts"
        ) from error
    recorder = _Recorder(name)
    function(config, recorder)
    return recorder.space
