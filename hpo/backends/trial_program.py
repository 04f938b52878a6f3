"""The call of a trial's program: argument list, environment, and the file that its reports come from.

Arguments are a list and never pass through a shell. `script` runs as `python script --name=value …`, `command` as
`program … --name=value …`; with `arguments_as_json` the only argument is the name of a JSON file.
"""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hpo.backends.arguments import CONFIG_FILE, Written, fill, write
from hpo.backends.executables import find_file, find_program, is_this_python
from hpo.backends.torch_launching import torch_launcher, without_launcher_variables
from hpo.backends.unmodified_program import reading_of
from hpo.config.choices import ArgumentStyle, WorkingDirectory
from hpo.config.environment_references import from_environment
from hpo.config.processes import check_launcher, processes_per_trial
from hpo.config.schema import ExperimentConfig
from hpo.config.templates import Template
from hpo.config.yaml_files import override_text
from hpo.events.types import Trial
from hpo.functions.finding import TOLD, FoundFunction, find_function, is_own
from hpo.host.leading_imports import leading_imports
from hpo.host.preloading import AUTO
from hpo.randomness import Randomness
from hpo.reporting import PROCESSES
from hpo.space.search_space import SearchSpace
from hpo.store.directory import ExperimentDirectory
from hpo.store.identity import mark_of


@dataclass(frozen=True)
class _Call:
    """The arguments and files of one attempt's call."""

    trial: Trial
    attempt: int
    until: int | None
    folder: Path
    """Folder of the attempt."""
    places: Mapping[str, str]
    """Values of the placeholders in constants and commands."""
    written: Written


