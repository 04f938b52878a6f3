"""Selection of an experiment's figures for the report and the live page."""

from hpo.figures import experiment_charts, pareto_charts, schedule_charts, space_charts
from hpo.figures.chart import Chart
from hpo.history.record import Subject


def progress(experiment: Subject) -> list[Chart]:
    """Return the charts of results over time."""
    curves = experiment_charts.learning_curves(experiment)
    if experiment.state.objective.aims:
        return [pareto_charts.front(experiment), pareto_charts.hypervolume(experiment), curves]
    return [experiment_charts.anytime(experiment), curves, *schedule_charts.schedules(experiment)]


def space(experiment: Subject) -> list[Chart]:
    """Return the charts of results over hyperparameters."""
    count = len(experiment.state.objective.each)
    return [space_charts.parallel(experiment), *(space_charts.slices(experiment, aim=aim) for aim in range(count))]


def importances(experiment: Subject) -> list[Chart]:
    """Return a chart of the hyperparameters' main effects for each objective."""
    from hpo.history.importance import importance  # importing its random forest takes a second

    found = [importance(experiment, aim=aim) for aim in range(len(experiment.state.objective.each))]
    return [experiment_charts.importance_bars(experiment, one) for one in found]
