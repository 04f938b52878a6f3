"""The version of the code that each attempt starts with, and what becomes known of it later."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hpo.backends.base import Backend
from hpo.events.code import changed_files
from hpo.events.state import ExperimentState
from hpo.events.text import shortened
from hpo.tuner.journal import Journal
from hpo.tuner.trial_limits import Limits

log = logging.getLogger(__name__)


@dataclass
class TrialCode:
    """The code of the attempts of one session.

    The files are looked at before each start, and again with the first report or the exit. A fork of the trial host knows
    which script it has compiled. What a program imports after its first report is not known.

    Args:
        backend: Backend that watches the code, and knows what forks have compiled.
        state: Current state of the experiment.
        limits: Limits, among them whether hpo rejects a change of the code.
        journal: Journal for corrections.
    """

    backend: Backend
    state: ExperimentState
    limits: Limits
    journal: Journal
    _begun: dict[int, tuple[int, Mapping[str, Any]]] = field(default_factory=dict)
    """Number of changes seen before the start of each attempt without a report yet, and the version of the code then."""

    _looked: bool = False
    """Whether the files were examined already for the start that comes next."""

    def __post_init__(self) -> None:
        self._watch = self.backend.code
        self._stored: Mapping[str, Any] = {} if self._watch is None else self._watch.code

    def refusal(self) -> str | None:
        """Return why nothing may start, if the code has changed and the configuration forbids that; None otherwise."""
        if not self.limits.refuse_code_changes:
            return None
        self._looked = False
        changed = self._changed()
        self._looked = True
        if not changed:
            return None
        return (
            f"code_changes=refuse: {shortened(changed)} has changed while the experiment ran, and nothing more starts; put "
            f"it back and run the same command again, or choose another experiment_tag"
        )

    def start(self, trial_id: int) -> dict[str, Any]:
        """Return the fields to store with the start of an attempt: none unless the code differs from the last start's."""
        if self._watch is None:
            return {}
        changed = self._changed()
        code = self._watch.code
        self._begun[trial_id] = len(self._watch.touched), code
        if not changed:
            return {}
        self._stored = code
        others = [trial for trial in self.state.code.others(code) if trial != trial_id]
        log.warning(
            "%s has changed while the experiment runs: trial %d is the first to start with the new code, the results of %d "
            "trial(s) are those of the former code; code_changes=refuse would stop here",
            shortened(changed),
            trial_id,
            len(others),
        )
        return {"code": {**code, "changed": changed}}

    def confirm(self, trial_id: int, attempt: int) -> None:
        """Note the code of an attempt that has read its program, if it may not be what was there when it was started."""
        self._looked = False
        if (begun := self._begun.pop(trial_id, None)) is None or self._watch is None:
            return
        seen, code = begun
        now = self._watch.look()
        if not (touched := self._watch.touched[seen:]):
            return
        script, ran = self._watch.script.name, self.backend.script_digest(trial_id)
        # What is as it was may still have been changed and put back between two looks: only a fork can tell.
        names = sorted({name for name, changed in touched if changed and not (ran and name == script)})
        if sure := not names and ran is not None and ran != code["digest"]:
            now = {**now, "digest": ran, "sources": now["sources"] and {**now["sources"], script: ran}}
        elif not names:
            return
        text = (
            f"trial {trial_id} runs the {script} that was there when its process read it, changed since its start was ordered"
            if sure
            else f"{shortened(names)} changed between the start of trial {trial_id} and its first report: which version it "
            f"runs is not known"
        )
        self.journal.note(
            text, trial_id, attempt, code=dict(now), sure=sure, level=logging.INFO if sure else logging.WARNING
        )

    def _changed(self) -> list[str]:
        """Return the files that differ from those of the last start."""
        if self._watch is None:
            return []
        code = self._watch.code if self._looked else self._watch.look()
        self._looked = False
        return [] if code is self._stored else changed_files(self._stored, code)
