"""One experiment, from its configuration to its results: `run_experiment`. And `build_scheduler`, a method alone."""

import contextlib
import inspect
import logging
import os
import platform
import secrets
import shutil
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hpo
from hpo.backends.base import Backend
from hpo.callbacks import Callback
from hpo.config import (
    BUDGET_KEYS,
    ExperimentConfig,
    differences,
    load_group,
    read_config,
    resolve,
    to_config,
    to_yaml,
)
from hpo.directory import ExperimentDirectory, write_atomically
from hpo.errors import ConfigError, HPOError, StoreError
from hpo.ownership import owned
from hpo.randomness import Randomness
from hpo.replay import restore
from hpo.results import objective_of, write_best, write_metadata, write_results
from hpo.schedulers.base import Scheduler
from hpo.searchers.base import Searcher
from hpo.space import SearchSpace, parse_space
from hpo.state import ExperimentState
from hpo.stopping import Budget
from hpo.store import Store
from hpo.trial import Kind
from hpo.tuner import Limits, Tuner

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How a call of `run_experiment` ended."""

    directory: Path
    config: ExperimentConfig
    state: ExperimentState
    reason: str | None
    """Why the experiment is complete; None when it was interrupted."""
    signal: int | None = None
    """What interrupted it."""
    skipped: bool = False
    """It was complete before."""


def run_experiment(
    config: ExperimentConfig | Mapping[str, Any], output_dir: str | Path, *, callbacks: Sequence[Callback] = ()
) -> Outcome:
    """Run an experiment, or go on with it where `output_dir` holds an unfinished one.

    Args:
        config: what `load_config` returns, or the content of an experiment.yaml.
        output_dir: the experiment's directory.
        callbacks: besides those of the configuration.

    Raises:
        HPOError: one sentence that says what is wrong and what to do.
    """
    if not isinstance(config, ExperimentConfig):
        config = to_config(config)
    files = ExperimentDirectory(Path(output_dir))
    files.path.mkdir(parents=True, exist_ok=True)
    with owned(files):
        stored = _stored_config(files, config)
        config = resolve(_with_random_seed(config, stored))
        changed_budget = stored is not None and any(getattr(stored, k) != getattr(config, k) for k in BUDGET_KEYS)
        _check_resumable(files, stored, config)
        write_atomically(files.config, to_yaml(config).encode())
        store = Store(files.events)
        with contextlib.closing(store), _log_file(files.log):
            try:
                return _run(files, config, store, changed_budget, callbacks)
            except HPOError as error:
                log.error("%s", error)
                raise
            except Exception:
                log.error("the experiment ended by an error in hpo itself:\n%s", traceback.format_exc())
                raise


def _run(
    files: ExperimentDirectory,
    config: ExperimentConfig,
    store: Store,
    changed_budget: bool,
    callbacks: Sequence[Callback],
) -> Outcome:
    state = ExperimentState(objective_of(config))
    last = store.last()
    if last is not None and last.kind == Kind.FINISHED and not changed_budget:
        state.apply_all(store.read())
        return Outcome(files.path, config, state, state.finished, skipped=True)
    scheduler = scheduler_of(config)
    callbacks = [*callbacks, *_callbacks_of(config)]
    backend = _backend_of(config, files)
    try:
        restore(scheduler, state, store.read())
        if state.trials:
            log.info("resuming: %d trials, %d reports, %.1f s so far", len(state.trials), state.reports, state.elapsed)
        tuner = Tuner(scheduler, backend, store, state, _budget_of(config), _limits_of(config), callbacks)
        write_metadata(files, config, **_provenance(), status="running")
        with _signals(tuner.interrupt) as received:
            reason = tuner.run(opened=_session())
    finally:
        backend.close()
        _export(files, config, store, state)
    return Outcome(files.path, config, state, reason, received[0] if received and reason is None else None)


def _export(files: ExperimentDirectory, config: ExperimentConfig, store: Store, state: ExperimentState) -> None:
    """Write the files made from the log. What cannot be written now is made again by the next run of the command."""
    try:
        write_results(files, config, list(store.read()))
        write_best(files, state)
        status = "complete" if state.finished else "interrupted"
        write_metadata(files, config, status=status, reason=state.finished, st_tuner_end_timestamp=time.time())
    except OSError as error:
        raise StoreError(f"{files.path}: results could not be written ({error}); events.db has everything") from error


def _stored_config(files: ExperimentDirectory, config: ExperimentConfig) -> ExperimentConfig | None:
    """The configuration of the experiment that is in the directory; deletes that one when `overwrite` says so."""
    if not files.config.exists():
        return None
    if config.overwrite:
        for path in files.path.iterdir():
            if path in (files.lock, files.owner):
                continue
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        return None
    return read_config(files.config)


def _check_resumable(files: ExperimentDirectory, stored: ExperimentConfig | None, config: ExperimentConfig) -> None:
    if stored is None:
        return
    remedy = "pass overwrite=true to delete it, or another experiment_tag"
    if changes := differences(stored, config):
        shown = "; ".join(changes[:10]) + (f"; and {len(changes) - 10} more" if len(changes) > 10 else "")
        raise StoreError(f"{files.path} holds an experiment of another configuration ({shown}); {remedy}")
    if not config.resume:
        raise StoreError(f"resume=false, but {files.path} holds an experiment; {remedy}, or resume=true to go on with it")


def _with_random_seed(config: ExperimentConfig, stored: ExperimentConfig | None) -> ExperimentConfig:
    if config.random_seed is not None:
        return config
    drawn = stored.random_seed if stored is not None else secrets.randbelow(2**31)
    return replace(config, random_seed=drawn)


def scheduler_of(config: ExperimentConfig) -> Scheduler:
    """The method of a resolved experiment, fresh."""
    assert config.random_seed is not None
    return _assemble(
        {"searcher": config.method.searcher, "scheduler": config.method.scheduler},
        {},
        config.space,
        Randomness(config.random_seed, config.seed),
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
    from omegaconf import OmegaConf

    content = load_group("method", method) if isinstance(method, str) else OmegaConf.create(dict(method))
    parts = OmegaConf.to_container(content)
    assert isinstance(parts, dict)
    return _assemble(
        {"searcher": dict(parts["searcher"]), "scheduler": dict(parts["scheduler"])},
        overrides,
        parse_space(config_space),
        Randomness(random_seed, seed),
        max_resource=max_resource,
        points_to_evaluate=points_to_evaluate,
        trusted=("",),
    )


def _assemble(
    parts: Mapping[str, Mapping[str, Any]],
    overrides: Mapping[str, Any],
    space: SearchSpace,
    randomness: Randomness,
    *,
    trusted: Sequence[str],
    **context: Any,
) -> Scheduler:
    """Searcher and scheduler from their YAML. Each gets from the context what its signature asks for."""
    factories = {part: _factory(f"method.{part}", spec, trusted) for part, spec in parts.items()}
    known = {part: _parameters(factory) for part, factory in factories.items()}
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


def _parameters(factory: Callable[..., Any]) -> set[str]:
    return set(inspect.signature(factory).parameters)


def _factory(key: str, spec: Mapping[str, Any], trusted: Sequence[str]) -> Callable[..., Any]:
    """What a `_target_` names, with the arguments beside it. Only hpo and trusted modules are ever imported."""
    _check_targets(key, spec, trusted)
    from hydra.errors import HydraException
    from hydra.utils import instantiate

    try:
        factory: Callable[..., Any] = instantiate({**spec, "_partial_": True})
    except HydraException as error:
        raise ConfigError(f"{key}._target_={spec['_target_']}: {str(error).splitlines()[0]}") from error
    return factory


def _check_targets(key: str, spec: Any, trusted: Sequence[str]) -> None:
    """Raise ConfigError unless every `_target_` in `spec` lies in hpo or in a trusted module."""
    if isinstance(spec, Mapping):
        target = spec.get("_target_")
        if target is not None and not any(_inside(str(target), module) for module in ("hpo", *trusted)):
            module = str(target).partition(".")[0]
            raise ConfigError(f"{key}._target_={target}: it is not in hpo; to allow it, pass trusted_modules=[{module}]")
        for name, value in spec.items():
            _check_targets(f"{key}.{name}", value, trusted)
    elif isinstance(spec, list | tuple):
        for value in spec:
            _check_targets(key, value, trusted)


def _inside(target: str, module: str) -> bool:
    return module == "" or target.startswith(module + ".")


def _callbacks_of(config: ExperimentConfig) -> list[Callback]:
    made = []
    for name, spec in config.callbacks.items():
        if not isinstance(spec, Mapping) or "_target_" not in spec:
            raise ConfigError(f"callbacks.{name}: it needs a _target_, the class to make it from")
        callback = _factory(f"callbacks.{name}", spec, config.trusted_modules)()
        if not isinstance(callback, Callback):
            raise ConfigError(f"callbacks.{name}: {spec['_target_']} is not a subclass of hpo.Callback")
        made.append(callback)
    return made


def _backend_of(config: ExperimentConfig, files: ExperimentDirectory) -> Backend:
    name = config.backend.get("name")
    if name not in ("auto", "local"):
        raise ConfigError(f"backend={name}: use auto or local")
    from hpo.backends.gpus import GpuPool, visible_gpus
    from hpo.backends.local import LocalBackend
    from hpo.backends.program import Program

    assert config.random_seed is not None
    program = Program(config, files, Randomness(config.random_seed, config.seed))
    per_trial = config.num_gpus_per_trial or 0
    pool = GpuPool(visible_gpus(config.gpus_to_use) if per_trial else [], per_trial)
    return LocalBackend(program, pool, config.grace_period_seconds)


def _budget_of(config: ExperimentConfig) -> Budget:
    return Budget(config.max_wallclock_time, config.max_num_trials, config.max_num_evaluations)


def _limits_of(config: ExperimentConfig) -> Limits:
    return Limits(
        n_workers=config.n_workers or 1,
        max_resource=config.max_resource,
        ends_by_itself=config.benchmark.max_resource_attr is not None,
        max_failures=config.max_failures,
        trial_timeout=config.trial_timeout,
        trial_silence_timeout=config.trial_silence_timeout,
        grace=config.grace_period_seconds,
        delete_checkpoints=config.delete_checkpoints,
    )


def _session() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "hpo": hpo.__version__}


def _provenance() -> dict[str, Any]:
    now = time.time()
    return {
        "st_tuner_creation_timestamp": now,
        "st_tuner_start_timestamp": now,
        "hpo_version": hpo.__version__,
        "python_version": platform.python_version(),
        "platform": platform.platform(),
        "host": socket.gethostname(),
        "executable": sys.executable,
    }


@contextlib.contextmanager
def _signals(interrupt: Callable[[], None]) -> Iterator[list[int]]:
    """SIGINT, SIGTERM and SIGHUP end the session in order; yields the list of those that came."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received  # signals belong to the main thread; a notebook's thread leaves them alone
        return

    def handle(number: int, _frame: Any) -> None:
        received.append(number)
        interrupt()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _log_file(path: Path) -> Iterator[None]:
    """Everything hpo logs, from INFO, also goes to the experiment's log."""
    package = logging.getLogger("hpo")
    handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    level = package.level
    package.addHandler(handler)
    if package.getEffectiveLevel() > logging.INFO:
        package.setLevel(logging.INFO)
    try:
        yield
    finally:
        package.removeHandler(handler)
        package.setLevel(level)
        handler.close()
