"""Copies of checkpoints, from which trials start that take the place of others (population-based training).

A paused trial's folder does not change, and a resumed trial's does. So a checkpoint that other trials may start from is
copied before its trial resumes, and the copy always has the state that was compared. A copy is on disk before the log
mentions it; a copy that the log does not mention is not used.
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
    """The copies of checkpoints in one experiment.

    Args:
        scheduler: Scheduler that knows which copies may still be needed.
        state: Current state of the experiment.
        backend: Backend that makes and removes copies.
        journal: Journal; copies are removed after its events are stored.
    """

    scheduler: Scheduler
    state: ExperimentState
    backend: Backend
    journal: Journal
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)
    """Bytes of each copy, by trial and resource."""

    @property
    def in_use(self) -> bool:
        """Whether trials may start from copies at all."""
        return self.scheduler.capabilities.copies

    def survey(self) -> None:
        """Find the copies that earlier sessions made, at the start of a session."""
        if self.in_use:
            self.sizes = dict(self.backend.kept_checkpoints())
            self.prune()

    def keep(self, state: TrialState) -> None:
        """Copy a trial's checkpoint before it changes or is removed, if other trials may still start from it.

        Raises:
            StoreError: The copy cannot be written.
        """
        place = state.trial.id, state.resource
        if place in self.scheduler.sources and place not in self.sizes:
            self.backend.keep_checkpoint(*place)
            self.sizes[place] = self.backend.checkpoint_bytes(state.trial.id)

    def needs(self, state: TrialState) -> bool:
        """Whether deleting this trial's checkpoint would keep a trial from starting or resuming correctly."""
        mine = state.trial.id, state.resource
        return self.in_use and (state.status == Status.PAUSED or mine in self.scheduler.sources)

    def give(self, start: Start, trial_id: int) -> None:
        """Give a new trial a copy of the checkpoint that its source had saved.

        Raises:
            StoreError: The checkpoint is gone or cannot be copied.
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
        """Remove copies that no trial can start from any more, once the events of this turn are stored."""
        if self.sizes:
            self.forget(set(self.sizes) - set(self.scheduler.sources))

    def forget(self, places: set[tuple[int, int]]) -> None:
        """Remove the copies with these trials and resources, once the events of this turn are stored."""
        for place in sorted(places):
            del self.sizes[place]
            self.journal.act(self._remove, place)

    def _remove(self, place: tuple[int, int]) -> None:
        if place not in self.sizes:  # a session that takes over may learn in one turn that it is needed after all
            self.backend.forget_kept(*place)
