"""When failures and losses are no longer those of single trials."""

import pytest

from hpo.events.state import ExperimentState
from hpo.tuner.failure_limit import Failures
from hpo.tuner.trial_limits import MOST_LOSSES, Limits
from tests.support.fakes import OBJECTIVE


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("backend.storage=s3://b: nobody answers", "; the last: backend.storage=s3://b: nobody answers; see hpo.log"),
        (None, " without a report; see hpo.log"),
    ],
)
def test_what_ends_an_experiment_after_losses_in_a_row_names_the_cause_of_the_last(why, said):
    failures = Failures(ExperimentState(OBJECTIVE), Limits(n_workers=2))
    for _ in range(2 * MOST_LOSSES):
        assert failures.on_loss(why) is None
    message = failures.on_loss(why)
    assert message.startswith(f"trials were lost or terminated from outside {2 * MOST_LOSSES + 1} times in a row")
    assert message.endswith(said)
