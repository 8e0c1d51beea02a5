"""The reference networks compute what was recorded, module by module."""

import numpy as np
import pytest
from oracles.torch7_references import binary, differences, graph, input_shapes, names, recorded

import nnefkit as nk


@pytest.mark.parametrize("name", names())
def test_a_reference_network_is_read_right(name):
    found = differences(name)
    assert {key for key in recorded(name) if key.startswith("outputs/")} <= found.keys()
    assert max(found.values()) <= 1e-5, found
    # Only modules that change nothing have no tensor.
    assert len(found) >= len(recorded(name)) - 2


@pytest.mark.parametrize("name", names())
def test_text_and_binary_are_the_same_network(name):
    assert nk.diff(graph(name), graph(name, as_text=True)).equal
    assert graph(name, as_text=True).provenance["format"] == "text"


@pytest.mark.parametrize("batch", [1, 3])
def test_other_batches_compute_the_same_for_each_entry(batch):
    for name in ("cudnn", "resnet", "conv_stack", "mlp"):
        shape = input_shapes(name)["input"]
        x = np.random.default_rng(0).uniform(-1, 1, (batch, *shape[1:])).astype(np.float32)
        read = nk.from_torch7(binary(name), x.shape, verify=False, progress=False)
        found = nk.run(read, {"input": x})["output"]
        one = nk.from_torch7(binary(name), (1, *shape[1:]), verify=False, progress=False)
        each = [nk.run(one, {"input": x[n : n + 1]})["output"] for n in range(batch)]
        np.testing.assert_allclose(found, np.concatenate(each), rtol=1e-4, atol=1e-6)


def test_the_same_network_written_by_caffe_is_the_same_graph():
    pytest.importorskip("google.protobuf")
    from oracles.caffe_references import text, weights

    caffe = nk.from_caffe(text("digits"), weights("digits"), verify=False, progress=False)
    found = nk.diff(graph("digits"), caffe)
    assert (found.operations, found.shapes, found.weights_equal) == ((), {}, 6)
    assert {port.kind for port in found.ports} == {"renamed"}
