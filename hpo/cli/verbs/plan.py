"""`hpo plan`: what a command would do and what that would take."""

from pathlib import Path
from typing import Annotated

import typer

from hpo.cli.verbs.app import ConfigDirs, Overrides, app, as_arguments


@app.command()
def plan(
    overrides: Overrides = None,
    config_dir: ConfigDirs = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="Run one trial for a moment, and measure it.")] = False,
    prices: Annotated[Path | None, typer.Option(help="YAML: date, region, currency, source, and prices.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan for programs.")] = False,
) -> None:
    """Say what a command would run, how far trials would get, what it takes, and what is doubtful. Runs nothing."""
    import json

    from hpo.cli.run import compose_jobs
    from hpo.planning.plan import make_plan
    from hpo.planning.prices import read_prices
    from hpo.planning.text import text, to_dict

    known = read_prices(prices) if prices is not None else None
    made = make_plan(compose_jobs(as_arguments(overrides, config_dir)), smoke=smoke, prices=known)
    typer.echo(json.dumps(to_dict(made), indent=1) if as_json else text(made))
    if any(group.problem for group in made.groups):
        raise typer.Exit(1)
