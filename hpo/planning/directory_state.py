"""The state of an experiment's directory for the command that would run it: new, unfinished, complete, and so on."""

import contextlib
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from hpo.config.reading import resolve
from hpo.config.schema import ExperimentConfig
from hpo.errors import StoreError
from hpo.events.state import ExperimentState
from hpo.events.types import Kind
from hpo.experiment.opening import differences, has_begun, is_done, stored_config, with_random_seed
from hpo.launchers.base import Job
from hpo.launchers.remote import read_record
from hpo.store.directory import LAUNCH_RECORD, ExperimentDirectory
from hpo.store.event_store import Store
from hpo.store.experiment_paths import from_here
from hpo.store.tags import read_tag


class DirectoryState(StrEnum):
    """The state in which a command would find the directory of an experiment."""

    NEW = "new"
    COMPLETE = "complete"
    FAILED = "failed, and is not run again without retry=failed"
    RETRIED = "failed trials are trained again"
    UNFINISHED = "unfinished"
    EXTENDED = "complete, resumes with the changed budget"
    DIFFERENT = "another configuration"
    OVERWRITTEN = "deleted and started again"
    SUBMITTED = "submitted"


@dataclass(frozen=True)
class PlannedExperiment:
    """An experiment with its directory and the state of that directory."""

    config: ExperimentConfig
    """Resolved configuration of the experiment, with its master seed if that is known."""
    directory: Path
    standing: DirectoryState
    detail: str = ""


def place_of(job: Job) -> PlannedExperiment:
    """Return an experiment of a command with the state of its directory, without writing anything.

    Raises:
        ConfigError: The configuration of the experiment, or the stored one, is wrong.
    """
    files = ExperimentDirectory(job.output_dir)
    shown = from_here(job.output_dir)
    stored = stored_config(files)
    config = job.config
    if config.random_seed is None:
        config = replace(config, random_seed=read_tag(job.sweep_dir).get("random_seed"))
    config = resolve(with_random_seed(config, stored))
    if stored is None:
        if (files.path / LAUNCH_RECORD).is_file():
            return PlannedExperiment(
                config, shown, DirectoryState.SUBMITTED, str(read_record(files.path)["record"].get("job", ""))
            )
        return PlannedExperiment(config, shown, DirectoryState.NEW)
    if config.overwrite:
        return PlannedExperiment(config, shown, DirectoryState.OVERWRITTEN)
    if not has_begun(files):
        return PlannedExperiment(config, shown, DirectoryState.NEW)
    if changes := differences(stored, config):
        return PlannedExperiment(
            config, shown, DirectoryState.DIFFERENT, "; ".join(changes[:3]) + ("; …" if len(changes) > 3 else "")
        )
    last, state = None, ExperimentState(config.objective)  # kept for a damaged store, which the command itself repairs
    with contextlib.suppress(StoreError), contextlib.closing(Store(files.events, read_only=True)) as store:
        last = store.last()
        state.apply_all(store.read())
    if config.retry is not None and (failed := len(state.failed_trials())):
        return PlannedExperiment(config, shown, DirectoryState.RETRIED, f"{failed} of {len(state.trials)}")
    if last is None or last.kind != Kind.FINISHED:
        return PlannedExperiment(config, shown, DirectoryState.UNFINISHED)
    if not is_done(last, stored, config):
        return PlannedExperiment(config, shown, DirectoryState.EXTENDED)
    return PlannedExperiment(
        config, shown, DirectoryState.FAILED if state.status == "failed" else DirectoryState.COMPLETE
    )
