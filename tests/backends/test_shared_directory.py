"""What is said of checkpoints that another backend has put elsewhere."""

from hpo.backends.shared_directory import STORED, FiledBackend
from hpo.config.schema import BenchmarkConfig
from hpo.events.objective import Objective
from hpo.events.state import ExperimentState
from hpo.events.types import Event, Kind
from hpo.store.directory import ExperimentDirectory


class Here(FiledBackend):
    """Runs nothing."""

    start = stop = wait = wake = None


def test_trials_whose_checkpoints_are_in_a_storage_that_is_not_given_are_named(tmp_path, caplog):
    files = ExperimentDirectory(tmp_path)
    state = ExperimentState(Objective("loss", "min", "epoch"))
    for trial, status in enumerate(("paused", "paused", "completed")):
        state.apply(Event(Kind.STARTED, 0.0, 0.0, trial, 0, body={"configuration": {}, "until": 1}))
        state.apply(Event(Kind.ENDED, 1.0, 0.0, trial, 0, body={"status": status}))
        files.attempt(trial, 0).mkdir(parents=True)
        (files.attempt(trial, 0) / STORED).write_text("{}\n")
    files.checkpoint(1).mkdir()
    (files.checkpoint(1) / "epoch").write_text("1")
    Here(files, BenchmarkConfig()).go_on(state)
    assert "the checkpoints of trial(s) 0 are in backend.storage, which is not given: they start over" in caplog.text
