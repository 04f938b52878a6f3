"""The condition of an experiment: one answer for `hpo status`, `hpo watch`, the live page and the report."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpo.events.state import ExperimentState
from hpo.events.types import Kind
from hpo.results.experiment import Experiment
from hpo.store.directory import LAUNCH_RECORD, ExperimentDirectory, read_json
from hpo.store.ownership import is_owned

ERROR = "error"
GOES_ON = "its command resumes it"


@dataclass(frozen=True, slots=True)
class ExperimentCondition:
    """The current activity of an experiment, or how it ended."""

    name: str
    """`complete`, `failed` (ended without one finite result), `running`, `waiting`, `interrupted`, or `error`."""
    detail: str = ""
    """More about that, or nothing."""
    error: str | None = None
    """The error by which its last session ended."""

    @property
    def state(self) -> str:
        """The name for programs, which know an experiment that an error has ended as interrupted."""
        return "interrupted" if self.name == ERROR else self.name


def condition_of(
    files: ExperimentDirectory, state: ExperimentState, *, host: str | None, has_events: bool
) -> ExperimentCondition:
    """Find the condition of an experiment without touching its lock.

    Args:
        files: its directory.
        state: folded from its events.
        host: the machine of its last session, as its log has it.
        has_events: whether its log has any event.
    """
    if state.finished is not None:
        return ExperimentCondition(state.status)
    return unfinished_condition(files, host=host, has_events=has_events, held_by=state.steering.held)


def unfinished_condition(
    files: ExperimentDirectory, *, host: str | None, has_events: bool = True, held_by: str | None = None
) -> ExperimentCondition:
    """Find the condition of an experiment whose log has no end; see `condition_of`.

    Args:
        files: its directory.
        host: the machine of its last session.
        has_events: whether its log has any event.
        held_by: who holds it.
    """
    metadata, here = read_json(files.metadata), socket.gethostname()
    where = host or metadata.get("host")
    works_here = where in (None, here) and is_owned(files)
    noted = noted_condition(metadata)
    if not works_here and (noted in ("interrupted", ERROR) or where == here):
        error = metadata["error"] if noted == ERROR else None
        return (
            ExperimentCondition(ERROR, f"{error}; {GOES_ON}", error)
            if error
            else ExperimentCondition("interrupted", GOES_ON)
        )
    if not has_events:
        launched = (files.path / LAUNCH_RECORD).is_file()
        return ExperimentCondition(
            "waiting", "no events here yet" + "; hpo sync brings those of a remote job" * launched
        )
    details = [f"on {where}"] if where is not None and where != here else []
    details += [f"held by {held_by}"] if held_by is not None else []
    return ExperimentCondition("running", ", ".join(details))


def noted_condition(metadata: Mapping[str, Any]) -> str:
    """The condition that an experiment's metadata.json states; empty where it states none.

    A killed session could not write how it ended: its metadata still say `running`.
    """
    noted = metadata.get("status")
    if noted == "interrupted" and metadata.get("error") and isinstance(metadata["error"], str):
        return ERROR
    return noted if isinstance(noted, str) else ""


def condition_of_experiment(experiment: Experiment) -> ExperimentCondition:
    """Find the condition of an experiment that was read as a whole."""
    opened = next((event for event in reversed(experiment.events) if event.kind is Kind.OPENED), None)
    host = None if opened is None else opened.body.get("host")
    files = ExperimentDirectory(experiment.directory)
    return condition_of(files, experiment.state, host=host, has_events=bool(experiment.events))
