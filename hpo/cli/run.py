"""`hpo <overrides>`: Hydra composes experiments, a launcher runs each."""

import contextlib
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from hpo.cli.arguments import check_words, has_folder
from hpo.cli.composition import is_plain, jobs, typed
from hpo.cli.preflight import check_jobs
from hpo.cli.show_config import cfg_job, describe_jobs
from hpo.config.composing import hydra_errors_as_sentence
from hpo.config.config_folders import CONF_DIR
from hpo.config.hydra_versions import REPLACE, VERSION_BASE, register_resolver
from hpo.config.metric_direction import doubts
from hpo.config.reading import resolve
from hpo.config.schema import ExperimentConfig
from hpo.config.targets import target_error_as_sentence
from hpo.errors import ConfigError, HPOError, print_error
from hpo.launchers.base import Job, make_launcher, runs_here
from hpo.launchers.remote import RemoteLauncher
from hpo.results.files import is_complete
from hpo.store.experiment_paths import from_here
from hpo.store.tags import default_tag, master_seed, normalised, update_tag
from hpo.watching.plain_lines import say
from hpo.watching.terminal_warnings import show_warnings

log = logging.getLogger(__name__)


@dataclass
class _Call:
    """One command line and the outcome of its experiments."""

    command: Sequence[str]
    automatic: bool = False
    codes: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    directories: list[Path] = field(default_factory=list)
    awaited: list[tuple[int, RemoteLauncher, Path]] = field(default_factory=list)
    """Remote experiments that are waited for: index of the exit code, launcher, directory."""
    sent: str | None = None
    """The outcome of remote experiments that are not waited for: submitted, or only their requests written."""
    tag_dir: Path | None = None
    tag: str | None = None
    seed: int | None = None


def main(arguments: Sequence[str]) -> int:
    """Run the experiments that `arguments` compose and return the exit code: 0, 1, or 128 + n after signal n."""
    arguments = arguments or ["--help"]
    call = _prepared(arguments)
    with hydra_errors_as_sentence(own_folder=has_folder(arguments)):
        if (shown := cfg_job(arguments)) is not None:
            sys.stdout.write(describe_jobs(list(jobs(shown.overrides)), shown))
        elif is_plain(arguments):
            composed = list(jobs(arguments))  # a list, so that errors appear before anything runs
            check_jobs(composed, chosen=any(word.startswith("benchmark=") for word in arguments))
            _say_seeds(composed)
            _say_doubts(composed)
            _run_all(call, composed)
        else:
            _leave_to_hydra(call, arguments)
    return _conclude(call)


def compose_jobs(arguments: Sequence[str]) -> list[Job]:
    """Return the experiments that `arguments` compose, without running or writing anything.

    Raises:
        ConfigError: An override is wrong, or an option asks Hydra for more than composing.
    """
    _prepared(arguments, quiet=True)
    with hydra_errors_as_sentence(own_folder=has_folder(arguments)):
        if not is_plain(arguments):
            raise ConfigError(f"{' '.join(arguments)}: options and sweepers of Hydra cannot be planned; leave them out")
        return list(jobs(arguments))


def _run_all(call: _Call, composed: Sequence[Job]) -> None:
    """Run experiments in order; several simulated ones run together at the end."""
    simulated: list[Job] = []
    others: list[Job] = []
    for job in composed:
        (simulated if job.config.simulated and runs_here(job.config) else others).append(job)
    with contextlib.ExitStack() as stack:
        if len(others) > 1:
            from hpo.host.host_start import (
                shared_imports,
            )  # milliseconds that a simulation and a single job need not spend

            stack.enter_context(shared_imports())
        for job in others:
            _run(call, job)
    if len(simulated) == 1:
        _run(call, simulated[0])
    elif simulated:
        _run_batch(call, simulated)


def _say_seeds(composed: Sequence[Job]) -> None:
    """Print which seeds run if `start_seed` is above 0, because `num_seeds` counts from 0."""
    first = composed[0].config
    if first.start_seed > 0 and len(seeds := sorted({job.config.seed for job in composed})) > 1:
        say(
            f"seeds {seeds[0]} to {seeds[-1]}: start_seed={first.start_seed}, and num_seeds={first.num_seeds} counts from 0"
        )


def _say_doubts(composed: Sequence[Job]) -> None:
    """Print warnings about the benchmark once, before any experiment starts; each experiment logs them again."""
    for config in (job.config for job in composed):
        for text in doubts(config.objective):
            log.warning("%s", text, extra={"once": text})


def _run_batch(call: _Call, simulated: Sequence[Job]) -> None:
    from hpo.experiment.batch import run_batch
    from hpo.watching.progress import counted

    ready = []
    for job in simulated:
        resolve(job.config)
        ready.append((_with_seed(call, job), from_here(job.output_dir)))
        call.directories.append(from_here(job.output_dir))
    with contextlib.closing(counted(run_batch(ready), len(ready))) as results:
        for result in results:
            call.codes.append(result.code)
            if result.error is not None:
                call.failures.append(f"{result.directory}: {result.error}")
    for failure in call.failures[:1]:
        print_error(failure)


