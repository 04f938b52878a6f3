"""In which order a trial writes reports and checkpoints, as the kernel saw it.

One inotify instance watches both places, and its queue keeps the order in which things happened; looking at the folder
after each report would come too late to tell.
"""

import contextlib
from pathlib import Path

from inotify_simple import INotify, flags

_WRITTEN = flags.CREATE | flags.MODIFY | flags.CLOSE_WRITE | flags.MOVED_TO

REPORT, SAVE = "R", "S"


class Saves:
    """Watches a checkpoint folder and a report file. A context manager.

    Args:
        checkpoint: the folder; what is below it is watched as it appears.
        reports: the file.
    """

    def __init__(self, checkpoint: Path, reports: Path) -> None:
        self._inotify = INotify()
        self._folders: dict[int, Path] = {}
        checkpoint.mkdir(parents=True, exist_ok=True)
        reports.parent.mkdir(parents=True, exist_ok=True)
        reports.touch()
        self._reports = self._inotify.add_watch(reports, flags.MODIFY)
        self._watch(checkpoint)
        self._seen = ""

    def __enter__(self) -> "Saves":
        return self

    def __exit__(self, *_: object) -> None:
        self._inotify.close()

    def _watch(self, folder: Path) -> None:
        with contextlib.suppress(OSError):  # gone already
            self._folders[self._inotify.add_watch(folder, _WRITTEN)] = folder

    def look(self) -> None:
        """Take in what has happened."""
        for event in self._inotify.read(timeout=0):
            if event.wd == self._reports:
                self._note(REPORT)
            elif event.wd in self._folders:
                self._note(SAVE)
                if event.mask & flags.ISDIR and event.mask & (flags.CREATE | flags.MOVED_TO):
                    self._watch(self._folders[event.wd] / event.name)

    def _note(self, what: str) -> None:
        if not self._seen.endswith(what):
            self._seen += what

    @property
    def order(self) -> str:
        """A letter for each report and each save, what is done several times in a row only once: SRSRSR."""
        return self._seen

    def reported_first(self, reports: int) -> bool:
        """Was each of so many reports made before the save that belongs to it?"""
        return self.order == "RS" * reports


def unsaved(order: str, reports: int) -> bool:
    """Were there reports without any save before them, or between them and the one before?"""
    return order.count(REPORT) < reports or order.startswith(REPORT)
