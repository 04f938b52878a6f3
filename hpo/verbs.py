"""The commands beside running: `hpo status`, `hpo replay`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hpo.directory import ExperimentDirectory
from hpo.errors import ConfigError
from hpo.launchers.remote import find_launched, launcher_of, read_record
from hpo.progress import best_text, clock, counts_text
from hpo.results import find_experiments, load_experiment

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)

Place = Annotated[str, typer.Argument(metavar="DIR|TAG", help="An experiment's directory, or a tag under outputs/.")]


@app.callback()
def about() -> None:
    """Look at experiments. `hpo <overrides>` runs them, `hpo --help` says how."""


@app.command()
def status(place: Place) -> None:
    """Show each experiment's state, its trials and its best result so far; of remote ones the job's state."""
    launched = find_launched(place)
    for directory in launched:
        content = read_record(directory)
        state_of_job = launcher_of(content).state(content["record"])
        typer.echo(
            f"{directory}: job {content['record'].get('job')} {state_of_job.phase} {state_of_job.detail}".rstrip()
        )
    for directory in find_experiments(place) if not launched else _local_parts(launched):
        experiment = load_experiment(directory)
        state = experiment.state
        condition = f"complete ({state.finished})" if state.finished else _condition(directory)
        typer.echo(f"{directory}: {condition}")
        typer.echo(f"  {clock(state.elapsed)}, {counts_text(state)}")
        typer.echo(f"  best {best_text(state)}")


def _condition(directory: Path) -> str:
    from filelock import FileLock, Timeout

    try:
        with FileLock(ExperimentDirectory(directory).lock, timeout=0):
            return "interrupted; the command that started it goes on with it"
    except Timeout:
        return "running"


def _local_parts(launched: Sequence[Path]) -> list[Path]:
    """Those launched experiments whose events are here: fetched, or in a shared directory."""
    return [directory for directory in launched if ExperimentDirectory(directory).events.is_file()]


@app.command()
def record(
    output: Annotated[Path, typer.Argument(help="The table to make: OUTPUT.yaml and OUTPUT.npz.")],
    overrides: Annotated[list[str], typer.Argument(help="As for a run: benchmark=…, num_seeds=…, n_workers=…")],
) -> None:
    """Train a benchmark's grid for real, once per seed, into a table for simulations. Resumable."""
    from hpo import recording

    recording.record(output, overrides)


@app.command()
def sync(place: Place) -> None:
    """Bring the results of remote experiments here, also while they run."""
    for directory in _launched(place):
        content = read_record(directory)
        brought = launcher_of(content).fetch(content["record"], directory)
        typer.echo(f"{directory}: {brought} file(s) brought")


@app.command()
def stop(place: Place) -> None:
    """End remote experiments; their trials get their grace, and the launching command resumes them."""
    for directory in _launched(place):
        content = read_record(directory)
        launcher_of(content).cancel(content["record"])
        typer.echo(f"{directory}: asked job {content['record'].get('job')} to stop")


def _launched(place: str) -> list[Path]:
    found = find_launched(place)
    if not found:
        raise ConfigError(f"{place}: nothing was launched remotely in that directory or under that tag")
    return found


@app.command()
def replay(place: Place) -> None:
    """Compute every logged decision again with a fresh scheduler, and compare."""
    from hpo.assembly import scheduler_of
    from hpo.replay import verify
    from hpo.results import objective_of
    from hpo.state import ExperimentState

    different = 0
    for directory in find_experiments(place):
        experiment = load_experiment(directory)
        count = [0]
        state = ExperimentState(objective_of(experiment.config))
        scheduler = scheduler_of(experiment.config)
        numbered = enumerate(experiment.events, 1)  # the log is append-only: its numbers have no gaps
        found = list(verify(scheduler, state, numbered, count))
        different += len(found)
        typer.echo(f"{directory}: {count[0]} decisions, {len(found)} different")
        for difference in found[:10]:
            typer.echo(f"  event {difference.sequence}: logged {difference.logged}, replayed {difference.replayed}")
    if different:
        raise typer.Exit(1)


@app.command()
def compare(
    places: Annotated[list[str], typer.Argument(metavar="DIR|TAG...", help="Directories, or tags under outputs/.")],
    baseline: Annotated[str | None, typer.Option(help="Method that others are measured by; RS where there is.")] = None,
    metric_budget: Annotated[
        str, typer.Option(metavar="TO|FROM:TO", help="Compare from and up to these elapsed seconds.")
    ] = "",
    score: Annotated[str, typer.Option(help="What the verdict goes by: anytime or final.")] = "anytime",
    delta: Annotated[float, typer.Option(help="Difference of regret to plan seeds for.")] = 0.03,
    include_incomplete: Annotated[bool, typer.Option("--include-incomplete", help="As far as they got.")] = False,
    unpaired: Annotated[bool, typer.Option("--unpaired", help="Accept different random_seeds.")] = False,
    random_seed: Annotated[int, typer.Option(help="Of bootstrap and sign flips.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the same numbers for programs.")] = False,
) -> None:
    """Compare methods over seeds: scores, speed-ups, paired statistics, and a verdict that says what they show."""
    import json

    from hpo import analysis

    comparison = analysis.compare(
        places,
        baseline=baseline,
        metric_budget=_budget(metric_budget),
        score=score,
        delta=delta,
        include_incomplete=include_incomplete,
        unpaired=unpaired,
        random_seed=random_seed,
    )
    typer.echo(json.dumps(comparison.to_dict(), indent=1) if as_json else comparison.text())


def _budget(text: str) -> tuple[float | None, float | None]:
    """`60` or `6:60`, in seconds."""
    if not text:
        return None, None
    start, _, end = text.rpartition(":")
    try:
        return float(start) if start else None, float(end)
    except ValueError:
        raise ConfigError(f"--metric-budget {text}: use seconds, such as 60, or 6:60 for from and to") from None


def main(arguments: Sequence[str]) -> int:
    """Run a verb. Returns the exit code.

    Raises:
        ConfigError: there is no such verb.
        HPOError: from the verb.
    """
    verbs = [command.callback.__name__ for command in app.registered_commands if command.callback]
    if arguments[0] not in verbs:
        raise ConfigError(
            f"{arguments[0]!r} is neither a verb ({', '.join(verbs)}) nor an override of the form key=value"
        )
    try:
        app(args=list(arguments), prog_name="hpo")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0
