"""What `hpo status` says of one experiment."""

from hpo.cli.commands.status import _show
from hpo.config.reading import load_config, resolve
from hpo.events.types import Event, Kind
from hpo.figures import experiment_charts
from hpo.results.experiment import Experiment


def experiment_on(folder, *nodes):
    """One whose trials run on these nodes, one after the other."""
    config = resolve(load_config("mlp_digits", "RS", experiment_tag="t", random_seed=1))
    events = [Event(Kind.OPENED, 0.0, 0.0, body={"n_workers": 2})]
    for trial, node in enumerate(nodes):
        events.append(Event(Kind.STARTED, trial, trial, trial, 0, body={"configuration": {}, "until": 9}))
        events.append(Event(Kind.NOTED, trial, trial, trial, 0, body={"text": "", "devices": [], "node": node}))
        if trial < len(nodes) - 1:
            events.append(Event(Kind.ENDED, trial + 1, trial + 1, trial, 0, body={"status": "completed", "usage": {}}))
    return Experiment(folder, config, {"status": "running"}, events)


def test_it_names_the_nodes_where_there_are_several_and_so_does_the_chart_of_workers(tmp_path, capsys):
    _show(experiment_on(tmp_path, "n1", "n1"))
    assert " nodes: " not in capsys.readouterr().out
    several = experiment_on(tmp_path, "n1", "n1", "n2")
    _show(several)
    assert "  on 2 nodes: n1 (2 attempts, 0 running), n2 (1 attempts, 1 running)\n" in capsys.readouterr().out
    chart = experiment_charts.workers(several)
    assert "Trials ran on 2 nodes: n1 (2), n2 (1) attempts." in chart.caption
    labels = [label for panel in chart.panels for series in panel.series for label in series["labels"]]
    assert sum("completed on n1: " in label for label in labels) == 2
    assert sum("running on n2: " in label for label in labels) == 1
