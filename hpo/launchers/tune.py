"""The function `hpo.tune`, which runs an experiment of a Python function here; its errors are one sentence each."""

import functools
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from hpo.backends.backend_choice import check_backend
from hpo.config.default_method import recommended_method
from hpo.config.reading import load_config, resolve
from hpo.errors import ConfigError, HPOError, print_error
from hpo.events.callback import Callback
from hpo.experiment.run import Outcome
from hpo.functions.finding import OWN, TOLD
from hpo.functions.source import module_of, source_of
from hpo.launchers.base import runs_here
from hpo.launchers.python_run import run_experiment
from hpo.proposing.checkpoint_use import may_save
from hpo.store.atomic_files import write_atomically
from hpo.store.tags import OUTPUTS, master_seed
from hpo.watching.plain_lines import say

_Given = ParamSpec("_Given")
_Returned = TypeVar("_Returned")
_PACKAGE = str(Path(__file__).parents[1])


def plainly(function: Callable[_Given, _Returned]) -> Callable[_Given, _Returned]:
    """Decorate a function so that an HPOError that nobody catches is shown as its sentence; other errors as before."""

    @functools.wraps(function)
    def wrapped(*args: _Given.args, **kwargs: _Given.kwargs) -> _Returned:
        try:
            return function(*args, **kwargs)
        except HPOError:
            if not getattr(sys.excepthook, "tells_plainly", False):
                sys.excepthook = _hook(sys.excepthook)
            raise

    return wrapped


