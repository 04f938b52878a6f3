"""Nodes on which everything fails, and trials that fail by themselves."""

from hpo.ray.nodes import Nodes


def test_a_failure_is_the_trials_own_where_no_other_node_has_shown_that_it_could_be_done():
    nodes = Nodes()
    assert [nodes.failed("a", trial) for trial in range(5)] == [False] * 5
    assert not nodes.avoided


def test_a_node_that_has_only_failed_is_at_fault_once_another_has_reported_and_avoided_after_three():
    nodes = Nodes()
    nodes.reported("good")
    assert [nodes.failed("bad", trial) for trial in range(3)] == [True, True, True]
    assert nodes.avoided == {"bad"}
    assert not nodes.usable("bad", [])
    assert nodes.usable("good", [])


def test_a_trial_is_excused_as_long_as_it_has_failed_on_one_node_alone():
    nodes = Nodes()
    nodes.reported("good")
    assert nodes.failed("a", 7)
    assert nodes.failed("a", 7)
    assert not nodes.failed("b", 7)


def test_a_node_that_has_reported_is_not_at_fault_for_a_single_failure():
    nodes = Nodes()
    nodes.reported("a")
    nodes.reported("b")
    assert not nodes.failed("a", 1)
    assert not nodes.avoided


def test_a_node_that_fails_three_in_a_row_after_it_had_worked_is_avoided_and_a_report_begins_anew():
    nodes = Nodes()
    nodes.reported("good")
    for step in (nodes.reported, lambda n: nodes.failed(n, 1), lambda n: nodes.failed(n, 2), nodes.reported):
        step("a")
    assert not nodes.failed("a", 3)
    assert not nodes.failed("a", 4)
    assert not nodes.avoided
    nodes.failed("a", 5)
    assert nodes.avoided == {"a"}


def test_a_node_that_failed_first_waits_until_another_has_shown_what_it_can_do():
    nodes = Nodes()
    nodes.failed("bad", 0)
    assert not nodes.usable("bad", ["slow"])
    assert nodes.usable("slow", ["slow"])
    assert nodes.usable("bad", []), "there is nobody to wait for"
    nodes.reported("slow")
    assert nodes.usable("bad", ["slow"]), "now its failures can be told from the trials'"


def test_where_all_nodes_have_failed_none_waits_for_the_other():
    nodes = Nodes()
    nodes.failed("a", 0)
    nodes.failed("b", 1)
    assert nodes.usable("a", ["b"])
    assert nodes.usable("b", ["a"])


def test_a_trial_that_lacks_something_on_a_node_is_tried_once_on_one_that_may_have_it():
    nodes = Nodes()
    assert nodes.failed("a", 7, elsewhere=["b"])
    assert not nodes.failed("b", 7, elsewhere=["a"]), "it is nowhere: the trial's own failure"
    assert not nodes.failed("a", 8, elsewhere=["b"]), "b lacks it, too"
    assert not Nodes().failed("a", 7, elsewhere=[]), "there is no other node"


def test_a_node_that_lacks_something_is_avoided_like_any_other_that_only_fails():
    nodes = Nodes()
    assert nodes.failed("bad", 0, elsewhere=["good"])
    nodes.reported("good")
    assert nodes.failed("bad", 1, elsewhere=["good"])
    assert nodes.failed("bad", 2, elsewhere=["good"])
    assert nodes.avoided == {"bad"}
