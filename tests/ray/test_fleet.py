"""Slots: who has which trial, and where the next one goes."""

from hpo.events.types import Exit, Report
from hpo.ray.fleet import Fleet, PlacedSlot, RunningAttempt


def fleet_of(*nodes):
    fleet = Fleet()
    for number, node in enumerate(nodes):
        fleet.add(PlacedSlot(number, node, f"host-{node}"))
    return fleet


def begin(fleet, trial_id):
    slot = fleet.next_free()
    fleet.occupy(slot, RunningAttempt(trial_id, 0))
    return slot


def test_there_is_room_for_a_trial_in_each_slot():
    fleet = fleet_of("a", "b")
    assert fleet.capacity == 2
    assert [begin(fleet, trial).number for trial in (5, 6)] == [0, 1]
    assert fleet.next_free() is None
    assert fleet.capacity == 2
    assert fleet.holder(6).node == "b"


def test_a_slot_that_is_lost_takes_its_room_and_its_trial_with_it():
    fleet = fleet_of("a", "b")
    slot = begin(fleet, 5)
    assert fleet.remove(slot.number) is slot
    assert fleet.remove(slot.number) is None
    assert fleet.holder(5) is None
    assert fleet.capacity == 1
    assert [gone.number for gone in fleet.remove_all()] == [1]
    assert fleet.capacity == 0


def test_the_end_of_its_attempt_frees_a_slot_behind_those_that_have_waited_longer():
    fleet = fleet_of("a", "b")
    slot = begin(fleet, 5)
    fleet.take_in(slot, Report(5, 0, {"loss": 1}, 12))
    assert slot.running.position == 12
    fleet.take_in(slot, Exit(5, 0, 0))
    assert slot.running is None
    assert [begin(fleet, trial).number for trial in (6, 7)] == [1, 0]


def test_what_comes_late_from_an_earlier_attempt_changes_nothing():
    fleet = fleet_of("a")
    slot = begin(fleet, 5)
    fleet.take_in(slot, Exit(5, 3, 0))
    fleet.take_in(slot, Exit(4, 0, 0))
    assert slot.running is not None


def test_an_attempt_that_was_told_to_end_is_no_failure_of_its_node():
    fleet = fleet_of("a", "b")
    good, bad = begin(fleet, 0), begin(fleet, 1)
    fleet.take_in(good, Report(0, 0, {"loss": 1}, 12))
    bad.running.told_to_end = True
    assert not fleet.take_in(bad, Exit(1, 0, None, 15))
    begin(fleet, 2)
    assert fleet.take_in(bad, Exit(2, 0, 1)), "it failed by itself, where the other node has reported"


def test_free_slots_of_a_node_that_is_avoided_are_to_be_elsewhere():
    fleet = fleet_of("a", "b")
    fleet.nodes.avoided.add("b")
    assert fleet.capacity == 1
    assert [slot.number for slot in fleet.idle_on_avoided()] == [1]


def test_a_module_that_is_missing_on_one_node_is_no_failure_of_the_trial_while_another_may_have_it():
    missing = "Traceback (most recent call last):\nModuleNotFoundError: No module named 'timm'"
    for error, at_fault in ((missing, True), ("ValueError: lr", False), (None, False)):
        fleet = fleet_of("a", "b")
        slot = begin(fleet, 5)
        assert fleet.take_in(slot, Exit(5, 0, 1, error=error)) is at_fault
    alone = fleet_of("a", "a")
    assert not alone.take_in(begin(alone, 5), Exit(5, 0, 1, error=missing))
