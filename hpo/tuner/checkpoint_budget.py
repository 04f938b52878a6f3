"""A disk budget for checkpoints: which checkpoints are removed when together they exceed the limit.

Checkpoints that no trial can resume from are removed first, then those of paused trials from the least to the most likely to
be promoted, and that of the best trial last. A paused trial without its checkpoint is still promoted when its turn comes: its
script then trains from the beginning, and the reports that it repeats are dropped. So no decision depends on this module.
"""

import logging
import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from hpo.backends.base import Backend
from hpo.events.state import ExperimentState
from hpo.events.trial_state import TrialState
from hpo.events.types import Status
from hpo.surrogate.pareto import epsilon_net_ranks
from hpo.tuner.checkpoint_copies import Copies
from hpo.tuner.journal import Journal
from hpo.tuner.trial_limits import Limits

_OVER = frozenset({Status.COMPLETED, Status.STOPPED, Status.FAILED, Status.TIMEOUT})


def order_of_removal(trials: Collection[TrialState], best: Collection[int]) -> list[int]:
    """List the trials whose checkpoint may be removed, the least useful first; running and interrupted ones keep theirs.

    Args:
        trials: All trials of the experiment, because a paused trial is compared with those at its resource.
        best: The trial with the best result so far, or the trials on the Pareto front.
    """
    over = [state for state in trials if state.status in _OVER]
    over.sort(key=lambda state: (state.heard, state.trial.id))
    behind = _shares_ahead(trials)
    paused = [state for state in trials if state.status == Status.PAUSED]
    # Equal losses rank by trial id at a rung, so that the later trial is the less likely one.
    paused.sort(key=lambda state: (-behind[state.trial.id], state.resource, -state.trial.id))
    ids = [state.trial.id for state in (*over, *paused)]
    return sorted(ids, key=lambda trial_id: trial_id in best)


def _shares_ahead(trials: Collection[TrialState]) -> dict[int, float]:
    """Return for each trial the share of better results at the resource of its last report; 1 for a trial that diverged."""
    groups: dict[int, list[TrialState]] = defaultdict(list)
    for state in trials:
        groups[state.resource].append(state)
    shares: dict[int, float] = {}
    for group in groups.values():
        places = epsilon_net_ranks([_order(state) for state in group], len(group))
        shares |= {state.trial.id: place / len(group) for state, place in zip(group, places, strict=True)}
    return shares


def _order(state: TrialState) -> tuple[float, ...]:
    """Return the key by which a rung compares trials; see `ReportOutcome.order`."""
    return (state.violation, *(state.losses or (math.inf if state.loss is None else state.loss,)))


def to_remove(sizes: Mapping[int, int], order: Sequence[int], limit: float) -> list[int]:
    """Return the trials whose checkpoints have to be removed to bring the total of `sizes` within `limit`.

    If removing all of `order` is not enough, all of `order` is returned. No more are removed than necessary.
    """
    total = sum(sizes.values())
    candidates = []
    for trial_id in order:
        if total <= limit:
            break
        if sizes.get(trial_id):
            candidates.append(trial_id)
            total -= sizes[trial_id]
    gone = []
    for trial_id in reversed(candidates):  # a small one need not go where a large one after it is enough
        if total + sizes[trial_id] <= limit:
            total += sizes[trial_id]
        else:
            gone.append(trial_id)
    return gone[::-1]


