"""Hyperparameter schedules of trials that continued from copies of others with other values."""

from hpo.events.training_legs import legs_of
from hpo.figures.chart import Chart, Panel, Pieces, axis
from hpo.figures.space_charts import value_axis
from hpo.figures.style import ACCENT, NEUTRAL, data_label
from hpo.history.record import Subject
from hpo.space.domains import Choice


def schedules(experiment: Subject) -> list[Chart]:
    """Return a chart with a panel for each numeric hyperparameter that changed during training; nothing if none did."""
    state, domains = experiment.state, experiment.config.space.domains
    if not state.copies:
        return []
    copied = [trial for trial in state.trials.values() if trial.trial.source is not None]
    changed = {
        name
        for trial in copied
        for name, value in trial.trial.configuration.items()
        if trial.trial.source is not None and state.trials[trial.trial.source].trial.configuration.get(name) != value
    }
    names = [name for name, domain in domains.items() if name in changed and not isinstance(domain, Choice)]
    resource = state.objective.resource_attr or "report"
    panels = [_panel(experiment, name, resource) for name in names]
    caption = (
        f"The value that every trial was trained with, from the {resource} it began at to the one it reached. The thick "
        f"line is the schedule of the best result: each step is a copy that continued with another value."
    )
    return [
        Chart(
            "schedule",
            "Schedules",
            caption,
            panels,
            height=240,
            label=data_label(experiment.metadata),
            columns=2,
            instead="No number was changed on the way.",
        )
    ]


def _panel(experiment: Subject, name: str, resource: str) -> Panel:
    state, everyone, best = experiment.state, Pieces(), Pieces()
    for trial_id, trial in state.trials.items():
        value = trial.trial.configuration.get(name)
        if value is not None and trial.has_reported:
            everyone.add([trial.base, trial.resource], [value, value], f"trial {trial_id}: {value:.5g}")
    legs = [] if state.incumbent is None else legs_of(state.trials, state.incumbent.trial_id, state.incumbent.resource)
    points = [(at, leg.configuration.get(name)) for leg in legs for at in (leg.begin, leg.end)]
    known = [(at, value) for at, value in points if value is not None]
    if known:
        best.add([at for at, _ in known], [value for _, value in known], "the best result")
    return Panel(
        axis(resource, zero=True),
        value_axis(name, experiment.config.space.domains[name]),
        [
            everyone.series("line", "a trial", NEUTRAL, width=1, gaps=True),
            best.series("line", "the best result", ACCENT, width=2.4),
        ],
    )
