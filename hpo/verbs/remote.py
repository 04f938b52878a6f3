"""`hpo sync` and `hpo stop`: experiments that run elsewhere."""

from pathlib import Path

import typer

from hpo.errors import ConfigError
from hpo.launchers.remote import find_launched, launcher_of, read_record
from hpo.verbs.app import Place, Trusted, app


@app.command()
def sync(place: Place, trust: Trusted = None) -> None:
    """Bring the results of remote experiments here, also while they run."""
    for directory in _launched(place):
        content = read_record(directory)
        brought = launcher_of(content, trust or ()).fetch(content["record"], directory)
        typer.echo(f"{directory}: {brought} file(s) brought")


@app.command()
def stop(place: Place, trust: Trusted = None) -> None:
    """End remote experiments; their trials get their grace, and the launching command resumes them."""
    for directory in _launched(place):
        content = read_record(directory)
        launcher_of(content, trust or ()).cancel(content["record"])
        typer.echo(f"{directory}: asked job {content['record'].get('job')} to stop")


def _launched(place: str) -> list[Path]:
    found = find_launched(place)
    if not found:
        raise ConfigError(f"{place}: nothing was launched remotely in that directory or under that tag")
    return found