def _hook(before: Callable[..., object]) -> Callable[..., object]:
    def tell(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if isinstance(error, HPOError):
            print_error(f"{error}{_caller(traceback)}")
        else:
            before(kind, error, traceback)

    vars(tell)["tells_plainly"] = True
    return tell


def _caller(traceback: TracebackType | None) -> str:
    """Return the last line outside hpo, such as ` (study.py:16)`; empty if there is none."""
    where = ""
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not file.startswith(_PACKAGE):
            where = f" ({Path(file).name}:{traceback.tb_lineno})"
        traceback = traceback.tb_next
    return where


@plainly
def tune(
    objective: Callable[..., Any] | str,
    config_space: Mapping[str, Any],
    *,
    metric: str | None = None,
    mode: str | None = None,
    objectives: Mapping[str, Any] | None = None,
    method: str | Mapping[str, Any] | None = None,
    config_dir: str | Path | Sequence[str | Path] | None = None,
    resource_attr: str | None = None,
    max_resource: int | None = None,
    max_num_trials: int | None = None,
    max_wallclock_time: float | None = None,
    n_workers: int = 1,
    experiment_tag: str | None = None,
    seed: int = 0,
    random_seed: int | None = None,
    num_gpus_per_trial: int = 0,
    arguments: Mapping[str, Any] | None = None,
    points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
    constraints: Mapping[str, Mapping[str, Any]] | None = None,
    callbacks: Sequence[Callback] = (),
    show: bool = True,
    **overrides: Any,
) -> Outcome:
    """Tune a function: `objective(config, report)`, each call in a process of its own.

    The function reports by `report(**metrics)`, which does not return at the resource at which its trial ends; a number or
    mapping that it returns is its last report. A function of a module is imported; one of a notebook or of the running script
    is sent as its source, and must itself load what it needs besides modules. The same call with the same tag resumes.

    Args:
        objective: Function, or its name `package.module:name`.
        config_space: Search space, as under `config_space` in a benchmark's YAML.
        metric: Reported metric that is tuned.
        mode: `min` or `max`.
        objectives: Several objectives, instead of metric and mode, such as `{"accuracy": "max", "latency_ms": {"mode": "min",
            "log": True}}`; the outcome has a `front`.
        method: Name in conf/method or the content of such a file. Default: that of `recommended_method`: BO without a
            resource; with one ASHA-GP-TIME, or BO-MEDIAN if the function's code mentions no checkpoints; with several
            objectives MO-BO and MO-ASHA-GP.
        config_dir: Folder with your own YAML, which contains method/; see `hpo.load_config`.
        resource_attr: Reported name of the resource that training spends, such as `epoch`.
        max_resource: Maximum of the resource; with it trials can end early.
        max_num_trials: Number of configurations.
        max_wallclock_time: Time budget in seconds.
        n_workers: Number of trials at a time.
        experiment_tag: Folder below outputs/. Default: date and time.
        seed: Seed number.
        random_seed: Master seed. Default: that of the tag, else drawn.
        num_gpus_per_trial: Number of GPUs per trial.
        arguments: Constants that the function gets in addition to the configuration.
        points_to_evaluate: First configurations.
        constraints: Bounds on other reported metrics, such as `{"latency_ms": {"upper": 20}}`.
        callbacks: Callbacks that are given every event.
        show: Whether to show progress and a summary on standard output or below the cell.
        **overrides: Other top-level keys, and dotted ones in a dictionary, as for `hpo.load_config`.

    Returns:
        The outcome: `status`, `best`, `directory`, and more.

    Raises:
        HPOError: The experiment failed; one sentence says what is wrong and what to do.
        KeyboardInterrupt: The session was interrupted and has ended in order.
    """
    if getattr(sys.modules["__main__"], "loading", None) and "HPO_REPORT_FILE" in os.environ:
        raise ConfigError(
            'hpo.tune: a trial that loads this file comes here again; put the call below if __name__ == "__main__":'
        )
    function = objective if isinstance(objective, str) else module_of(objective)
    source = None if function is not None else source_of(objective)  # type: ignore[arg-type]
    name = str(function or objective.__name__).rpartition(":")[2]  # type: ignore[union-attr]
    if (resource_attr is None) != (max_resource is None):
        raise ConfigError("resource_attr and max_resource: give both, for trials that can end early, or neither")
    benchmark = {
        "name": re.sub(r"[^A-Za-z0-9_-]", "-", name),
        "function": function or f"{OWN}:{name}",
        **{key: value for key, value in (("metric", metric), ("mode", mode)) if value is not None},
        "objectives": dict(objectives or {}),
        "resource_attr": resource_attr,
        "max_resource_attr": None if max_resource is None else TOLD,
        "config_space": dict(config_space),
        "arguments": {**(arguments or {}), **({} if max_resource is None else {TOLD: max_resource})},
        "points_to_evaluate": None if points_to_evaluate is None else [dict(point) for point in points_to_evaluate],
        "constraints": {name: dict(bound) for name, bound in (constraints or {}).items()},
        "num_gpus_per_trial": num_gpus_per_trial,
    }
    if method is None:
        saves = max_resource is None or may_save(objective, source)
        method = recommended_method(several=bool(objectives), resource=max_resource is not None, checkpoints=saves)
        if show and not saves:
            say(
                f"method={method}, which never pauses a trial: {name} saves no checkpoints (hpo.checkpoint) to resume from"
            )
    config = load_config(
        benchmark,
        method,
        seed=seed,
        experiment_tag=experiment_tag or datetime.now().strftime("%Y-%m-%d-%H-%M-%S"),
        config_dir=config_dir,
        **{
            "max_num_trials": max_num_trials,
            "max_wallclock_time": max_wallclock_time,
            "n_workers": n_workers,
            **overrides,
        },
    )
    if config.launcher and not runs_here(config):
        raise ConfigError(
            "launcher: hpo.tune runs its trials here; for a job save the function in a module, name it as "
            "benchmark.function in a YAML of your own, and run hpo with --config-dir, that benchmark and the launcher"
        )
    check_backend(resolve(config))  # before anything is written
    config = replace(config, random_seed=master_seed(OUTPUTS / config.experiment_tag, random_seed)[0])
    directory = OUTPUTS / config.place
    if source is not None:
        directory.mkdir(parents=True, exist_ok=True)
        write_atomically(directory / OWN, source.encode())
    return run_experiment(config, directory, callbacks=callbacks, show=show)
