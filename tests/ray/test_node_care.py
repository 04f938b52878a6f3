"""Which nodes are given up, whichever of them answers first, and what is said of those that do not answer."""

import pytest

from hpo.errors import BackendError
from hpo.ray.fleet import Fleet, PlacedSlot
from hpo.ray.messages import AvoidNodes, ReleaseSlot
from hpo.ray.node_care import NodeCare


@pytest.fixture
def place():
    """What cares for the nodes of a fleet, the fleet, and what the driver is told."""
    fleet, told = Fleet(), []
    return NodeCare(fleet, told.append), fleet, told


@pytest.mark.parametrize("first", ["good", "bad"])
def test_a_node_that_differs_from_the_tuner_is_left_out_whichever_answers_first(place, first, caplog):
    care, fleet, told = place
    care.know(["good", "bad"])
    if first == "good":
        fleet.add(PlacedSlot(0, "good", "good"))
    care.give_up("bad", "the node bad cannot run trials: it has other code")
    care.give_up("bad", "the node bad cannot run trials: it has other code")
    assert told == [AvoidNodes(["bad"])]
    assert caplog.messages == ["the node bad cannot run trials: it has other code; the experiment goes on without it"]


def test_where_every_node_is_given_up_the_experiment_ends_with_what_was_said_of_the_last(place):
    care, _, _ = place
    care.know(["a", "b"])
    care.give_up("a", "a has other code")
    with pytest.raises(BackendError, match="b has other code"):
        care.give_up("b", "b has other code")


def test_the_slots_of_a_node_that_is_given_up_are_released(place):
    care, fleet, told = place
    care.know(["a", "b"])
    fleet.add(PlacedSlot(3, "a", "a"))
    care.give_up("a", "its scratch is full")
    assert told == [AvoidNodes(["a"]), ReleaseSlot(3)]


def test_a_node_that_does_not_answer_is_named_once_for_all_its_slots_and_again_when_it_does(place, caplog):
    care, fleet, _ = place
    for number, node in enumerate(["a", "a", "b"]):
        fleet.add(PlacedSlot(number, node, f"host-{node}"))
    for number in (0, 1, 7):  # there is no slot 7 any more
        care.note_silence(number, 30.0)
    for number in (0, 1, 2):
        care.note_answer(number)
    first, second = caplog.messages
    assert first.startswith("the node host-a has not answered for 30 s: it is gone, or held up")
    assert second == "the node host-a answers again"
    care.note_silence(1, 30.0)
    care.forget_silence("a")  # Ray has given it up
    care.note_answer(1)
    assert len(caplog.messages) == 3
