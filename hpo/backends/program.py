"""How a trial's program is called: argument list, environment, and the file its reports come from.

Arguments are a list and never pass through a shell. `script` runs as `python script --name=value …`, `command` as
`program … --name=value …`; with `arguments_as_json` the only argument is the name of a JSON file.
"""

import json
import math
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hpo.config.references import from_environment
from hpo.config.schema import CONF_DIR, BenchmarkConfig, ExperimentConfig
from hpo.errors import ConfigError
from hpo.events.values import Trial
from hpo.host.leading import leading_imports
from hpo.host.preloading import AUTO
from hpo.randomness import Randomness
from hpo.store.directory import ExperimentDirectory


@dataclass(frozen=True)
class Program:
    """A benchmark's program, ready to be called for any trial.

    Args:
        config: the resolved experiment.
        directory: where the experiment lives.
        randomness: gives each configuration its training seed.
        printed: the calls are not carried out but printed; references to the environment stay what they are.

    Raises:
        ConfigError: the script or program is not there, or cannot be executed.
    """

    config: ExperimentConfig
    directory: ExperimentDirectory
    randomness: Randomness
    printed: bool = False

    def __post_init__(self) -> None:
        _ = self._prefix, self._constants  # a missing program or variable is an error now, not at the first trial

    @cached_property
    def _prefix(self) -> list[str]:
        return find_program(self.config.benchmark)

    @property
    def _forked(self) -> bool:
        """Is it a Python script for a fork of the host?"""
        benchmark = self.config.benchmark
        return benchmark.command is None and benchmark.preload is not None and self._prefix[-1].endswith(".py")

    @property
    def preload(self) -> list[str]:
        """What the host is to import for all trials; behind `AUTO` what the script imports first."""
        given = self.config.benchmark.preload
        if given != "auto":
            return list(given or [])
        names = leading_imports(self._prefix[-1]) if self._forked else []
        return [AUTO, *names] if names else []

    @cached_property
    def _constants(self) -> dict[str, Any]:
        given = self.config.benchmark.arguments
        if not self.printed:
            given = from_environment("benchmark.arguments", given)
        return {**self.config.space.constants, **given}

    @property
    def folders(self) -> list[Path]:
        """Where the user's own code is: beside the files that the program is called with, and in the working directory."""
        files = [Path(word) for word in self._prefix[1:] if Path(word).is_absolute() and Path(word).is_file()]
        return [*(file.parent for file in files), Path.cwd()]

    def order(self, trial: Trial, attempt: int, until: int | None, devices: list[str]) -> dict[str, Any]:
        """What the trial host needs to start this attempt. Creates the attempt's folder."""
        folder = self.directory.attempt(trial.id, attempt).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        self.directory.checkpoint(trial.id).absolute().mkdir(exist_ok=True)
        (folder / "reports.jsonl").touch()
        (folder / "stdout.log").touch()
        if self.config.benchmark.arguments_as_json:
            (folder / "arguments.json").write_text(self.arguments_text(trial, until))
        return self.describe(trial, attempt, until, devices)

    def describe(self, trial: Trial, attempt: int, until: int | None, devices: list[str]) -> dict[str, Any]:
        """The same without touching anything: `script`, `argv`, `env`, `stdout`, `stderr` and their limit."""
        folder = self.directory.attempt(trial.id, attempt).absolute()
        checkpoint = self.directory.checkpoint(trial.id).absolute()
        if self.config.benchmark.arguments_as_json:
            options = [str(folder / "arguments.json")]
        else:
            arguments = self._arguments(trial, until, checkpoint)
            options = [f"--{name}={as_text(value)}" for name, value in arguments.items()]
        prefix = self._prefix
        return {
            "script": prefix[-1] if self._forked else None,
            "argv": [*(prefix[-1:] if self._forked else prefix), *options],
            "env": self._environment(trial, folder, checkpoint, devices),
            "stdout": str(folder / "stdout.log"),
            "stderr": str(folder / "stderr.log"),
            **self._caps(),
        }

    def _caps(self) -> dict[str, Any]:
        """Which logs may not grow for ever. One that carries reports is read where it is and stays whole."""
        limit = self.config.max_log_megabytes
        if limit is None or math.isinf(limit * 1e6):
            return {}
        names = [name for name in ("stdout", "stderr") if self.config.benchmark.reports_file != f"{name}.log"]
        return {"capped": names, "most_log_bytes": int(limit * 1e6)}

    def arguments_text(self, trial: Trial, until: int | None) -> str:
        """The content of an attempt's arguments.json, for programs that read one."""
        return json.dumps(self._arguments(trial, until, self.directory.checkpoint(trial.id).absolute()), indent=1)

    def reports(self, trial_id: int, attempt: int) -> Path:
        """The file that carries an attempt's reports."""
        return self.directory.attempt(trial_id, attempt) / self.config.benchmark.reports_file

    def _arguments(self, trial: Trial, until: int | None, checkpoint: Path) -> dict[str, Any]:
        benchmark = self.config.benchmark
        arguments = {**trial.configuration, **self._constants}
        if benchmark.max_resource_attr is not None and until is not None:
            arguments[benchmark.max_resource_attr] = until
        if benchmark.data is not None:
            arguments["data"] = str(Path(benchmark.data).expanduser().absolute())
        if benchmark.checkpoint_argument is not None:
            arguments[benchmark.checkpoint_argument] = str(checkpoint)
        return arguments

    def _environment(self, trial: Trial, folder: Path, checkpoint: Path, devices: list[str]) -> dict[str, str]:
        """HPO_* and what concerns devices and threads. A trial without GPUs sees none: it shall not share one."""
        return {
            "HPO_REPORT_FILE": str(folder / "reports.jsonl"),
            "HPO_CHECKPOINT_DIR": str(checkpoint),
            "HPO_TRIAL_ID": str(trial.id),
            "HPO_TRIAL_SEED": str(self.randomness.training_seed(trial.configuration)),
            "HPO_EXPERIMENT_DIR": str(self.directory.path.absolute()),
            "CUDA_VISIBLE_DEVICES": ",".join(devices),
            **threads_per_trial(self.config.n_workers or 1),
        }


