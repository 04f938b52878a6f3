"""`hpo plan`: what a command would run, and the time and money that it would take."""

from pathlib import Path
from typing import Annotated

import click

from hpo.cli.commands.app import ConfigDirs, Option, Overrides, as_arguments, say, verb


@verb()
def plan(
    overrides: Overrides = (),
    config_dir: ConfigDirs = (),
    smoke: Annotated[bool, Option("Run one trial briefly and measure it.", ["--smoke"])] = False,
    prices: Annotated[
        str | None,
        Option(
            "YAML with date, region, currency, source and prices; `aws` fetches AWS's price list.", metavar="FILE|aws"
        ),
    ] = None,
    as_json: Annotated[bool, Option("Print the plan as JSON.", ["--json"])] = False,
) -> None:
    """Print what a command would run, how far trials would get, what it costs, and warnings. Runs nothing."""
    import json

    from hpo.cli.run import compose_jobs
    from hpo.planning.plan import make_plan
    from hpo.planning.prices import AWS, read_prices
    from hpo.planning.text import text, to_dict

    known = None if prices is None or prices == AWS else read_prices(Path(prices))
    made = make_plan(compose_jobs(as_arguments(overrides, config_dir)), smoke=smoke, prices=known)
    if prices == AWS:
        made.ask_for_prices()
    say(json.dumps(to_dict(made), indent=1) if as_json else text(made))
    if any(group.problem for group in made.groups):
        raise click.exceptions.Exit(1)
