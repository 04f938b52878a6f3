"""The order in which a trial writes reports and checkpoints, as the kernel observed it.

One inotify instance watches both places, and its queue keeps the order of the writes; looking at the folder after each
report would be too late to tell. If the kernel cannot watch them, only the existence of saved files is recorded.
"""

import contextlib
from pathlib import Path

from hpo.store.inotify import CLOSE_WRITE, CREATE, IS_DIRECTORY, MODIFY, MOVED_TO, open_inotify

_WRITTEN = CREATE | MODIFY | CLOSE_WRITE | MOVED_TO

REPORT, SAVE = "R", "S"


class WriteWatch(contextlib.AbstractContextManager["WriteWatch"]):
    """A watcher of the writes to a checkpoint folder and to a report file.

    Args:
        checkpoint: Checkpoint folder; folders below it are watched as they appear.
        reports: Report file.
    """

    def __init__(self, checkpoint: Path, reports: Path) -> None:
        self._inotify = open_inotify("whether the script saves before it reports is not seen")
        checkpoint.mkdir(parents=True, exist_ok=True)
        reports.parent.mkdir(parents=True, exist_ok=True)
        reports.touch()
        self._checkpoint = checkpoint
        self._reports = self._watch(reports, MODIFY)
        self._folders: dict[int | None, Path] = {self._watch(checkpoint, _WRITTEN): checkpoint}
        self._blind = self._reports is None or None in self._folders
        self.order = ""
        """Order of the writes, such as SRSRSR: S for a save, R for a report; repeated writes of one kind count once.

        Without R if the kernel could not observe the order.
        """

    def __exit__(self, *_: object) -> None:
        if self._inotify is not None:
            self._inotify.close()

    def _watch(self, path: Path, mask: int) -> int | None:
        with contextlib.suppress(OSError):  # the folder is gone, or the kernel's limit of watches is reached
            return None if self._inotify is None else self._inotify.add_watch(path, mask)
        return None

    def look(self) -> None:
        """Record the writes that have happened since the last call."""
        if self._blind:
            if any(path.is_file() for path in self._checkpoint.rglob("*")):
                self._note(SAVE)
            return
        for event in self._inotify.read(timeout=0):
            if event.wd == self._reports:
                self._note(REPORT)
            elif event.wd in self._folders:
                self._note(SAVE)
                if event.mask & IS_DIRECTORY and event.mask & (CREATE | MOVED_TO):
                    folder = self._folders[event.wd] / event.name
                    self._folders[self._watch(folder, _WRITTEN)] = folder

    def _note(self, what: str) -> None:
        if not self.order.endswith(what):
            self.order += what


def unsaved(order: str, reports: int) -> bool:
    """Whether there were reports without a save before them, or without a save since the previous report."""
    return order.count(REPORT) < reports or order.startswith(REPORT)
