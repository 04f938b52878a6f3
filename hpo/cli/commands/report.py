"""`hpo report` and `hpo plot`: experiments and comparisons as one HTML file, and as figures for print."""

from pathlib import Path
from typing import Annotated

from hpo.cli.commands.app import Option, Place, say, verb
from hpo.cli.commands.compare import Baseline, Incomplete, MetricBudget, Score, Steered, Unpaired, seconds_of
from hpo.errors import ConfigError

Output = Annotated[Path | None, Option("Output file; see above for the default.", ["--output", "-o"])]


@verb()
def report(
    place: Place,
    output: Output = None,
    baseline: Baseline = None,
    metric_budget: MetricBudget = "",
    score: Score = "anytime",
    include_incomplete: Incomplete = False,
    include_steered: Steered = False,
    unpaired: Unpaired = False,
) -> None:
    """Write report.html into the directory: one self-contained file about an experiment, even while it runs, or about a tag.

    All options except --output determine how the methods of a tag are compared.
    """
    from hpo.reports import write_report

    path = write_report(
        place,
        output,
        baseline=baseline,
        metric_budget=seconds_of(metric_budget),
        score=score,
        include_incomplete=include_incomplete,
        include_steered=include_steered,
        unpaired=unpaired,
    )
    say(f"{path}: {path.stat().st_size / 1e6:.1f} MB, opens in any browser without a network")


@verb()
def plot(
    place: Place,
    figure: Annotated[str | None, Option("Name of one figure; all figures if not given.")] = None,
    output: Annotated[
        Path | None,
        Option("A file with --figure, else a folder; default: figures/ in DIR.", ["--output", "-o"]),
    ] = None,
    file_format: Annotated[
        str, Option("Format, if --output is not a file.", ["--format"], metavar="pdf|svg|png")
    ] = "pdf",
    all_values: Annotated[bool, Option("Extend axes of the metric to outliers, too.", ["--all-values"])] = False,
    baseline: Baseline = None,
    metric_budget: MetricBudget = "",
    include_incomplete: Incomplete = False,
    include_steered: Steered = False,
    unpaired: Unpaired = False,
) -> None:
    """Draw figures for print, as vector graphics or PNG, of an experiment or of a tag's methods.

    The last five options determine how the methods of a tag are compared.
    """
    from hpo.figures import saving
    from hpo.store.experiment_paths import folder_of

    subject = saving.subject_of(
        place,
        baseline=baseline,
        metric_budget=seconds_of(metric_budget),
        include_incomplete=include_incomplete,
        include_steered=include_steered,
        unpaired=unpaired,
    )
    folder = folder_of(place) / "figures"
    if output is None and folder.is_symlink():
        raise ConfigError(f"{folder}: is a link to {folder.resolve()}; name that folder with --output to write there")
    if figure is None:
        paths = saving.save_all(subject, output or folder, file_format, all_values=all_values)
    else:
        path = output or folder / f"{figure}.{file_format}"
        paths = [saving.save(subject, figure, path, all_values=all_values)]
    for path in paths:
        say(path)
