"""`hpo compare`: methods over seeds. Its options are those of the other verbs that compare."""

from typing import Annotated

import typer

from hpo.cli.verbs.app import app
from hpo.errors import ConfigError

Baseline = Annotated[str | None, typer.Option(help="Method that others are measured by; RS where there is.")]
MetricBudget = Annotated[str, typer.Option(metavar="TO|FROM:TO", help="Compare from and up to these elapsed seconds.")]
Score = Annotated[str, typer.Option(metavar="anytime|final", help="What the verdict goes by: anytime or final.")]
Incomplete = Annotated[bool, typer.Option("--include-incomplete", help="As far as they got.")]
Steered = Annotated[
    bool, typer.Option("--include-steered", help="Also where trials were stopped, or held, by command.")
]
Unpaired = Annotated[bool, typer.Option("--unpaired", help="Accept different random_seeds.")]


@app.command()
def compare(
    places: Annotated[list[str], typer.Argument(metavar="DIR|TAG...", help="Directories, or tags under outputs/.")],
    baseline: Baseline = None,
    metric_budget: MetricBudget = "",
    score: Score = "anytime",
    delta: Annotated[float, typer.Option(help="Difference of regret to plan seeds for.")] = 0.03,
    include_incomplete: Incomplete = False,
    include_steered: Steered = False,
    unpaired: Unpaired = False,
    random_seed: Annotated[int, typer.Option(help="Of bootstrap and sign flips.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the same numbers for programs.")] = False,
) -> None:
    """Compare methods over seeds: scores, speed-ups, paired statistics, and a verdict that says what they show."""
    import json

    from hpo import analysis

    comparison = analysis.compare(
        places,
        baseline=baseline,
        metric_budget=seconds_of(metric_budget),
        score=score,
        delta=delta,
        include_incomplete=include_incomplete,
        include_steered=include_steered,
        unpaired=unpaired,
        random_seed=random_seed,
    )
    typer.echo(json.dumps(comparison.to_dict(), indent=1) if as_json else comparison.text())


def seconds_of(metric_budget: str) -> tuple[float | None, float | None]:
    """`60` or `6:60`: from when, and up to when.

    Raises:
        ConfigError: it is something else.
    """
    if not metric_budget:
        return None, None
    start, _, end = metric_budget.rpartition(":")
    try:
        return float(start) if start else None, float(end)
    except ValueError:
        raise ConfigError(
            f"--metric-budget {metric_budget}: use seconds, such as 60, or 6:60 for from and to"
        ) from None
