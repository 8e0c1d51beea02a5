"""Flattened images before layers, and layers before images: weights take the order."""

from __future__ import annotations

import numpy as np
import pytest

import nnefkit as nk
from nnefkit import Graph
from nnefkit.exchange.layout import channels_first
from tests.exchange.layout.naive_networks import NaiveNetwork, example_inputs


def count(graph: Graph) -> int:
    return [op.name for op in graph.operations].count("transpose")


def check_equal(graph: Graph, changed: Graph) -> None:
    inputs = example_inputs(graph)
    expected, results = (nk.run(each, inputs, progress=False) for each in (graph, changed))
    for name, array in expected.items():
        np.testing.assert_allclose(results[name], array, rtol=1e-13, atol=1e-13)


def test_the_rows_of_a_layer_take_the_order_of_the_image() -> None:
    net = NaiveNetwork()
    image = net.conv(net.input(1, 4, 5, 2), 3)
    flat = net.flat(image)
    result = net.dense(flat, 6)
    graph = net.graph(result)
    changed = channels_first(graph)
    # The input is transposed, and nothing else.
    assert (count(graph), count(changed)) == (2, 1)
    check_equal(graph, changed)
    layer = changed.producers[result]
    given = graph.producers[result].inputs["filter"]
    before, after = graph.tensors[given].data, changed.tensors[given].data
    assert before is not None
    images = before.reshape(6, *graph.tensors[image].shape[1:])  # type: ignore[misc]
    np.testing.assert_array_equal(after, images.transpose(0, 3, 1, 2).reshape(6, -1))
    assert layer.inputs["input"] == f"{flat}_reordered"
    assert changed.tensors[f"{flat}_reordered"].origin is None
    assert changed.tensors[given].label == graph.tensors[given].label


def test_a_bias_and_a_number_for_each_feature_take_the_order_too() -> None:
    net = NaiveNetwork()
    flat = net.flat(net.conv(net.input(2, 4, 3, 2), 3))
    scaled = net.per_channel("mul", net.op("relu", net.per_channel("add", flat)))
    graph = net.graph(net.dense(scaled, 4), net.dense(scaled, 5))
    changed = channels_first(graph)
    assert (count(graph), count(changed)) == (2, 1)
    check_equal(graph, changed)


def test_a_matrix_product_reads_reordered_rows() -> None:
    net = NaiveNetwork()
    flat = net.flat(net.conv(net.input(2, 4, 3, 2), 3))
    features = net.shape(flat)[1]
    graph = net.graph(net.op("matmul", flat, net.weight(features, 4)))
    changed = channels_first(graph)
    assert (count(graph), count(changed)) == (2, 1)
    check_equal(graph, changed)


def test_a_weight_of_two_layers_is_reordered_for_one_of_them() -> None:
    net = NaiveNetwork()
    x = net.input(1, 2, 2, 3)
    conv = net.conv(x, 3, 1)
    weight = net.weight(5, 12)
    first = net.op("linear", net.flat(conv), weight)
    second = net.op("linear", net.flat(net.op("neg", x)), weight)
    graph = net.graph(first, second)
    changed = channels_first(graph)
    assert (count(graph), count(changed)) == (2, 1)
    assert {v.label for v in changed.variables} >= {weight, f"{weight}_reordered"}
    check_equal(graph, changed)


def test_a_layer_computes_an_image_in_its_order() -> None:
    net = NaiveNetwork()
    rows = net.op("relu", net.dense(net.input(2, 5), 24))
    image = net.op("reshape", rows, shape=[2, 3, 2, 4])
    graph = net.graph(net.op("tanh", net.deconv(image, 3)))
    changed = channels_first(graph)
    # The output is transposed, and nothing else.
    assert (count(graph), count(changed)) == (2, 1)
    check_equal(graph, changed)


def test_an_image_of_one_pixel_is_flattened_as_it_is() -> None:
    net = NaiveNetwork()
    image = net.op("mean_reduce", net.conv(net.input(1, 4, 5, 2), 3), axes=[1, 2])
    flat = net.flat(image)
    graph = net.graph(net.dense(flat, 4))
    changed = channels_first(graph)
    assert (count(graph), count(changed)) == (2, 1)
    assert flat in changed.tensors
    check_equal(graph, changed)


OTHERWISE = {
    "returned": lambda net, flat: [flat, net.dense(flat, 4)],
    "softmax": lambda net, flat: [net.dense(net.op("softmax", flat, axes=[1]), 4)],
    "sliced": lambda net, flat: [
        net.dense(flat, 4),
        net.op("slice", flat, axes=[1], begin=[0], end=[5]),
    ],
    "reshaped": lambda net, flat: [
        net.dense(flat, 4),
        net.op("reshape", flat, shape=[1, 4, -1]),
    ],
    "of no layer": lambda net, flat: [net.op("max_reduce", net.op("relu", flat), axes=[1])],
    "multiplied by itself": lambda net, flat: [net.op("matmul", flat, flat, transposeB=True)],
}


@pytest.mark.parametrize("case", OTHERWISE)
def test_features_that_are_read_otherwise_keep_their_order(case: str) -> None:
    net = NaiveNetwork()
    flat = net.flat(net.conv(net.input(1, 4, 5, 2), 3))
    graph = net.graph(*OTHERWISE[case](net, flat))
    changed = channels_first(graph)
    assert count(changed) == 2
    assert not [name for name in changed.tensors if name.endswith("_reordered")]
    check_equal(graph, changed)
