"""How a program is called on a node of a cluster, and what keeps a trial apart from one that is only said to be dead.

Ray takes healthy nodes for dead at times, and a killed tuner's trials have their grace while the next session begins. So an
attempt knows its checkpoint folder by a link of its own: `attempt_3/checkpoint -> ../checkpoint`. When all its processes
are seen to be gone the link is removed. Where the next attempt finds it still there, it removes it, and goes on with a copy
of the folder: what a late process writes by the old name is refused, by an open file or its working directory goes nowhere.
"""

import contextlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from hpo.backends.trial_program import Program
from hpo.events.types import Trial
from hpo.host.process_marks import experiment_mark
from hpo.store.directory import ExperimentDirectory

_LINK, _CLOSED = "checkpoint", "checkpoint.closed"


@dataclass(frozen=True)
class NodeDirectory(ExperimentDirectory):
    """The experiment's directory, as one of several nodes uses it at the same time."""

    slot: str = ""

    @property
    def host_log(self) -> Path:  # type: ignore[override]
        """Standard error of this slot's trial host."""
        return self.path / f"host_{self.slot}.log"


@dataclass(frozen=True)
class NodeProgram(Program):
    """A benchmark's program, called by a slot.

    Args:
        slot: a name that no other slot of any session has.
        hidden: variables that are Ray's, and none of a trial's business.
    """

    slot: str = ""
    hidden: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def mark(self) -> int:
        """Of this slot alone: it sweeps what it has started, and its neighbour's trials not."""
        return experiment_mark(f"{self.directory.path.resolve()}/slots/{self.slot}")

    @property
    def owns_devices(self) -> bool:
        """Ray gives away the devices of an actor that is dead, though its trial may still be on them."""
        return True

    @property
    def environment_of_host(self) -> Mapping[str, str]:
        """As the node has it, without what Ray has added."""
        return {name: value for name, value in super().environment_of_host.items() if name not in self.hidden}

    def order(self, trial: Trial, attempt: int, until: int | None, devices: list[str]) -> dict[str, Any]:
        """See `Program.order`; late writers of earlier attempts are shut out."""
        checkpoint, link = self.directory.checkpoint(trial.id), self._link(trial.id, attempt)
        for earlier in range(attempt):  # that of the last one may have been shut out halfway
            link_of_it = self._link(trial.id, earlier)
            closed = link_of_it.with_name(_CLOSED)
            shut_out(closed if closed.is_symlink() else link_of_it, checkpoint)
        order = super().order(trial, attempt, until, devices)
        link.symlink_to(Path("..") / checkpoint.name)
        return order

    def ended(self, trial_id: int, attempt: int) -> None:
        """All processes of the attempt are gone."""
        for name in (_LINK, _CLOSED):
            self._link(trial_id, attempt).with_name(name).unlink(missing_ok=True)

    def _link(self, trial_id: int, attempt: int) -> Path:
        return self.directory.attempt(trial_id, attempt).absolute() / _LINK

    def _checkpoint(self, trial_id: int, attempt: int) -> Path:
        return self._link(trial_id, attempt)


def close_checkpoint(attempt: Path) -> None:
    """Have an attempt that is lost save nothing more, though its processes may live on: what they report is read after this.

    Args:
        attempt: its folder.
    """
    with contextlib.suppress(FileNotFoundError):  # it has not begun, or was seen to end
        os.rename(attempt / _LINK, attempt / _CLOSED)  # noqa: PTH104


def shut_out(link: Path, checkpoint: Path) -> None:
    """Keep an attempt whose end nobody saw from writing into the checkpoint of the next. Killed anywhere, it can be repeated.

    Args:
        link: by which the attempt knows it; without it the attempt was seen to end.
        checkpoint: the folder.
    """
    left = checkpoint.with_name(f"{checkpoint.name}.{link.parent.name}")
    if link.is_symlink():
        if checkpoint.is_dir() and not left.exists():
            os.rename(checkpoint, left)  # noqa: PTH104
        link.unlink()
    if left.exists():
        if not checkpoint.exists():
            new = left.with_name(f"{left.name}.new")
            shutil.rmtree(new, ignore_errors=True)
            shutil.copytree(left, new, symlinks=True)
            os.rename(new, checkpoint)  # noqa: PTH104
        shutil.rmtree(left, ignore_errors=True)  # a late process may still write there
