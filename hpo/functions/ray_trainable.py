"""Functions written for Ray Tune, used unchanged: what they report to Ray is reported to hpo.

A trainable calls `tune.report({...}, checkpoint=...)` and `tune.get_checkpoint()`, which do nothing outside of Ray. In
the process of a trial they are replaced. Nothing of Ray is imported here: the function's own script has done that.
"""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESOURCE = "training_iteration"
"""Ray's name for the number of reports."""
_MODULES = ("ray.tune", "ray.train", "ray.air.session")


class Session:
    """Replacement for `tune.report` and `tune.get_checkpoint`.

    Args:
        report: Function that receives a report's values.
        folder: Folder of the trial for checkpoints.
    """

    def __init__(self, report: Callable[..., None], folder: Path) -> None:
        self._report = report
        self._folder = folder
        self._iteration = 0

    def report(self, metrics: dict[str, Any], *, checkpoint: Any = None, **_: Any) -> None:
        """Save the checkpoint, if given, then report the metrics with the number of this report."""
        self._iteration += 1
        if checkpoint is not None:
            self._save(checkpoint)
        self._report({RESOURCE: self._iteration, **metrics})

    def get_checkpoint(self) -> Any:
        """Return the last checkpoint and continue counting reports from it; None if there is none."""
        saved = self._saved()
        if not saved:
            return None
        self._iteration = max(saved)
        return sys.modules["ray.tune"].Checkpoint.from_directory(str(saved[self._iteration]))

    def _saved(self) -> dict[int, Path]:
        return {int(path.name.rpartition("-")[2]): path for path in self._folder.glob("iteration-*")}

    def _save(self, checkpoint: Any) -> None:
        """Save a checkpoint atomically: it gets its name once it is complete."""
        before = self._saved()
        fresh = self._folder / "incomplete"
        shutil.rmtree(fresh, ignore_errors=True)
        checkpoint.to_directory(str(fresh))
        path = self._folder / f"iteration-{self._iteration}"
        shutil.rmtree(path, ignore_errors=True)
        fresh.rename(path)
        for number, old in before.items():
            if number != self._iteration:
                shutil.rmtree(old)


def hear_ray(function: Callable[..., Any], report: Callable[..., None]) -> None:
    """Redirect what a function reports to Ray to `report`, however its script imported Ray.

    Args:
        function: Function of a script that has been imported.
        report: Function that receives a report's values.
    """
    session = Session(report, Path(os.environ["HPO_CHECKPOINT_DIR"]))
    names = getattr(function, "__globals__", {})
    for module in (sys.modules[name] for name in _MODULES if name in sys.modules):
        for call in ("report", "get_checkpoint"):
            old, new = getattr(module, call, None), getattr(session, call)
            if old is not None:
                setattr(module, call, new)
                names.update({name: new for name, value in list(names.items()) if value is old})
