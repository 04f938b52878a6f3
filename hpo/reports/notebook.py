"""`hpo.show`: the offline report of an experiment inside a notebook."""

from dataclasses import dataclass
from pathlib import Path

from hpo.reports.experiment_page import experiment_page
from hpo.reports.page import escaped
from hpo.results.experiment import Experiment, load_experiment
from hpo.store.directory import ExperimentDirectory


@dataclass(frozen=True)
class ShownReport:
    """A report, which a notebook shows."""

    directory: Path
    page: str
    """HTML, whole in itself."""
    height: int
    """Of the frame, in pixels."""

    def __repr__(self) -> str:
        return f"report of {self.directory}; outside a notebook: hpo report {self.directory}"

    def _repr_html_(self) -> str:
        # Without allow-same-origin: what is in the report cannot touch the notebook.
        style = f"width:100%;height:{self.height}px;border:0"
        return f'<iframe sandbox="allow-scripts" title="report" style="{style}" srcdoc="{escaped(self.page)}"></iframe>'


def show(experiment: Experiment | str | Path, *, height: int = 800) -> ShownReport:
    """The whole report of an experiment, for the last line of a notebook's cell.

    Args:
        experiment: as loaded, or its directory or tag.
        height: of the frame, in pixels.

    Raises:
        StoreError: there is no experiment, or it is damaged.
    """
    if not isinstance(experiment, Experiment):
        experiment = load_experiment(experiment)
    page = experiment_page(experiment, ExperimentDirectory(experiment.directory).path / "report.html")
    return ShownReport(directory=experiment.directory, page=page, height=height)
