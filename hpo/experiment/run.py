"""One experiment, from its configuration to its results: `run_experiment`."""

import contextlib
import logging
import math
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from hpo.backends.backend_choice import open_backend
from hpo.config.budgets import has_limit
from hpo.config.environment_references import from_environment
from hpo.config.metric_direction import doubts
from hpo.config.reading import to_config, to_yaml
from hpo.config.schema import ExperimentConfig
from hpo.config.targets import factory_of, parameters_of
from hpo.errors import ConfigError, HPOError, StoreError
from hpo.events.callback import Callback
from hpo.events.state import ExperimentState
from hpo.events.text import best_of, front_of, limit_text, overview
from hpo.events.types import Event
from hpo.experiment.opening import is_done, settle, what_is_over
from hpo.experiment.sessions import Buffer, attend, limits_of, opening, provenance, seldom_collecting
from hpo.experiment.signals import in_main_thread, signals_interrupt
from hpo.experiment.warm_start import say_taken
from hpo.results.experiment import load_experiment
from hpo.results.failure import failure_of
from hpo.results.files import read_metadata, write_best, write_metadata, write_results
from hpo.results.hypervolume import hypervolume_text
from hpo.schedulers.construction import scheduler_of
from hpo.schedulers.replay import restore
from hpo.store.atomic_files import write_atomically
from hpo.store.commands import CommandFolder
from hpo.store.directory import ExperimentDirectory, refuse_links
from hpo.store.disk_space import check_room, disk_error_as_sentence
from hpo.store.event_store import Store
from hpo.store.guarded_store import GuardedStore
from hpo.store.ownership import owned
from hpo.store.store_repair import open_store
from hpo.tuner.loop import Tuner
from hpo.tuner.stop_when import plateau_of
from hpo.tuner.stopping import Budget
from hpo.warm_start.results import read_copy

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a call of `run_experiment`."""

    directory: Path
    config: ExperimentConfig
    state: ExperimentState
    reason: str | None
    """Reason why the experiment has finished; None if it was interrupted."""
    signal: int | None = None
    """Number of the signal that interrupted the experiment; None if none did."""
    skipped: bool = False
    """Whether the experiment had finished before this call, which therefore ran nothing."""

    def __repr__(self) -> str:
        return overview(self, self.state, self.status, hypervolume_text(self.config, self.state.front))

    def _repr_html_(self) -> str:
        return load_experiment(self.directory)._repr_html_()

    @property
    def status(self) -> str:
        """`complete`, `interrupted`, or `failed` if the budget was used up without a finite result."""
        return self.state.status

    @property
    def best(self) -> dict[str, Any] | None:
        """The best report: trial_id, value of the metric, resource and configuration; None if there is none."""
        return best_of(self.state)

    @property
    def front(self) -> list[dict[str, Any]]:
        """The Pareto front of a multi-objective experiment: reports as in `best`, sorted by the first objective."""
        return front_of(self.state)

    @property
    def failure(self) -> str | None:
        """Reason why the experiment failed, and what to do; None if it did not fail."""
        return failure_of(self.state, self.directory)


def run_experiment(
    config: ExperimentConfig | Mapping[str, Any], output_dir: str | Path, *, callbacks: Sequence[Callback] = ()
) -> Outcome:
    """Run an experiment, or resume it if `output_dir` contains an unfinished one.

    Args:
        config: Configuration from `load_config`, or the content of an experiment.yaml.
        output_dir: Directory of the experiment.
        callbacks: Callbacks in addition to those of the configuration.

    Raises:
        HPOError: The experiment cannot run; one sentence says what is wrong and what to do.
        KeyboardInterrupt: Ctrl-C ended the session in order; the same call resumes it. Other signals that ended the
            session are passed on to whoever handled them before.
    """
    outcome = conduct(config, output_dir, callbacks=callbacks)
    if outcome.signal is not None:
        signal.raise_signal(outcome.signal)
    return outcome


def conduct(
    config: ExperimentConfig | Mapping[str, Any], output_dir: str | Path, *, callbacks: Sequence[Callback] = ()
) -> Outcome:
    """Run an experiment as `run_experiment` does, for callers that handle the signal in the outcome themselves."""
    if not isinstance(config, ExperimentConfig):
        config = to_config(config)
    files = ExperimentDirectory(Path(output_dir))
    try:
        files.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error_as_sentence(files.path.parent, error) from error
    refuse_links(files)
    inbox = CommandFolder(files.commands)
    guarded = partial(GuardedStore, keep=not config.simulated)
    with owned(files):
        check_room(files.path)
        config, stored = settle(files, config)
        _store(files, config)
        with _log_file(files.log), seldom_collecting(where=config.simulated):
            try:
                with contextlib.closing(open_store(files.events, guarded)) as store:
                    return _run(files, config, store, what_is_over(store, stored, config), callbacks, inbox)
            except (HPOError, OSError) as error:
                log.error("%s", error)
                with contextlib.suppress(OSError):  # perhaps a full disk, which has been logged
                    write_metadata(files, config, status="interrupted", error=str(error))
                raise
            except Exception:
                log.error("the experiment ended by an error in hpo itself:\n%s", traceback.format_exc())
                raise


def _run(
    files: ExperimentDirectory,
    config: ExperimentConfig,
    store: Store,
    over: ExperimentState | None,
    callbacks: Sequence[Callback],
    inbox: CommandFolder,
) -> Outcome:
    if over is not None:
        config = _with_commanded_budget(files, config, over)
        if read_metadata(files).get("status") != over.status:  # the tuner was killed before it wrote the final files
            _export(files, config, store.read, over)
        return Outcome(files.path, config, over, over.finished, skipped=True)
    state = ExperimentState(config.objective)
    backend = open_backend(config, files)  # first, so that a trial host starts meanwhile
    events = Buffer(store) if backend.capabilities.repeatable else store
    try:
        earlier = read_copy(config, files.path)
        scheduler = scheduler_of(config, earlier)
        callbacks = [*callbacks, *_callbacks_of(config, files.path)]
        restore(scheduler, state, store.read())
        if not state.trials:
            say_taken(earlier, config)
        else:
            if state.steering.held is not None:
                log.warning(
                    "it is held by %s: nothing starts until hpo steer %s go-on", state.steering.held, files.path
                )
            log.info("resuming: %d trials, %d reports, %.1f s so far", len(state.trials), state.reports, state.elapsed)
        opened = opening(config, backend, scheduler, state, files.path)
        config = _with_commanded_budget(files, config, state)
        backend.go_on(state)
        budget = Budget.of(config)
        if not has_limit(config.budget) and math.isinf(config.space.size) and scheduler.over is None:
            log.warning("no budget is given (max_num_trials, max_wallclock_time, ...): it runs until interrupted")
        for text in doubts(config.objective):
            log.warning("%s", text, extra={"once": text})
        tuner = Tuner(
            scheduler=scheduler,
            backend=backend,
            events=events,
            state=state,
            budget=budget,
            plateau=plateau_of(config, store.read),
            limits=limits_of(config),
            callbacks=callbacks,
            retry=config.retry is not None,
            inbox=None if backend.capabilities.repeatable else inbox,
            on_budget=lambda budget: _store(files, replace(config, **budget.limits(config.objective))),
        )
        tuner.commands.heard = tuner.inbox is not None and attend(backend, inbox.path)
        if not backend.capabilities.repeatable:
            log.info("%s %s seed %d begins: %s", config.benchmark.name, config.method.name, config.seed, backend.opened)
        write_metadata(files, config, **{**provenance(opened), **backend.facts}, status="running", error=None)
        with signals_interrupt(tuner.interrupt) as received:
            reason = tuner.run(opened)
        if not backend.capabilities.repeatable:
            log.info("the session ends after %.1f s: %s", state.elapsed, reason or "interrupted")
        if isinstance(events, Buffer):
            events.flush()
    except BaseException:
        backend.close()
        with contextlib.suppress(HPOError):  # the user should see the first error
            _export(files, config, store.read, _stored_state(config, store))
        raise
    backend.close()
    _export(files, config, events.read, state)
    asked = received or ([signal.SIGINT] if tuner.interrupted_by is not None and in_main_thread() else [])
    return Outcome(files.path, config, state, reason, asked[0] if asked and reason is None else None)


def _store(files: ExperimentDirectory, config: ExperimentConfig) -> None:
    write_atomically(files.config, to_yaml(replace(config, retry=None)).encode())


def _with_commanded_budget(
    files: ExperimentDirectory, config: ExperimentConfig, state: ExperimentState
) -> ExperimentConfig:
    """Return the configuration with a budget that a command set, if `config` still has the budget that it replaced."""
    if not (changes := state.steering.changes_under(config.budget)):
        return config
    if not state.finished:
        log.warning("%s, as a command has set", ", ".join(f"{k}={limit_text(v)}" for k, v in changes.items()))
    config = replace(config, **changes)
    _store(files, config)
    return config


def _stored_state(config: ExperimentConfig, store: Store) -> ExperimentState:
    """Return the stored state after a failed commit; it counts as complete only with the budget of `config`."""
    state = ExperimentState(config.objective).apply_all(store.read())
    if not is_done(store.last(), config, config):
        state.finished = None
    return state


def _export(
    files: ExperimentDirectory, config: ExperimentConfig, read: Callable[[], Iterable[Event]], state: ExperimentState
) -> None:
    """Write the files made from the log. If that fails now, the next run of the command writes them."""
    try:
        write_results(files, config, read)
        write_best(files, state)
        write_metadata(files, config, status=state.status, reason=state.finished, st_tuner_end_timestamp=time.time())
    except OSError as error:
        raise StoreError(f"{files.path}: results could not be written ({error}); events.db has everything") from error


def _callbacks_of(config: ExperimentConfig, directory: Path) -> list[Callback]:
    """Construct the configured callbacks; those whose signature has `config` or `directory` get the experiment's."""
    made = []
    for name, spec in config.callbacks.items():
        key = f"callbacks.{name}"
        factory = factory_of(key, from_environment(key, spec), config.trusted_modules, (Callback,))
        wanted = parameters_of(key, factory) - set(spec)
        context: dict[str, Any] = {"config": config, "directory": directory}
        callback = factory(**{argument: value for argument, value in context.items() if argument in wanted})
        if not isinstance(callback, Callback):
            raise ConfigError(f"{key}: {spec['_target_']} is not a subclass of hpo.Callback")
        made.append(callback)
    return made


class _LogFile(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """Ignore lines that cannot be written to a full disk; the experiment warns about it once."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)

    def close(self) -> None:
        try:
            super().close()
        except OSError as error:  # the disk is full; see `handleError`
            log.debug("the log could not be written to its end: %s", error)


@contextlib.contextmanager
def _log_file(path: Path) -> Iterator[None]:
    """Write everything that hpo logs, from level INFO, to the experiment's log file too."""
    package = logging.getLogger("hpo")
    handler = _LogFile(path, encoding="utf-8", errors="backslashreplace", delay=True)
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
