"""Descriptions of what a program reports."""

import pytest

from hpo.proposing.report_description import Reported


@pytest.mark.parametrize(
    ("names", "tests"),
    [
        (["epoch", "train_loss", "val_loss", "test_loss"], ["test_loss"]),
        (["val_acc", "test_acc", "test_loss", "test_time"], ["test_acc", "test_loss"]),
        (["epoch", "test_acc", "test_loss"], []),
        (["val_acc", "latest_acc"], []),
    ],
)
def test_metrics_of_test_data_are_proposed_beside_one_of_validation_data(names, tests):
    assert sorted(Reported(names).test_metrics) == tests
