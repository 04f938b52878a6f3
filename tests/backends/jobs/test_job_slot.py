"""What a job leaves of an attempt whose trial was ended from outside."""

import threading

import pytest

from hpo.backends.jobs import job_slot
from hpo.backends.jobs.folder_place import FolderPlace
from hpo.backends.jobs.job_slot import JobSlot
from hpo.backends.jobs.object_names import ObjectNames
from hpo.backends.jobs.outcome import AttemptOutcome
from hpo.config.reading import load_config, resolve
from hpo.events.types import Exit

ORDER = {
    "trial": 0,
    "configuration": {},
    "attempt": 0,
    "until": None,
    "name": "0-0-ab",
    "checkpoint": None,
    "sync_seconds": 60.0,
}


@pytest.mark.process
@pytest.mark.parametrize("signalled", [True, False])
def test_a_trial_that_the_platforms_signal_ends_before_its_job_hears_of_it_is_lost_and_has_not_failed(
    tmp_path, monkeypatch, signalled
):
    monkeypatch.setattr(job_slot, "SIGNAL_DELAY", 20.0 if signalled else 0.1)
    config = resolve(load_config("mlp_digits", "RS", random_seed=1, num_gpus_per_trial=0))
    place = FolderPlace(tmp_path / "place")

    def attend(*_):
        if signalled:
            threading.Timer(0.2, slot.stop).start()
        return Exit(0, 0, None, signal=15)

    with JobSlot(config, place, ObjectNames(""), tmp_path / "work") as slot:
        monkeypatch.setattr(slot, "_attend", attend)
        slot.run(ORDER)
    outcome = AttemptOutcome.from_json(place.read("live/0-0-ab/exit"))
    assert outcome.exit(tmp_path, asked=False).lost is signalled
