"""`hpo compare`: a statistical comparison of methods over seeds, and the options that it shares with other commands."""

from collections.abc import Sequence
from typing import Annotated

from hpo.cli.commands.app import Option, Word, say, verb
from hpo.errors import ConfigError

Baseline = Annotated[str | None, Option("Method to compare others with; RS if it was run.")]
MetricBudget = Annotated[str, Option("Compare between these elapsed seconds.", metavar="TO|FROM:TO")]
Score = Annotated[str, Option("Score on which the verdict is based.", metavar="anytime|final")]
Incomplete = Annotated[bool, Option("Also unfinished experiments, as far as they got.", ["--include-incomplete"])]
Steered = Annotated[bool, Option("Also experiments that were steered by commands.", ["--include-steered"])]
Unpaired = Annotated[bool, Option("Accept different random_seeds.", ["--unpaired"])]


@verb()
def compare(
    places: Annotated[Sequence[str], Word("DIR|TAG...", "Directories, or tags under outputs/.")],
    baseline: Baseline = None,
    metric_budget: MetricBudget = "",
    score: Score = "anytime",
    delta: Annotated[float, Option("Difference of regret for which to compute the number of seeds.")] = 0.03,
    include_incomplete: Incomplete = False,
    include_steered: Steered = False,
    unpaired: Unpaired = False,
    random_seed: Annotated[int, Option("Random seed of the bootstrap and the sign flips.")] = 0,
    as_json: Annotated[bool, Option("Print the same numbers as JSON.", ["--json"])] = False,
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
    say(json.dumps(comparison.to_dict(), indent=1) if as_json else comparison.text())


def seconds_of(metric_budget: str) -> tuple[float | None, float | None]:
    """Parse a metric budget, `60` or `6:60`, as (start or None, end) in seconds.

    Raises:
        ConfigError: The text is something else.
    """
    if not metric_budget:
        return None, None
    start, _, end = metric_budget.rpartition(":")
    try:
        return float(start) if start else None, float(end)
    except ValueError:
        raise ConfigError(
            f"--metric-budget {metric_budget}: use seconds, such as 60, or 6:60 for a start and an end"
        ) from None
