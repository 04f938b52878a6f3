"""`hpo sync` and `hpo stop`: experiments that run elsewhere."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from hpo.cli.verbs.app import Place, Trusted, verb
from hpo.errors import ConfigError, HPOError, complain
from hpo.launchers.remote import launcher_of, read_record
from hpo.store.places import find_launched


@verb()
def sync(place: Place, trust: Trusted = ()) -> None:
    """Bring the results of remote experiments here, also while they run."""

    def bring(directory: Path, content: Mapping[str, Any]) -> str:
        return f"{launcher_of(content, trust).fetch(content['record'], directory)} file(s) brought"

    _each(place, bring)


@verb()
def stop(place: Place, trust: Trusted = ()) -> None:
    """End remote experiments; their trials get their grace, and the launching command resumes them."""

    def ask(_directory: Path, content: Mapping[str, Any]) -> str:
        launcher_of(content, trust).cancel(content["record"])
        return f"asked job {content['record'].get('job')} to stop"

    _each(place, ask)


def _each(place: str, work: Callable[[Path, Mapping[str, Any]], str]) -> None:
    """Do something for every experiment that was launched; one that it fails for does not keep it from the others."""
    if not (launched := find_launched(place)):
        raise ConfigError(
            f"{place}: nothing was launched remotely in that directory or under that tag; an experiment "
            f"that runs here is ended by Ctrl-C, or by SIGTERM to the process that hpo status names"
        )
    failed = False
    for directory in launched:
        try:
            click.echo(f"{directory}: {work(directory, read_record(directory))}")
        except HPOError as error:
            complain(f"{directory}: {error}")
            failed = True
    if failed:
        raise click.exceptions.Exit(1)
