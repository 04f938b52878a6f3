"""In which order a trial writes reports and checkpoints, as the kernel saw it.

One inotify instance watches both places, and its queue keeps the order in which things happened; looking at the folder
after each report would come too late to tell. Where the kernel watches nothing, only whether there are saves is seen.
"""

import contextlib
from pathlib import Path

from hpo.store.inotify import CLOSE_WRITE, CREATE, IS_DIRECTORY, MODIFY, MOVED_TO, open_inotify

_WRITTEN = CREATE | MODIFY | CLOSE_WRITE | MOVED_TO

REPORT, SAVE = "R", "S"


class Saves(contextlib.AbstractContextManager["Saves"]):
    """Watches a checkpoint folder and a report file.

    Args:
        checkpoint: the folder; what is below it is watched as it appears.
        reports: the file.
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
        """A letter for each report and each save, what is done several times in a row only once: SRSRSR.

        Without reports where the order was not seen.
        """

    def __exit__(self, *_: object) -> None:
        if self._inotify is not None:
            self._inotify.close()

    def _watch(self, path: Path, mask: int) -> int | None:
        with contextlib.suppress(OSError):  # gone already, or the kernel has no watch left
            return None if self._inotify is None else self._inotify.add_watch(path, mask)
        return None

    def look(self) -> None:
        """Take in what has happened."""
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
    """Were there reports without any save before them, or between them and the one before?"""
    return order.count(REPORT) < reports or order.startswith(REPORT)
