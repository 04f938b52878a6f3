"""Reports of a Hydra app that only returns its result: a callback of Hydra's, which a trial is given as an override.

++hydra.callbacks.hpo={_target_:hpo.integrations.hydra_app.ReportReturned,metric:loss}
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from hpo.reporting import REPORT_FILE, report

_RANKS = ("RANK", "LOCAL_RANK")
"""Environment variables in which launchers of several processes set the rank; only the process of rank 0 reports."""


class ReportReturned(Callback):
    """A Hydra callback that reports what the function under `@hydra.main` has returned, unless the app has reported itself.

    Args:
        metric: Name of the returned number, or its key if a mapping is returned; for several objectives all names, in the
            order in which the function returns the numbers.
        resource_attr: Name of the resource spent, such as epoch; None to report none.
        max_resource_attr: Key of the app's configuration that says how much of it this trial is to spend.
    """

    def __init__(
        self, metric: str | Sequence[str], resource_attr: str | None = None, max_resource_attr: str | None = None
    ) -> None:
        self._metrics = [metric] if isinstance(metric, str) else list(metric)
        self._resource, self._limit = resource_attr, max_resource_attr

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
        values = _numbers(self._named(returned))
        names = " and ".join(self._metrics)
        if missing := [name for name in self._metrics if name not in values]:
            what = "a number" if len(self._metrics) == 1 else f"{len(self._metrics)} numbers, {names}"
            raise SystemExit(
                f"the app has neither reported {missing[0]} nor returned {what} (it returned {returned!r:.100}): return "
                f"{'one' if len(self._metrics) == 1 else 'them'} from the function under @hydra.main, or call "
                f"hpo.report({'=..., '.join(self._metrics)}=...) in it"
            )
        if self._resource is None and self._limit is not None:
            raise SystemExit(
                f"the app returned {names} and reported nothing: how far it has trained needs a name, such as "
                "resource_attr: epoch (in a sweep hydra.sweeper.resource_attr=epoch)"
            )
        if self._resource is not None and self._resource not in values:
            values[self._resource] = 1 if self._limit is None else OmegaConf.select(config, self._limit)
        report(values)

    def _named(self, returned: Any) -> Mapping[Any, Any]:
        """Return the values by their names: a mapping's own, else those of the objectives in order."""
        if isinstance(returned, Mapping):
            return returned
        if len(self._metrics) == 1:
            return {self._metrics[0]: returned}
        try:
            return dict(zip(self._metrics, returned, strict=True))
        except (TypeError, ValueError):  # not several, or another number of them
            return {}


def _numbers(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the values that are numbers, scalars of NumPy and torch included."""
    found = {}
    for name, value in values.items():
        try:
            found[str(name)] = value if isinstance(value, int) else float(value)
        except (TypeError, ValueError):
            continue
    return found
