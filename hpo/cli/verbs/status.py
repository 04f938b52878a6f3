"""`hpo status` and `hpo replay`: where experiments stand, and whether their decisions can be computed again."""

import typer

from hpo.cli.verbs.app import Place, Trusted, app
from hpo.errors import HPOError, StoreError
from hpo.events.wording import best_text, clock, counts_text, shortened
from hpo.launchers.remote import launcher_of, read_record
from hpo.results.experiment import Experiment, load_experiment
from hpo.results.failure import failure_of
from hpo.store.directory import ExperimentDirectory
from hpo.store.places import find_experiments, find_launched


@app.command()
def status(place: Place, trust: Trusted = None) -> None:
    """Show each experiment's state, its trials and its best result so far; of remote ones the job's state."""
    launched = find_launched(place)
    for directory in launched:
        try:
            content = read_record(directory)
            state_of_job = launcher_of(content, trust or ()).state(content["record"])
        except HPOError as error:
            raise StoreError(f"{directory}: {error}") from error
        typer.echo(
            f"{directory}: job {content['record'].get('job')} {state_of_job.phase} {state_of_job.detail}".rstrip()
        )
    # Of launched ones those whose events are here: fetched, or in a shared directory.
    local = [directory for directory in launched if ExperimentDirectory(directory).events.is_file()]
    for directory in local if launched else find_experiments(place):
        experiment = load_experiment(directory)
        state = experiment.state
        condition = f"{state.status} ({state.finished})" if state.finished else _condition(experiment)
        typer.echo(f"{directory}: {condition}")
        typer.echo(f"  {clock(state.elapsed)}, {counts_text(state)}")
        typer.echo(f"  best {best_text(state)}")
        for session, names in state.code_changes.items():
            typer.echo(f"  code {shortened(names)} changed before session {session}: results of both are mixed")
        if failure := failure_of(state, directory):
            typer.echo(f"  {failure}")


def _condition(experiment: Experiment) -> str:
    from hpo.store.ownership import is_owned

    if is_owned(ExperimentDirectory(experiment.directory)):
        return "running"
    if error := experiment.metadata.get("error"):
        return f"ended by an error: {error}\n  the command that started it goes on with it"
    return "interrupted; the command that started it goes on with it"


@app.command()
def replay(place: Place, trust: Trusted = None) -> None:
    """Compute every logged decision again with a fresh scheduler, and compare."""
    from dataclasses import replace

    from hpo.events.state import ExperimentState
    from hpo.schedulers.assembly import scheduler_of
    from hpo.schedulers.replay import verify

    different = 0
    for directory in find_experiments(place):
        experiment = load_experiment(directory)
        count = [0]
        state = ExperimentState(experiment.config.objective)
        scheduler = scheduler_of(replace(experiment.config, trusted_modules=trust or []))  # not what the file trusts
        numbered = enumerate(experiment.events, 1)  # the log is append-only: its numbers have no gaps
        found = list(verify(scheduler, state, numbered, count))
        different += len(found)
        typer.echo(f"{directory}: {count[0]} decisions, {len(found)} different")
        for difference in found[:10]:
            typer.echo(f"  event {difference.sequence}: logged {difference.logged}, replayed {difference.replayed}")
    if different:
        raise typer.Exit(1)
