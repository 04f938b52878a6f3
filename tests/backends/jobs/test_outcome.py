"""An attempt's exit comes through JSON as it was, also from a job of another version."""

import json
from pathlib import Path

import pytest

from hpo.backends.jobs.outcome import AttemptOutcome, exit_from_json, exit_to_json
from hpo.events.types import Exit

ENDS = [
    Exit(3, 1, 0, usage={"cpu_seconds": 1.5}),
    Exit(3, 1, None, 9, lost=True),
    Exit(3, 1, 1, None, False, "boom", {}, True, "train.py:3", Path("/a/stderr.log"), {"reports": 0, "path": None}),
]


@pytest.mark.parametrize("end", ENDS)
def test_an_exit_is_what_it_was(end):
    assert exit_from_json(json.loads(json.dumps(exit_to_json(end)))) == end


def test_an_outcome_is_what_it_was_except_for_the_log_which_is_here(tmp_path):
    outcome = AttemptOutcome(ENDS[2], True, 12, ["stderr.log"], [["key", 5]])
    found = AttemptOutcome.from_json(outcome.to_json())
    assert (found.stopped, found.sent, found.logs, found.checkpoints) == (True, 12, ["stderr.log"], [["key", 5]])
    assert found.exit(tmp_path, asked=True) == ENDS[2]._replace(log=tmp_path / "stderr.log")
    assert found.exit(tmp_path, asked=False).lost, "nobody asked: the machine was taken away"


def test_the_outcome_that_a_job_of_an_earlier_version_left_is_read(tmp_path):
    """The text is in the form that jobs have written so far; the key that a later version adds is ignored."""
    stored = (
        b'{"trial_id": 3, "attempt": 1, "exit_code": 1, "signal": null, "lost": false, "error": "boom", "usage": '
        b'{"cpu_seconds": 1.5}, "out_of_memory": false, "where": "train.py:3", "log": null, "found": null, '
        b'"stopped": false, "bytes": 12, "logs": ["stderr.log"], "checkpoints": [["root/a.tar", 5]], "later": 1}'
    )
    found = AttemptOutcome.from_json(stored)
    assert (found.sent, list(found.logs), list(found.checkpoints)) == (12, ["stderr.log"], [["root/a.tar", 5]])
    assert found.exit(tmp_path, asked=False) == Exit(
        3, 1, 1, error="boom", usage={"cpu_seconds": 1.5}, where="train.py:3", log=tmp_path / "stderr.log"
    )
    written = json.loads(AttemptOutcome(found.end, False, 12, found.logs, found.checkpoints).to_json())
    assert written == {name: value for name, value in json.loads(stored).items() if name != "later"}
