"""The choice of the backend that a configuration names: a class, by its `_target_`, and its options."""

from typing import Any

from hpo.backends.base import Backend
from hpo.config.hydra_errors import unknown_key
from hpo.config.schema import ExperimentConfig
from hpo.config.targets import factory_of, parameters_of
from hpo.errors import ConfigError
from hpo.store.directory import ExperimentDirectory

_NOT_OPTIONS = ("name", "_target_")


def backend_of(config: ExperimentConfig) -> tuple[type[Backend], dict[str, Any]]:
    """Return the backend's class, and the options that it is opened with.

    Raises:
        ConfigError: The class does not exist, is not trusted, or does not accept an option.
    """
    spec = {"_target_": config.backend_target}
    kind = getattr(factory_of("backend", spec, config.trusted_modules, (Backend,)), "func", None)
    if not (isinstance(kind, type) and issubclass(kind, Backend)):
        raise ConfigError(f"backend._target_={config.backend_target}: it is not a subclass of hpo's Backend")
    options = {str(key): value for key, value in config.backend.items() if key not in _NOT_OPTIONS}
    made_by_options = getattr(kind.open, "__func__", None) is getattr(Backend.open, "__func__", None)
    takes = set(kind.options or parameters_of("backend", kind if made_by_options else kind.open)) - {"config", "files"}
    for key in options:
        if key not in takes:
            raise ConfigError(unknown_key(f"backend.{key}", [*_NOT_OPTIONS, *sorted(takes)]))
    return kind, options


def check_backend(config: ExperimentConfig) -> None:
    """Raise ConfigError if the backend cannot run the experiment; starts nothing."""
    _check(backend_of(config)[0], config)


def _check(kind: type[Backend], config: ExperimentConfig) -> None:
    kind.check(config)
    if not config.copies_checkpoints:
        return
    how = f"method={config.method.name}: trials resume from copies of other trials' checkpoints"
    if config.simulated:
        raise ConfigError(
            f"{how}, and no table has trainings whose hyperparameters changed on the way; use backend=local, or another "
            f"method, such as ASHA"
        )
    if not kind.capabilities.copies_checkpoints:
        raise ConfigError(
            f"{how}, which {kind.__name__} cannot make; use backend=local, or another method, such as ASHA"
        )
    if config.objective.resource_attr is None:
        raise ConfigError(
            f"{how}, and where reports are only counted nobody can tell where a copy goes on; give benchmark.resource_attr, "
            f"or use another method, such as RS"
        )
    if config.benchmark.cost_attr is not None:
        raise ConfigError(
            f"benchmark.cost_attr={config.benchmark.cost_attr}: {how}, and with them continue from what those had cost, "
            f"which would count twice; set it to null"
        )
    if config.retry is not None:
        raise ConfigError(
            f"retry={config.retry.value}: {how}, and one that failed has been replaced by such a copy; remove retry"
        )


def check_devices(config: ExperimentConfig) -> None:
    """Raise ConfigError or BackendError if this machine lacks the devices that a trial of the experiment needs."""
    if backend_of(config)[0].capabilities.gpus_of_this_machine:
        from hpo.backends.gpus import pool_of_this_machine  # a simulation needs none

        pool_of_this_machine(config.num_gpus_per_trial or 0, config.gpus_to_use)


def open_backend(config: ExperimentConfig, files: ExperimentDirectory) -> Backend:
    """Open the backend of a session.

    Raises:
        ConfigError, BackendError: The backend is not available.
    """
    kind, options = backend_of(config)
    _check(kind, config)
    return kind.open(config, files, **options)
