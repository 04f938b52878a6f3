"""The function `load_experiments`: several experiments side by side in one table."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hpo.results.experiment import Experiment, load_experiment
from hpo.store.directory import ExperimentDirectory
from hpo.store.experiment_paths import find_experiments
from hpo.store.tags import OUTPUTS

if TYPE_CHECKING:
    import pandas as pd

_NAMES = ("experiment_tag", "benchmark", "method", "seed")
_CATEGORIES = (*_NAMES[:3], "status", "st_decision", "st_status")


class Experiments(list[Experiment]):
    """A list of experiments with tables of all their trials and reports; each row names its experiment."""

    @cached_property
    def trials(self) -> "pd.DataFrame":
        """One row per trial: experiment_tag, benchmark, method, seed, then the columns of `Experiment.trials`."""
        return self._table("trials")

    @cached_property
    def reports(self) -> "pd.DataFrame":
        """One row per report: experiment_tag, benchmark, method, seed, then the columns of `Experiment.reports`."""
        return self._table("reports")

    def _repr_html_(self) -> str:
        return f"<div>{''.join(experiment._repr_html_() for experiment in self[:_MOST_SHOWN])}{self._rest()}</div>"

    def _rest(self) -> str:
        more = len(self) - _MOST_SHOWN
        return f"<p>… and {more} more</p>" if more > 0 else ""

    def _table(self, name: str) -> "pd.DataFrame":
        import pandas as pd

        tables = [table for table in self._tables(name) if not table.empty]
        if not tables:
            return pd.DataFrame(columns=list(_NAMES))
        table = pd.concat(tables, ignore_index=True)
        return table.astype({name: "category" for name in _CATEGORIES if name in table})

    def _tables(self, name: str) -> "Iterator[pd.DataFrame]":
        for experiment in self:
            config = experiment.config
            names = (config.experiment_tag, config.benchmark.name, config.method.name, config.seed)
            table = getattr(experiment, name).copy()
            for position, (column, value) in enumerate(zip(_NAMES, names, strict=True)):
                table.insert(position, column, value)
            yield table


_MOST_SHOWN = 5
"""Largest number of experiments that a notebook shows, because a notebook stores what it shows."""


def load_experiments(*places: str | Path) -> Experiments:
    """Read all experiments in some directories or tags, each once, even while they run; without arguments those in outputs/.

    Experiments without events on this machine, such as remote ones before `hpo sync`, are left out.

    Raises:
        StoreError: There are no experiments, or one is damaged.
    """
    found = dict.fromkeys(directory for place in places or [OUTPUTS] for directory in find_experiments(place))
    return Experiments(
        load_experiment(directory) for directory in found if ExperimentDirectory(directory).events.is_file()
    )