@dataclass(frozen=True)
class Program:
    """A benchmark's program, ready to be called for any trial.

    Args:
        config: Resolved experiment.
        directory: The experiment's directory.
        randomness: Source of each configuration's training seed.
        printed: Whether calls are only printed, with references to the environment left as they are.

    Raises:
        ConfigError: The script or program does not exist, or cannot be executed.
    """

    config: ExperimentConfig
    directory: ExperimentDirectory
    randomness: Randomness
    printed: bool = False

    def __post_init__(self) -> None:
        check_launcher(self.config)
        # A missing program, variable or place in a file is an error now, not at the first trial.
        for configuration in self._space.covering_configurations():
            call = self._call(Trial(0, configuration), 0, None)
            self._file(call)
            self._describe(call, [])

    @cached_property
    def _prefix(self) -> list[str]:
        return find_program(self.config.benchmark)

    @property
    def _processes(self) -> int | None:
        return processes_per_trial(self.config)

    @cached_property
    def _script(self) -> str | None:
        """Return the Python script for a fork of the host; None if the program cannot be a fork."""
        may = self.config.benchmark.preload is not None and self._processes is None
        given = may and len(self._prefix) > 1 and self._prefix[1].endswith(".py")
        return self._prefix[1] if given and is_this_python(self._prefix[0]) else None

    @property
    def preload(self) -> list[str]:
        """Return the modules that the host imports for all trials; after `AUTO`, those that the script imports first."""
        given = self.config.benchmark.preload
        if given != "auto":
            return list(given or [])
        source = self._script if self._function is None else self._function.file
        names = leading_imports(source) if self._script is not None and source is not None else []
        return [AUTO, *names] if names else []

    @cached_property
    def _function(self) -> FoundFunction | None:
        target = self.config.benchmark.function
        return None if target is None else find_function(target, self.directory.path)

    @cached_property
    def _space(self) -> SearchSpace:
        return self.config.space

    @cached_property
    def _constants(self) -> dict[str, Any]:
        given = self.config.benchmark.arguments
        if not self.printed:
            given = from_environment("benchmark.arguments", given)
        return {**self._space.constants, **given}

    @cached_property
    def _says_where(self) -> bool:
        """Whether the arguments say where the configuration file goes."""
        return CONFIG_FILE in json.dumps([self._constants, self._prefix], default=str)

    @cached_property
    def _template(self) -> Template | None:
        name = self.config.benchmark.config_file
        return None if name is None else Template.read(find_file(name) or Path(name))

    @property
    def folders(self) -> list[Path]:
        """Return the folders of the user's own code: those of the files in the call, and the working directory."""
        files = [Path(word) for word in self._prefix[1:] if Path(word).is_absolute() and Path(word).is_file()]
        return [*(file.parent for file in files), Path.cwd()]

    @property
    def mark(self) -> int:
        """The mark that the processes of its trials carry.

        Raises:
            BackendError: This process may not set a mark.
        """
        return mark_of(self.directory.path)

    @property
    def owns_devices(self) -> bool:
        """Whether any other process on a trial's devices must be a leftover."""
        return False

    @property
    def environment_of_host(self) -> Mapping[str, str]:
        """The trial host's environment, with thread counts, which must be set before NumPy or torch is imported."""
        inherited = os.environ if self._processes is None else without_launcher_variables(os.environ)
        return {**inherited, **threads_per_trial(self.config.n_workers or 1, self._processes)}

    def order(self, trial: Trial, attempt: int, until: int | None, devices: list[str]) -> dict[str, Any]:
        """Return the order with which the trial host starts this attempt. Creates the attempt's folder."""
        call = self._call(trial, attempt, until)
        call.folder.mkdir(parents=True, exist_ok=True)
        self.directory.checkpoint(trial.id).absolute().mkdir(exist_ok=True)
        (call.folder / "reports.jsonl").touch()
        (call.folder / "stdout.log").touch()
        if (file := self._file(call)) is not None:
            file[0].write_text(file[1])
        return self._describe(call, devices)

    def describe(self, trial: Trial, attempt: int, until: int | None, devices: list[str]) -> dict[str, Any]:
        """Return the order without touching any file: `script`, `argv`, `env`, `stdout`, `stderr` and their limit, `cwd`."""
        return self._describe(self._call(trial, attempt, until), devices)

    def _describe(self, call: _Call, devices: list[str]) -> dict[str, Any]:
        benchmark = self.config.benchmark
        words = call.written.called_by([fill(word, call.places) for word in self._prefix])
        if self._processes is not None and benchmark.command is None:
            words[1:1] = torch_launcher(self._processes, f"{call.trial.id}-{call.attempt}")
        here = benchmark.working_directory == WorkingDirectory.here
        reports = self.reports(call.trial.id, call.attempt)
        return {
            "script": self._script,
            "argv": words[1:] if self._script is not None else words,
            "env": {**call.written.environment, **self._environment(call, devices)},
            "stdout": str(call.folder / "stdout.log"),
            "stderr": str(call.folder / "stderr.log"),
            "cwd": None if here else call.places["checkpoint_dir"],
            **self._caps(),
            **({"reading": reading_of(benchmark, call.places, reports)} if benchmark.foreign else {}),
        }

    def _caps(self) -> dict[str, Any]:
        """Return the logs whose size is limited. A log that carries reports is read in place and stays whole."""
        limit = self.config.max_log_megabytes
        if limit is None or math.isinf(limit * 1e6):
            return {}
        names = [name for name in ("stdout", "stderr") if self.config.benchmark.reports_file != f"{name}.log"]
        return {"capped": names, "most_log_bytes": int(limit * 1e6)}

    def file(self, trial: Trial, attempt: int, until: int | None) -> tuple[Path, str] | None:
        """Return the configuration file of an attempt and its text, if the program reads one."""
        return self._file(self._call(trial, attempt, until))

    def _file(self, call: _Call) -> tuple[Path, str] | None:
        path, content = Path(call.places["config_file"]), call.written.content
        if self._function is not None:
            order = {
                "function": self._function.order(),
                "configuration": content,
                "metric": None if self.config.benchmark.objectives else self.config.benchmark.metric,
                "resource_attr": self.config.benchmark.resource_attr,
                "until": self.config.max_resource if call.until is None else call.until,
            }
            return path, json.dumps(order, indent=1)
        if self.config.benchmark.arguments_as_json:
            return path, json.dumps(content, indent=1)
        return None if self._template is None else (path, self._template.text(content))

    def reports(self, trial_id: int, attempt: int) -> Path:
        """Return the file that carries an attempt's reports."""
        return self.directory.attempt(trial_id, attempt) / self.config.benchmark.reports_file

    def _call(self, trial: Trial, attempt: int, until: int | None) -> _Call:
        """Return the call of an attempt, which is made once for all methods that describe it."""
        suffix = ".json" if self._template is None else self._template.path.suffix
        folder = self.directory.attempt(trial.id, attempt).absolute()
        copy = None if trial.source is None else trial.id
        places = {
            "trial_seed": str(self.randomness.training_seed(trial.configuration, copy)),
            "checkpoint_dir": str(self._checkpoint(trial.id, attempt)),
            "trial_id": str(trial.id),
            "config_file": str(folder / f"arguments{suffix}"),
            **({} if self._processes is None else {"processes": str(self._processes)}),
        }
        return _Call(trial, attempt, until, folder, places, self._written(trial, until, folder, places))

    def _checkpoint(self, trial_id: int, attempt: int) -> Path:
        """Return the checkpoint folder under the name that the attempt is given."""
        return self.directory.checkpoint(trial_id).absolute()

    def _written(self, trial: Trial, until: int | None, folder: Path, places: Mapping[str, str]) -> Written:
        """Return the program's input: the configuration, constants, the resource to end at, and its files' paths."""
        benchmark = self.config.benchmark
        constants = fill(self._constants, places)
        if self._function is not None and benchmark.max_resource_attr == TOLD:
            del constants[TOLD]
        elif benchmark.max_resource_attr is not None and until is not None:
            constants[benchmark.max_resource_attr] = until
        if benchmark.data is not None:
            constants["data"] = str(Path(benchmark.data).expanduser().absolute())
        if benchmark.checkpoint_argument is not None:
            constants[benchmark.checkpoint_argument] = places["checkpoint_dir"]
        by_json = benchmark.arguments_as_json or self._function is not None
        style = ArgumentStyle.file if by_json else benchmark.argument_style
        written = write({**self._space.passed(trial.configuration), **constants}, self._space.spelling, style)
        if style == ArgumentStyle.overrides and not any(word.startswith("hydra.run.dir=") for word in written.options):
            here = benchmark.working_directory == WorkingDirectory.here
            place = str(folder) if here else places["checkpoint_dir"]
            written.options += [f"hydra.run.dir={override_text(place)}", "hydra.output_subdir=null"]
        if style == ArgumentStyle.file and not self._says_where:
            option = benchmark.arguments_as_json
            written.options.append(
                f"--{option}={places['config_file']}" if isinstance(option, str) else places["config_file"]
            )
        return written

    def _environment(self, call: _Call, devices: list[str]) -> dict[str, str]:
        """Return HPO_* and the variables for devices and threads. A trial without GPUs sees none, so that it shares none."""
        return {
            "HPO_REPORT_FILE": str(call.folder / "reports.jsonl"),
            "HPO_CHECKPOINT_DIR": call.places["checkpoint_dir"],
            "HPO_TRIAL_ID": str(call.trial.id),
            "HPO_TRIAL_SEED": call.places["trial_seed"],
            "HPO_EXPERIMENT_DIR": str(self.directory.path.absolute()),
            "CUDA_VISIBLE_DEVICES": ",".join(devices),
            **threads_per_trial(self.config.n_workers or 1, self._processes),
            **({} if self._processes is None else {PROCESSES: str(self._processes)}),
            # Makes Python write line by line, also in processes that the program starts.
            **({"PYTHONUNBUFFERED": "1"} if self.config.benchmark.searched else {}),
        }


def check_program(config: ExperimentConfig) -> None:
    """Raise ConfigError if an experiment's program or a file that it is given is missing. Changes nothing."""
    if is_own(config.benchmark.function):  # its file lies in the experiment's directory, which is not known here
        from_environment("benchmark.arguments", config.benchmark.arguments)
    else:
        Program(config, ExperimentDirectory(Path()), Randomness(config.random_seed or 0, config.seed))


def threads_per_trial(n_workers: int, processes: int | None = None) -> dict[str, str]:
    """Return OMP_NUM_THREADS for a trial: as the user set it, else this process's cores divided among the workers.

    The share of a trial of several processes is divided among these.

    With one worker the variable is left unset, since libraries use all cores by themselves; if it were set, each process
    of a pool that the trial starts would use all of them, too.
    """
    sharing = n_workers * (processes or 1)
    if (given := os.environ.get("OMP_NUM_THREADS")) or n_workers > 1 or processes is not None:
        return {"OMP_NUM_THREADS": given or str(max(len(os.sched_getaffinity(0)) // sharing, 1))}
    return {}
