"""What the nodes of a cluster have, and what is said where that is not enough."""

import warnings

import pytest

from hpo.errors import BackendError
from tests.support.ray_cluster import why_not

if reason := why_not():
    pytest.skip(reason, allow_module_level=True)
with warnings.catch_warnings(action="ignore"):  # of Ray's own imports
    from hpo.ray.cluster import as_text, connect, name_nodes, slots_on, why_unfit

HEAD = {"NodeManagerHostname": "head", "Resources": {"memory": 1e9}}
NODE = {"NodeManagerHostname": "n1", "Resources": {"CPU": 8.0, "GPU": 4.0, "accelerator_type:A100": 1.0}}


@pytest.mark.parametrize(
    ("needed", "slots"),
    [({"CPU": 1}, 8), ({"CPU": 0.5}, 16), ({"CPU": 1, "GPU": 2}, 2), ({"CPU": 16}, 0), ({"CPU": 1, "TPU": 1}, 0)],
)
def test_a_node_has_room_for_as_many_slots_as_its_scarcest_resource_allows(needed, slots):
    assert slots_on(NODE["Resources"], needed) == slots


@pytest.mark.parametrize(
    ("needed", "sentence"),
    [
        ({"CPU": 64}, "backend.cpus=64: no node"),
        ({"CPU": 1, "GPU": 8}, "backend.cpus=1, num_gpus_per_trial=8: no node"),
        ({"CPU": 1, "accelerator_type:H100": 0.001}, "backend.cpus=1, backend.accelerator_type=H100: no node"),
    ],
)
def test_what_no_node_has_is_named_with_what_there_is(needed, sentence):
    said = why_unfit([HEAD, NODE], needed)
    assert said.startswith(sentence)
    assert "head has nothing; n1 has 8 CPU and 4 GPU (A100)" in said


def test_what_one_node_has_is_enough():
    assert why_unfit([HEAD, NODE], {"CPU": 8, "GPU": 4, "accelerator_type:A100": 0.001}) is None
    assert as_text({"CPU": 2.0, "GPU": 1.0, "node:10.0.0.1": 1.0}) == "2 CPU and 1 GPU"


def test_nodes_of_one_machine_have_names_that_tell_them_apart():
    nodes = [
        {"NodeManagerHostname": host, "NodeID": number}
        for host, number in (("m1", "aaaaaaaa"), ("m2", "bbbbbbbb"), ("m1", "cccccccc"))
    ]
    names = {}
    name_nodes(nodes[:2], names)
    assert names == {"aaaaaaaa": "m1", "bbbbbbbb": "m2"}
    name_nodes(nodes, names)
    assert names == {"aaaaaaaa": "m1", "bbbbbbbb": "m2", "cccccccc": "m1-cccccc"}, "a name that was given stays"
    names = {}
    name_nodes(nodes, names)
    assert names == {"aaaaaaaa": "m1-aaaaaa", "bbbbbbbb": "m2", "cccccccc": "m1-cccccc"}


@pytest.mark.parametrize("address", ["nonsense", ":6379", "head:port", "head:"])
def test_an_address_is_a_host_and_a_port(address):
    with pytest.raises(BackendError, match=f"backend.address={address}: it is not HOST:PORT"):
        connect(address, folder="", cpus=1, gpus=0)
