"""What slots warn of: a trouble that all of them meet is shown once, and counted."""

import logging

from hpo.ray.messages import LogMessage
from hpo.ray.slot_warnings import SlotWarnings


def test_a_trouble_that_all_slots_meet_is_a_warning_once_and_then_a_count(caplog):
    caplog.set_level(logging.INFO)
    warnings = SlotWarnings()
    for number in range(5):
        warnings.take_in(f"node{number}", LogMessage(logging.WARNING, "no copy", "copies"))
    warnings.take_in("node1", LogMessage(logging.WARNING, "something else"))
    warnings.close()
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        "node0: no copy; further warnings of this kind are counted, and in hpo.log",
        "node1: something else",
        "4 further warnings like this one: node0: no copy",
    ]
    assert [record.message for record in caplog.records if record.levelno == logging.INFO] == [
        f"node{number}: no copy" for number in range(1, 5)
    ]


def test_a_warning_that_was_given_once_is_not_counted(caplog):
    warnings = SlotWarnings()
    warnings.take_in("node", LogMessage(logging.WARNING, "no copy", "copies"))
    warnings.close()
    assert len(caplog.records) == 1
