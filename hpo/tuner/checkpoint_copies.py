"""Copies of checkpoints: what trials go on from that take the place of others.

A trial's folder is at rest while it is paused, and changes when it goes on. What others may yet go on from is kept before
that, so that a copy is always one of the state that was compared. Copies are on the disk before the log tells of them; one
that the log never came to tell of is not used.
"""

from dataclasses import dataclass, field

from hpo.backends.base import Backend
from hpo.errors import StoreError
from hpo.events.state import ExperimentState
from hpo.events.trial_state import TrialState
from hpo.events.types import Start, Status
from hpo.schedulers.base import Scheduler
from hpo.tuner.journal import Journal


@dataclass
class Copies:
    """Of the checkpoints of one experiment.

    Args:
        scheduler: knows which may yet be needed.
        state: what is known.
        backend: makes and removes them.
        journal: removals come after what is stored.
    """

    scheduler: Scheduler
    state: ExperimentState
    backend: Backend
    journal: Journal
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)
    """Bytes of what is kept, by trial and resource."""

    def survey(self) -> None:
        """A session begins: see what earlier ones have kept."""
        if self.scheduler.copies:
            self.sizes = dict(self.backend.kept_checkpoints())
            self.prune()

    def keep(self, state: TrialState) -> None:
        """What a trial has saved is about to change, or to go.

        Raises:
            StoreError: it cannot be kept.
        """
        place = state.trial.id, state.resource
        if place in self.scheduler.sources and place not in self.sizes:
            self.backend.keep_checkpoint(*place)
            self.sizes[place] = self.backend.checkpoint_bytes(state.trial.id)

    def needs(self, state: TrialState) -> bool:
        """May a trial that has not its checkpoint any more, or others, not go on as they should?"""
        mine = state.trial.id, state.resource
        return self.scheduler.copies and (state.status == Status.PAUSED or mine in self.scheduler.sources)

    def give(self, start: Start, trial_id: int) -> None:
        """Let a trial begin with what its source had saved.

        Raises:
            StoreError: that is gone, or cannot be copied.
        """
        if start.source is None or start.source_resource is None:
            return
        place, source = (start.source, start.source_resource), self.state.trials[start.source]
        if place in self.sizes:
            self.backend.copy_checkpoint(*place, trial_id)
        elif source.status != Status.RUNNING and (source.until or self.scheduler.max_resource or 0) <= place[1]:
            self.backend.copy_checkpoint(start.source, None, trial_id)
        else:
            raise StoreError(
                f"the copy of what trial {start.source} had saved at {start.source_resource} is gone, from which another "
                f"trial should resume: put it back, or start again by overwrite=true"
            )

    def prune(self) -> None:
        """Remove what nobody can go on from any more, once the events of this turn are stored."""
        if self.sizes:
            self.forget(set(self.sizes) - set(self.scheduler.sources))

    def forget(self, places: set[tuple[int, int]]) -> None:
        """Remove these, once the events of this turn are stored."""
        for place in sorted(places):
            del self.sizes[place]
            self.journal.act(self._remove, place)

    def _remove(self, place: tuple[int, int]) -> None:
        if place not in self.sizes:  # a session that takes over may learn in one turn that it is needed after all
            self.backend.forget_kept(*place)
