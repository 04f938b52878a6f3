"""Plot functions of `hpo.figures`: each draws a chart of an experiment or a comparison, and returns the axes or the figure.

`ax` or `figure` says where to draw; by default a new figure is made. Values of the metric far from all others are marked at
the edge; `all_values` puts them on the axis.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from hpo.analysis.comparison import Comparison
from hpo.analysis.regret_over_time import over_time
from hpo.analysis.scores import BenchmarkScores
from hpo.errors import ConfigError
from hpo.figures import experiment_charts, method_charts, pareto_charts, space_charts
from hpo.figures.chart import Chart
from hpo.figures.matplotlib_drawing import draw, draw_panels
from hpo.history import importance as shares
from hpo.results.experiment import Experiment

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def anytime(experiment: Experiment, ax: "Axes | None" = None, *, all_values: bool = False) -> "Axes":
    """Plot the best result so far against elapsed time, or cost if one is named, and each trial's last report."""
    return draw(_named(experiment, experiment_charts.anytime(experiment), all_values), ax)


def front(experiment: Experiment, figure: "Figure | None" = None, *, all_values: bool = False) -> "Figure":
    """Plot all trials by their objectives and the Pareto front as steps, a panel for each pair of objectives.

    Raises:
        ConfigError: The experiment has one objective.
    """
    _check_several(experiment, "front")
    return draw_panels(_named(experiment, pareto_charts.front(experiment, whole=True), all_values), figure)


def hypervolume(experiment: Experiment, ax: "Axes | None" = None) -> "Axes":
    """Plot the share of the box up to the reference point that the Pareto front dominates, against elapsed time.

    Raises:
        ConfigError: The experiment has one objective.
    """
    _check_several(experiment, "hypervolume")
    return draw(_named(experiment, pareto_charts.hypervolume(experiment)), ax)


def curves(experiment: Experiment, ax: "Axes | None" = None, *, all_values: bool = False) -> "Axes":
    """Plot one learning curve per trial, coloured by the trial's outcome."""
    return draw(_named(experiment, experiment_charts.learning_curves(experiment, whole=True), all_values), ax)


def rungs(experiment: Experiment, ax: "Axes | None" = None) -> "Axes":
    """Plot how many trials reached each rung, and how many were promoted, wait or ended there."""
    return draw(_named(experiment, experiment_charts.rung_board(experiment)), ax)


def workers(experiment: Experiment, ax: "Axes | None" = None) -> "Axes":
    """Plot attempts on their workers; empty space is idle time."""
    return draw(_named(experiment, experiment_charts.workers(experiment, whole=True)), ax)


def importance(experiment: Experiment, ax: "Axes | None" = None, *, objective: str | None = None) -> "Axes":
    """Plot the hyperparameters' main effects with intervals, for the first or the named objective.

    Raises:
        ConfigError: There is too little data, or no such objective.
    """
    found = shares.importance(experiment, aim=_place_of(experiment, objective))
    if found.reason is not None:
        raise ConfigError(f"importance cannot be drawn for {experiment.directory}: {found.reason}")
    return draw(_named(experiment, experiment_charts.importance_bars(experiment, found)), ax)


def parallel(experiment: Experiment, ax: "Axes | None" = None, *, all_values: bool = False) -> "Axes":
    """Plot one line per trial through all hyperparameters to its last metric, the best on top."""
    return draw(_named(experiment, space_charts.parallel(experiment, whole=True), all_values), ax)


