"""Reference networks and single operators compute what Caffe2 computed."""

import numpy as np
import pytest

pytest.importorskip("google.protobuf")

from caffe2_networks import net_of, place
from oracles.caffe2_references import call, calls, differences, graph, names, operators, recorded
from oracles.reference_archive import relative

import nnefkit as nk


@pytest.mark.parametrize("name", names())
def test_a_reference_network_is_read_right(name):
    found, known = differences(name), recorded(name)
    outputs = {key for key in known if key.startswith("outputs/")}
    assert outputs <= found.keys()
    assert max(found.values()) <= 1e-6, found
    # Constants have no tensors, nor do transpositions inside of a network.
    absent = {key for key in known if key.startswith("tensors/")} - found.keys()
    assert len(absent) <= 4, absent
    assert set(graph(name).outputs) == {key.removeprefix("outputs/") for key in outputs}


def test_blobs_that_are_written_again_have_several_values():
    tensors = graph("resnet_block").tensors
    assert [tensors[key].origin for key in ("b_bn", "b_bn_1", "b_bn_2")] == [
        "b_bn",
        "b_bn#1",
        "b_bn#2",
    ]
    assert "Sum" in operators("resnet_block")


def test_no_transposition_is_left_inside_of_a_network():
    operations = [op.name for op in graph("zoo_conv").operations]
    assert operations.count("transpose") == 1  # The output has the order of the source.


def test_weights_have_the_names_of_their_blobs():
    labels = {op.attribs["label"] for op in graph("digits").operations if op.name == "variable"}
    assert labels == {"conv1_w", "conv1_b", "conv2_w", "conv2_b", "fc_w", "fc_b"}


@pytest.mark.parametrize("name", calls())
def test_an_operator_computes_what_caffe2_did(name):
    net, inputs, expected = call(name)
    places = net_of(*(place(key, x.shape, x.dtype.name) for key, x in inputs.items()))
    shapes = {key: x.shape for key, x in inputs.items()}
    if expected is None:
        with pytest.raises(nk.DocumentError):
            nk.from_caffe2(places, net, shapes, verify=False, progress=False)
        return
    read = nk.from_caffe2(places, net, shapes, verify=False, progress=False)
    found = nk.run(read, inputs)
    for key, array in expected.items():
        assert relative(np.nan_to_num(found[key]), np.nan_to_num(array)) <= 2e-6, key
