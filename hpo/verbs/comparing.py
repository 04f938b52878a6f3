"""`hpo compare`: methods over seeds."""

from typing import Annotated

import typer

from hpo.errors import ConfigError
from hpo.verbs.app import app


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
