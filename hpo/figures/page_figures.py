"""Which figures a page about one experiment has: of the report, and of the live page, which makes them at other times."""

from hpo.figures import experiment_charts, pareto_charts, schedule_charts, space_charts
from hpo.figures.chart import Chart
from hpo.history.record import Subject


def progress(experiment: Subject) -> list[Chart]:
    """What was reached, and when."""
    curves = experiment_charts.learning_curves(experiment)
    if experiment.state.objective.aims:
        return [pareto_charts.front(experiment), pareto_charts.hypervolume(experiment), curves]
    return [experiment_charts.anytime(experiment), curves, *schedule_charts.schedules(experiment)]


def space(experiment: Subject) -> list[Chart]:
    """The results and what they were reached with."""
    count = len(experiment.state.objective.each)
    return [space_charts.parallel(experiment), *(space_charts.slices(experiment, aim=aim) for aim in range(count))]


def importances(experiment: Subject) -> list[Chart]:
    """Main effects of the hyperparameters, for each objective."""
    from hpo.history.importance import importance  # its forest takes a second

    found = [importance(experiment, aim=aim) for aim in range(len(experiment.state.objective.each))]
    return [experiment_charts.importance_bars(experiment, one) for one in found]
