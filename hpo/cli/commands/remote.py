"""`hpo sync` and `hpo stop`: fetching results of remote experiments, and ending sessions anywhere."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from hpo.cli.commands.app import Place, Trusted, say, verb
from hpo.errors import ConfigError, HPOError, print_error
from hpo.launchers.remote import launcher_of, read_record
from hpo.store.directory import ExperimentDirectory
from hpo.store.experiment_paths import find_experiments, find_launched
from hpo.store.ownership import is_owned


@verb()
def sync(place: Place, trust: Trusted = ()) -> None:
    """Fetch the results of remote experiments, even while they run."""

    def bring(directory: Path, content: Mapping[str, Any]) -> str:
        return f"{launcher_of(content, trust).fetch(content['record'], directory)} file(s) brought"

    _each(place, bring)


@verb()
def stop(place: Place, trust: Trusted = ()) -> None:
    """End the sessions of experiments, local or remote. Trials get their grace period; the same command resumes them."""
    if not find_launched(place) and (running := _running(place)):
        _interrupt(running)
        return

    def ask(_directory: Path, content: Mapping[str, Any]) -> str:
        launcher_of(content, trust).cancel(content["record"])
        return f"asked job {content['record'].get('job')} to stop"

    _each(place, ask)


def _running(place: str) -> list[Path]:
    """Return the directories of the experiments that are running on this machine."""
    return [directory for directory in find_experiments(place) if is_owned(ExperimentDirectory(directory))]


def _interrupt(directories: Sequence[Path]) -> None:
    from hpo.events.steering import CommandName
    from hpo.steering.asking import ask, me

    failed = False
    for directory in directories:
        answer = ask(directory, CommandName.INTERRUPT, {}, me())
        if answer is not None and not answer.body["accepted"]:
            print_error(f"{directory}: {answer.body['why']}")
            failed = True
        else:
            say(f"{directory}: asked its tuner to stop")
    if failed:
        raise click.exceptions.Exit(1)


def _each(place: str, work: Callable[[Path, Mapping[str, Any]], str]) -> None:
    """Call `work` for every launched experiment and print its answer; a failure does not keep it from the others."""
    if not (launched := find_launched(place)):
        raise ConfigError(
            f"{place}: nothing in that directory or under that tag was launched remotely, or runs on this machine"
        )
    failed = False
    for directory in launched:
        try:
            say(f"{directory}: {work(directory, read_record(directory))}")
        except HPOError as error:
            print_error(f"{directory}: {error}")
            failed = True
    if failed:
        raise click.exceptions.Exit(1)