def as_text(value: Any) -> str:
    """A value as it stands on a command line: strings as they are, floats so that they read back equal."""
    return json.dumps(value) if isinstance(value, list | dict) else str(value)


def threads_per_trial(n_workers: int) -> dict[str, str]:
    """OMP_NUM_THREADS of a trial: as the user set it, else this process's cores shared among the workers.

    The trial of an only worker has them all, as libraries take them by themselves; where the variable says so, each process
    of a pool that the trial starts would take them all, too.
    """
    if (given := os.environ.get("OMP_NUM_THREADS")) or n_workers > 1:
        return {"OMP_NUM_THREADS": given or str(max(len(os.sched_getaffinity(0)) // n_workers, 1))}
    return {}


def find_program(benchmark: BenchmarkConfig) -> list[str]:
    """The start of the argument list, with absolute paths.

    Raises:
        ConfigError: it is not there or not executable.
    """
    if benchmark.command is not None:
        return _find_command(benchmark.command)
    assert benchmark.script is not None
    path = find_file(benchmark.script)
    if path is None:
        raise ConfigError(f"benchmark.script={benchmark.script}: {_no_such_script(benchmark.script)}")
    if path.suffix == ".py":
        return [sys.executable, str(path)]
    if not os.access(path, os.X_OK):
        raise ConfigError(
            f"benchmark.script={benchmark.script}: it is neither a .py file nor executable; chmod +x it, or name its "
            f"interpreter with benchmark.command=[bash,{benchmark.script}]"
        )
    return [str(path)]


def _no_such_script(script: str) -> str:
    """Why it is none, and what may be meant: a function, a module or a command line are often written in its place."""
    words = script.split()
    if len(words) > 1 and any(find_file(word) for word in words):
        return f"it is a command line; write benchmark.command=[{','.join(words)}]"
    if Path(script).is_dir():
        return "it is a folder; name the file in it that is to be run"
    modules = [script.rpartition(mark)[0] for mark in ":." if mark in script] + [script]
    files = (f"{module.replace('.', '/')}.py" for module in modules if "/" not in module)
    if file := next((file for file in files if find_file(file)), None):
        return f"it is the path of a file that is run for each trial, not of a module or a function in it; write {file}"
    return (
        f"there is no such file here ({Path.cwd()}) nor beside {CONF_DIR}; give an absolute path or one relative to the "
        f"working directory"
    )


def _find_command(command: list[str]) -> list[str]:
    if not command:
        raise ConfigError("benchmark.command=[]: name the program and its first arguments, such as [bash, train.sh]")
    program = shutil.which(command[0])
    if program is None:
        raise ConfigError(f"benchmark.command={command}: the program {command[0]!r} is not on PATH or not executable")
    # A later word that is a file here or beside conf/ becomes absolute; anything else stays as it is.
    rest = [str(find_file(word) or word) if i == 0 else word for i, word in enumerate(command[1:])]
    return [program, *rest]


def find_file(name: str) -> Path | None:
    """`name` if absolute, else in the working directory, else beside the configuration groups."""
    places = (base / Path(name).expanduser() for base in (Path.cwd(), CONF_DIR.parent))
    return next((path.absolute() for path in places if path.is_file()), None)


def environment_of_host(n_workers: int) -> Mapping[str, str]:
    """The trial host's environment: thread counts must be there before NumPy or torch is imported."""
    return {**os.environ, **threads_per_trial(n_workers)}