def slice_of(
    experiment: Experiment,
    ax: "Axes | None" = None,
    *,
    name: str,
    objective: str | None = None,
    all_values: bool = False,
) -> "Axes":
    """Plot each trial's last metric against one hyperparameter, for the first or the named objective.

    Raises:
        ConfigError: There is no such hyperparameter or objective.
    """
    domains = experiment.config.space.domains
    if name not in domains:
        raise ConfigError(f"name={name}: the hyperparameters are {', '.join(domains)}; choose one of them")
    aim = _place_of(experiment, objective)
    chart = space_charts.slices(experiment, whole=True, aim=aim)
    title = experiment.state.objective.each[aim].metric
    own = [replace(p, y={**p.y, "title": title}) for p in chart.panels if p.x["title"] == name]
    if not own:
        raise ConfigError(f"name={name}: no trial that reported has used it; choose another hyperparameter")
    return draw(_named(experiment, replace(chart, panels=own, height=space_charts.SLICE, wide=False), all_values), ax)


def slices(
    experiment: Experiment,
    figure: "Figure | None" = None,
    *,
    objective: str | None = None,
    all_values: bool = False,
) -> "Figure":
    """Plot `slice_of` for every hyperparameter in one figure."""
    chart = space_charts.slices(experiment, whole=True, aim=_place_of(experiment, objective))
    return draw_panels(_named(experiment, chart, all_values), figure)


def regret(comparison: Comparison, ax: "Axes | None" = None, benchmark: str | None = None) -> "Axes":
    """Plot normalised regret over time with pointwise 95 % intervals, one line per method."""
    scored = _scored(comparison, benchmark)
    return draw(method_charts.regret(0, scored, over_time(scored, comparison.random_seed)), ax)


def ranks(comparison: Comparison, ax: "Axes | None" = None, benchmark: str | None = None) -> "Axes":
    """Plot each method's mean rank over seeds against time."""
    scored = _scored(comparison, benchmark)
    return draw(method_charts.ranks(0, scored, over_time(scored, comparison.random_seed)), ax)


def seeds(comparison: Comparison, ax: "Axes | None" = None, benchmark: str | None = None) -> "Axes":
    """Plot each seed's score under each method; a line connects the scores of a seed."""
    return draw(method_charts.seeds(0, _scored(comparison, benchmark), comparison), ax)


def attained(comparison: Comparison, figure: "Figure | None" = None, benchmark: str | None = None) -> "Figure":
    """Plot what half of each method's seeds have attained, a panel for each pair of objectives.

    Raises:
        ConfigError: The benchmark has one objective.
    """
    block = _scored(comparison, benchmark).block
    if block.loaded[0].measure is None:
        raise ConfigError(
            f"attained: {block.benchmark} has one objective, {block.objective.metric}; draw anytime instead"
        )
    return draw_panels(pareto_charts.attained(0, block.benchmark, list(block.runs.values()), block.data_label), figure)


def differences(comparison: Comparison, ax: "Axes | None" = None) -> "Axes":
    """Plot all paired differences with their 95 % intervals, over all benchmarks; filled if methods are told apart."""
    return draw(method_charts.differences(comparison), ax)


def _named(experiment: Experiment, chart: Chart, all_values: bool = False) -> Chart:
    """Return a chart with benchmark and method in its title, as print needs it; optionally without limits."""
    config = experiment.config
    chart = chart.without_limits() if all_values else chart
    return replace(chart, title=f"{chart.title}: {config.benchmark.name}, {config.method.name}")


def _place_of(experiment: Experiment, objective: str | None) -> int:
    known = [aim.metric for aim in experiment.state.objective.each]
    if objective is not None and objective not in known:
        raise ConfigError(f"objective={objective}: there is {', '.join(known)}; choose one of them")
    return 0 if objective is None else known.index(objective)


def _check_several(experiment: Experiment, name: str) -> None:
    if not experiment.state.objective.aims:
        raise ConfigError(
            f"{name}: {experiment.directory} has one objective, {experiment.state.objective.metric}; draw anytime instead"
        )


def _scored(comparison: Comparison, benchmark: str | None) -> BenchmarkScores:
    for scored in comparison.scored:
        if benchmark in (None, scored.block.benchmark):
            return scored
    known = ", ".join(scored.block.benchmark for scored in comparison.scored)
    raise ConfigError(f"benchmark={benchmark}: compared are {known}; choose one of them")