@dataclass
class CheckpointBudget:
    """Limit on the total size of an experiment's checkpoints; those of running trials are not counted.

    Args:
        limits: Largest number of bytes, without which nothing is measured, and whether checkpoints that no decision can need
            any more are deleted.
        state: Current state of the experiment.
        journal: Journal in which removals are noted.
        backend: Backend that measures a checkpoint, and removes it once the removal is stored.
        copies: Copies that trials may start from; they count, and what they are copies of is not removed.
    """

    limits: Limits
    state: ExperimentState
    journal: Journal
    backend: Backend
    copies: Copies
    _sizes: dict[int, int] = field(default_factory=dict)
    _warned: bool = False

    def survey(self) -> None:
        """Measure the checkpoints of earlier sessions, at the start of a session."""
        self.copies.survey()
        if self.limit is not None:
            for trial_id, state in self.state.trials.items():
                if state.status != Status.RUNNING:  # its attempt is about to be ended, and measured then
                    self._measure(trial_id, self.limit)
            self._fit(self.limit)

    @property
    def limit(self) -> float | None:
        """The largest number of bytes that all kept checkpoints may take."""
        return self.limits.max_checkpoint_bytes

    def attempt_ended(self, trial_id: int, status: Status) -> None:
        """Measure the checkpoint of a trial whose attempt has ended, and remove others if necessary."""
        if self.limits.delete_checkpoints and status not in (Status.PAUSED, Status.INTERRUPTED):
            self.forget(trial_id)
        elif self.limit is not None:
            self._measure(trial_id, self.limit)
            self._fit(self.limit)
        self.copies.prune()

    def trial_over(self, trial_id: int) -> None:
        """Note that a trial that is not running will never be resumed."""
        if self.limits.delete_checkpoints:
            self.forget(trial_id)

    def forget(self, trial_id: int) -> None:
        """Remove a checkpoint once this turn's events are stored; a copy that other trials may start from is made before."""
        self.copies.keep(self.state.trials[trial_id])
        self.journal.act(self.backend.forget_checkpoint, trial_id)
        self._sizes.pop(trial_id, None)

    def all_over(self) -> None:
        """Note that the experiment is complete, so that no trial will be resumed."""
        if not self.limits.delete_checkpoints:
            return
        for trial_id, state in self.state.trials.items():
            if state.status == Status.PAUSED:
                self.forget(trial_id)
        self.copies.forget(set(self.copies.sizes))

    def _measure(self, trial_id: int, limit: float) -> None:
        size = self._sizes[trial_id] = self.backend.checkpoint_bytes(trial_id)
        if size > limit and not self._warned:
            self._warned = True
            self.journal.note(
                f"the checkpoint of trial {trial_id} needs {_gigabytes(size)} GB, more than all checkpoints together may "
                f"(max_checkpoint_gigabytes={_gigabytes(limit)}): raise it, or have the script save less; the experiment "
                f"continues",
                trial_id,
            )

    def _fit(self, limit: float) -> None:
        trials = self.state.trials
        kept = {trial_id: size for trial_id, size in self._sizes.items() if trials[trial_id].status != Status.RUNNING}
        limit_here = limit - sum(self.copies.sizes.values())
        if sum(kept.values()) <= limit_here:
            return
        order = order_of_removal(trials.values(), self.state.best_trials)
        removed = to_remove(kept, [one for one in order if not self.copies.needs(trials[one])], limit_here)
        for trial_id in removed:
            status = trials[trial_id].status
            again = "; if it is promoted, it trains again from scratch" if status == Status.PAUSED else ""
            text = (
                f"max_checkpoint_gigabytes={_gigabytes(limit)}: the checkpoint of trial {trial_id} ({status}, "
                f"{_gigabytes(kept[trial_id])} GB) is removed{again}"
            )
            self.journal.note(text, trial_id, level=logging.INFO)  # the user asked for it: no warning on the terminal
            self.forget(trial_id)
        needed = sum(size for trial_id, size in kept.items() if trial_id not in removed)
        if self.copies.in_use and needed > limit_here and not self._warned:
            self._warned = True
            self.journal.note(
                f"what members of the population have saved, and the copies that others may resume from, need "
                f"{_gigabytes(needed + limit - limit_here)} GB, more than max_checkpoint_gigabytes={_gigabytes(limit)}, and "
                f"none of it can be removed: raise it, or train a smaller population; the experiment continues"
            )


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.4g}"
