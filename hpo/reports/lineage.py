"""Tables of the trials that continued from copies of others, and of the schedule that led to the best result."""

from hpo.events.text import configuration_text
from hpo.events.training_legs import legs_of
from hpo.events.types import Kind
from hpo.reports.page import PageColumn, PageTable, Part, paragraph
from hpo.results.experiment import Experiment


def lineage(experiment: Experiment) -> list[Part]:
    """Return two tables if trials continued from copies of other trials; otherwise nothing."""
    if not experiment.state.copies:
        return []
    return [*_schedule(experiment), _copies(experiment)]


def _schedule(experiment: Experiment) -> list[Part]:
    state = experiment.state
    if state.incumbent is None:
        return []
    legs = legs_of(state.trials, state.incumbent.trial_id, state.incumbent.resource)
    names = [name for name in legs[0].configuration if len({str(leg.configuration.get(name)) for leg in legs}) > 1]
    columns = [PageColumn(name, number=True) for name in ("trial", "from", "to")]
    columns += [PageColumn(name, number=True) for name in names]
    rows = [[leg.trial_id, leg.begin, leg.end, *(leg.configuration.get(name) for name in names)] for leg in legs]
    unit = state.objective.resource_attr or "report"
    text = (
        f"The best result came from {len(legs)} trials, each of which continued from a copy of the one before's checkpoint; "
        f"what changed is in the table, from and to are {unit}s. The configuration of the last alone does not give that "
        f"result: schedule.yaml has all of it, and hpo reproduce trains it again."
        if len(legs) > 1
        else "The trial with the best result began from scratch: its configuration alone gives that result."
    )
    return [PageTable("schedule", "The schedule", columns, rows), paragraph(text, "soft")]


def _copies(experiment: Experiment) -> PageTable:
    trials = experiment.state.trials
    rows = []
    for event in experiment.events:
        if event.kind == Kind.STARTED and "source" in event.body:
            source, configuration = event.body["source"], event.body["configuration"]
            before = trials[source].trial.configuration
            changed = {name: value for name, value in configuration.items() if before.get(name) != value}
            rows.append(
                [
                    event.elapsed,
                    event.trial,
                    source,
                    event.body["source_resource"],
                    event.body["replaces"],
                    configuration_text(changed) or "nothing",
                ]
            )
    unit = experiment.state.objective.resource_attr or "report"
    heads = ("after seconds", "trial", "continued from trial", f"at {unit}", "in place of trial")
    columns = [*(PageColumn(head, number=True) for head in heads), PageColumn("changed")]
    return PageTable("copies", "Which trial continued from which", columns, rows)
