"""The call of a program on a cluster node, and the protection of a trial from attempts that were wrongly declared dead.

Ray sometimes declares healthy nodes dead, and a killed tuner's trials have their grace while the next session begins. So
each attempt has its own link to the checkpoint folder: `attempt_3/checkpoint -> ../checkpoint`. When all its processes
are seen to have ended, the link is removed. If the next attempt finds the link, it removes it and continues with a copy
of the folder: late writes by the old name then fail, and those by an open file or a working directory have no effect.
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
    """The experiment's directory, as one of several nodes that use it at the same time sees it."""

    slot: str = ""

    @property
    def host_log(self) -> Path:  # type: ignore[override]
        """Log of the standard error of this slot's trial host."""
        return self.path / f"host_{self.slot}.log"


@dataclass(frozen=True)
class NodeProgram(Program):
    """A benchmark's program, called by a slot.

    Args:
        slot: Name of the slot, unique over all sessions.
        hidden: Environment variables of Ray that are hidden from trials.
    """

    slot: str = ""
    hidden: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def mark(self) -> int:
        """The mark of this slot alone, so that it ends the processes that it has started and not its neighbour's."""
        return experiment_mark(f"{self.directory.path.resolve()}/slots/{self.slot}")

    @property
    def owns_devices(self) -> bool:
        """True: other processes on a trial's devices are leftovers, since Ray reassigns a dead actor's devices at once."""
        return True

    @property
    def environment_of_host(self) -> Mapping[str, str]:
        """The node's environment without the variables that Ray has added."""
        return {name: value for name, value in super().environment_of_host.items() if name not in self.hidden}

    def order(self, trial: Trial, attempt: int, until: int | None, devices: list[str]) -> dict[str, Any]:
        """Return the order of an attempt, and stop late writes by earlier attempts; see `Program.order`."""
        checkpoint, link = self.directory.checkpoint(trial.id), self._link(trial.id, attempt)
        for earlier in range(attempt):  # the last one may have been shut out only halfway
            link_of_it = self._link(trial.id, earlier)
            closed = link_of_it.with_name(_CLOSED)
            shut_out(closed if closed.is_symlink() else link_of_it, checkpoint)
        order = super().order(trial, attempt, until, devices)
        link.symlink_to(Path("..") / checkpoint.name)
        return order

    def ended(self, trial_id: int, attempt: int) -> None:
        """Remove the attempt's link to the checkpoint, since all its processes are gone."""
        for name in (_LINK, _CLOSED):
            self._link(trial_id, attempt).with_name(name).unlink(missing_ok=True)

    def _link(self, trial_id: int, attempt: int) -> Path:
        return self.directory.attempt(trial_id, attempt).absolute() / _LINK

    def _checkpoint(self, trial_id: int, attempt: int) -> Path:
        return self._link(trial_id, attempt)


def close_checkpoint(attempt: Path) -> None:
    """Prevent a lost attempt, whose processes may still live, from saving anything more; its reports are read after this.

    Args:
        attempt: Folder of the attempt.
    """
    with contextlib.suppress(FileNotFoundError):  # it has not begun, or was seen to end
        os.rename(attempt / _LINK, attempt / _CLOSED)  # noqa: PTH104


def shut_out(link: Path, checkpoint: Path) -> None:
    """Prevent an attempt whose end was not seen from writing into the next one's checkpoint.

    The function can be repeated wherever it was killed.

    Args:
        link: The attempt's link to the folder; if it is missing, the attempt was seen to end.
        checkpoint: Checkpoint folder.
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
