"""Reports of a Hydra app that only returns its result: a callback of Hydra's, which a trial is given as an override.

++hydra.callbacks.hpo={_target_:hpo.integrations.hydra_app.ReportReturned,metric:loss}
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from hpo.reporting import REPORT_FILE, report

_RANKS = ("RANK", "LOCAL_RANK")
"""What launchers of several processes set; the first of them speaks for all."""


class ReportReturned(Callback):
    """A Hydra callback that reports what the function under `@hydra.main` has returned, unless the app has reported itself.

    Args:
        metric: Name of the returned number, or its key if a mapping is returned.
        resource_attr: Name of the resource spent, such as epoch; None to report none.
        max_resource_attr: Key of the app's configuration that says how much of it this trial is to spend.
    """

    def __init__(self, metric: str, resource_attr: str | None = None, max_resource_attr: str | None = None) -> None:
        self._metric, self._resource, self._limit = metric, resource_attr, max_resource_attr

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Hydra's hook, after the app's function.

        Raises:
            SystemExit: there is no result; Hydra makes a mere warning of any other exception.
        """
        file = os.environ.get(REPORT_FILE)
        if file is None or job_return.status != JobStatus.COMPLETED or Path(file).stat().st_size > 0:
            return
        if any(os.environ.get(rank, "0") != "0" for rank in _RANKS):
            return
        returned = job_return.return_value
        values = _numbers(returned if isinstance(returned, Mapping) else {self._metric: returned})
        if self._metric not in values:
            raise SystemExit(
                f"the app has neither reported {self._metric} nor returned a number (it returned {returned!r:.100}): return "
                f"one from the function under @hydra.main, or call hpo.report({self._metric}=...) in it"
            )
        if self._resource is None and self._limit is not None:
            raise SystemExit(
                f"the app returned {self._metric} and reported nothing: how far it has trained needs a name, such as "
                "resource_attr: epoch (in a sweep hydra.sweeper.resource_attr=epoch)"
            )
        if self._resource is not None and self._resource not in values:
            values[self._resource] = 1 if self._limit is None else OmegaConf.select(config, self._limit)
        report(values)


def _numbers(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Those that are numbers, scalars of NumPy and torch included."""
    found = {}
    for name, value in values.items():
        try:
            found[str(name)] = value if isinstance(value, int) else float(value)
        except (TypeError, ValueError):
            continue
    return found