def _leave_to_hydra(call: _Call, arguments: Sequence[str]) -> None:
    """Let Hydra handle the command line: --help, --cfg hydra, --info."""
    sys.argv = ["hpo", *arguments]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises instead of printing, so that hpo prints one sentence
    ConfigStore.instance().store(name="schema", node=ExperimentConfig, **REPLACE)
    logging.raiseExceptions = False  # for --info, which logs: a closed pipe (`… | head`) is no error

    def run(config: DictConfig) -> None:
        os.environ.pop("HYDRA_FULL_ERROR", None)
        runtime = HydraConfig.get()
        _run(call, Job(typed(config), Path(runtime.runtime.output_dir), Path(runtime.sweep.dir)))

    hydra.main(config_path=str(CONF_DIR), config_name="config", **VERSION_BASE)(run)()


def _prepared(arguments: Sequence[str], *, quiet: bool = False) -> _Call:
    """Check a command line and return its `_Call`; afterwards Hydra knows hpo's schema and the tag."""
    check_words(arguments)
    call = _Call(normalised(arguments))

    def tag() -> str:
        if call.tag is None:  # one tag for the whole call, although its default contains the time
            call.tag, again = default_tag(call.command)
            call.automatic = True
            if again and not quiet:
                say(f"resuming the unfinished outputs/{call.tag} of this command (experiment_tag=NAME starts another)")
        return call.tag

    register_resolver("default_tag", tag, use_cache=True)
    show_warnings()
    logging.getLogger("hpo").propagate = False
    return call


def _run(call: _Call, job: Job) -> None:
    """Launch one experiment. An error in it does not keep the others from running."""
    try:
        call.codes.append(_launch(call, job))
    except HPOError as error:
        _fail(call, job, target_error_as_sentence(error, job.config))
    except Exception:
        _fail(call, job, "an error in hpo itself", details=f"; please report it with this:\n{traceback.format_exc()}")
    if call.codes[-1] > 128:
        raise SystemExit(call.codes[-1])  # a signal ends the whole sweep


def _fail(call: _Call, job: Job, text: str, *, details: str = "") -> None:
    """Record that an experiment failed, and print the error with its details at once."""
    call.codes.append(1)
    call.failures.append(f"{from_here(job.output_dir)}: {text}")
    print_error(text + details)


def _launch(call: _Call, job: Job) -> int:
    resolve(job.config)  # check first: a wrong configuration leaves nothing on disk
    launcher = make_launcher(job.config)
    config, directory = _with_seed(call, job), from_here(job.output_dir)
    call.directories.append(directory)
    if not isinstance(launcher, RemoteLauncher):
        return launcher.launch(config, directory)
    call.sent = "written" if launcher.dry_run else "submitted"
    wait, launcher.wait = launcher.wait, False  # submit all before waiting for the first
    code = launcher.launch(config, directory)
    if wait and not launcher.dry_run:
        call.awaited.append((len(call.codes), launcher, directory))
    return code


def _with_seed(call: _Call, job: Job) -> ExperimentConfig:
    """Return the experiment with its tag's master seed, and record the command in the tag."""
    config, output_dir, sweep_dir = job.config, job.output_dir, job.sweep_dir
    tag_dir = sweep_dir if output_dir.is_relative_to(sweep_dir.absolute()) else output_dir
    if call.tag_dir is None:
        call.tag_dir = tag_dir
        update_tag(tag_dir, command=list(call.command), automatic=call.automatic, complete=False)
    given = config.random_seed
    if given is None and not tag_dir.exists():
        given = call.seed  # one draw for a sweep over tags, so that its experiments are paired
    call.seed, drawn = master_seed(tag_dir, given)
    if drawn:
        say(f"random_seed={call.seed} (drawn for {tag_dir}; later calls with this tag use it too)")
    return replace(config, random_seed=call.seed)


def _conclude(call: _Call) -> int:
    """Wait for remote experiments if required, print the outcome of all, and return the exit code."""
    if not call.codes:
        return 0  # --help, --cfg
    for index, launcher, directory in call.awaited:
        try:
            call.codes[index] = launcher.finish(directory)
        except HPOError as error:
            call.codes[index] = 1
            print_error(f"{directory}: {error}")
        if call.codes[index] != 0:
            call.failures.append(f"{directory}: the remote job failed")
    if len(call.codes) > 1:
        done = sum(code == 0 for code in call.codes)
        became = "complete" if call.awaited or call.sent is None else call.sent
        say(f"{done} of {len(call.codes)} experiments {became}")
        for failure in call.failures:
            say(f"  failed: {failure}")
    if call.tag_dir is not None and all(is_complete(directory) for directory in call.directories):
        update_tag(call.tag_dir, complete=True)
    return 0 if all(code == 0 for code in call.codes) else 1
