"""The commands beside running: `hpo status`, `hpo replay`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import click
import typer

from hpo.errors import HPOError
from hpo.progress import best_text, clock, counts_text
from hpo.results import find_experiments, load_experiment

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)

Place = Annotated[str, typer.Argument(metavar="DIR|TAG", help="An experiment's directory, or a tag under outputs/.")]


@app.callback()
def about() -> None:
    """Look at experiments. `hpo <overrides>` runs them, `hpo --help` says how."""


@app.command()
def status(place: Place) -> None:
    """Show each experiment's state, its trials and its best result so far."""
    for directory in find_experiments(place):
        experiment = load_experiment(directory)
        state = experiment.state
        condition = f"complete ({state.finished})" if state.finished else _condition(directory)
        typer.echo(f"{directory}: {condition}")
        typer.echo(f"  {clock(state.elapsed)}, {counts_text(state)}")
        typer.echo(f"  best {best_text(state)}")


def _condition(directory: Path) -> str:
    from filelock import FileLock, Timeout

    try:
        with FileLock(directory / ".lock", timeout=0):
            return "interrupted; the command that started it goes on with it"
    except Timeout:
        return "running"


@app.command()
def replay(place: Place) -> None:
    """Compute every logged decision again with a fresh scheduler, and compare."""
    from hpo.experiment import scheduler_of
    from hpo.replay import verify
    from hpo.results import objective_of
    from hpo.state import ExperimentState
    from hpo.store import Store

    different = 0
    for directory in find_experiments(place):
        experiment = load_experiment(directory)
        store = Store(directory / "events.db", read_only=True)
        count = [0]
        state = ExperimentState(objective_of(experiment.config))
        scheduler = scheduler_of(experiment.config)
        found = list(verify(scheduler, state, store.read_numbered(), count))
        store.close()
        different += len(found)
        typer.echo(f"{directory}: {count[0]} decisions, {len(found)} different")
        for difference in found[:10]:
            typer.echo(f"  event {difference.sequence}: logged {difference.logged}, replayed {difference.replayed}")
    if different:
        raise typer.Exit(1)


def main(arguments: Sequence[str]) -> int:
    """Run a verb. Returns the exit code.

    Raises:
        HPOError: from the verb.
    """
    try:
        result = app(args=list(arguments), prog_name="hpo", standalone_mode=False)
    except click.ClickException as error:
        known = ", ".join(command.name or command.callback.__name__ for command in app.registered_commands)
        sys.stderr.write(f"hpo: error: {error.format_message()} The verbs are {known}; an override has the form key=value.\n")
        return error.exit_code
    except HPOError:
        raise
    return int(result or 0)
