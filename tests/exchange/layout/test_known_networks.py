"""Networks as they are deployed: no transposition remains between their spatial operations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from timing import least_seconds

import nnefkit as nk
from nnefkit import Graph
from nnefkit.exchange.layout import as_in_source, as_stored, channels_first
from nnefkit.execution.layout.operation_kinds import SPATIAL
from tests.exchange.layout.naive_networks import NaiveNetwork, example_inputs

MODELS = Path(__file__).parents[2] / "models"


def mobilenet() -> Graph:
    """Inverted residuals with squeeze and excitation, a padded stem, and a classifier."""
    net = NaiveNetwork()
    x = net.op("mul", net.input(1, 17, 12, 3), 0.5)
    x = net.op("pad", x, padding=[(0, 0), (0, 1), (0, 1), (0, 0)], border="constant")
    x = net.op("relu", net.norm(net.conv(x, 6, stride=2)))
    for _ in range(3):
        y = net.op("clamp", net.conv(x, 12, 1), 0.0, 6.0)
        y = net.op("clamp", net.per_channel("add", net.conv(y, 1, groups=0)), 0.0, 6.0)
        gate = net.op("relu", net.conv(net.op("mean_reduce", y, axes=[1, 2]), 4, 1))
        gate = net.op("mul", net.op("clamp", net.conv(gate, 12, 1), 0.0, 6.0), 0.125)
        x = net.op("add", x, net.conv(net.op("mul", y, gate), 6, 1))
    row = net.op("squeeze", net.op("mean_reduce", x, axes=[1, 2]), axes=[1, 2])
    return net.graph(net.op("softmax", net.dense(row, 5), axes=[1]))


def unet() -> Graph:
    """Down and up again, by resizing and by transposed convolutions, with skips."""
    net = NaiveNetwork()
    first = net.op("relu", net.norm(net.conv(net.input(2, 8, 12, 3), 4)))
    second = net.op("relu", net.conv(net.pool(first), 6))
    third = net.op("relu", net.conv(net.pool(second, "avg_pool"), 8))
    up = net.upsampled(third, "multilinear_upsample")
    up = net.op("slice", up, axes=[1, 2], begin=[0, 0], end=[8, 12])
    up = net.op(
        "prelu", net.conv(net.op("concat", [second, up], axis=3), 6), net.weight(1, 1, 1, 6)
    )
    up = net.op("concat", [first, net.deconv(up, 4)], axis=3)
    left, right = net.ops("split", 2, net.conv(up, 4), axis=3, ratios=[1, 1])
    return net.graph(net.op("sigmoid", net.conv(net.op("max", left, right), 2, 1)))


def face_detector() -> Graph:
    """Residuals whose channels are padded, and two heads whose anchors are joined."""
    net = NaiveNetwork()
    x = net.op("relu", net.conv(net.input(1, 16, 16, 3), 4, 5, stride=2))
    heads = []
    for channels, stride in ((4, 1), (6, 2), (6, 1), (8, 2)):
        shortcut = net.pool(x) if stride == 2 else x
        more = channels - net.shape(x)[-1]
        if more:
            padding = [(0, 0), (0, 0), (0, 0), (0, more)]
            shortcut = net.op("pad", shortcut, padding=padding, border="constant")
        y = net.conv(net.conv(x, 1, groups=0, stride=stride), channels, 1)
        x = net.op("relu", net.op("add", y, shortcut))
        if stride == 2:
            heads.append(x)
    joined = []
    for outputs in (1, 16):
        rows = [net.op("reshape", net.conv(h, 2 * outputs), shape=[1, -1, outputs]) for h in heads]
        joined.append(net.op("concat", rows, axis=1))
    return net.graph(*joined)


def generator() -> Graph:
    """A row of numbers becomes an image."""
    net = NaiveNetwork()
    rows = net.op("relu", net.dense(net.input(2, 5), 36))
    image = net.op("reshape", rows, shape=[2, 3, 2, 6])
    image = net.op("leaky_relu", net.norm(net.deconv(image, 4)), alpha=0.2)
    return net.graph(net.op("tanh", net.deconv(image, 3)))


def flat_classifier() -> Graph:
    """Two layers after a flattened image."""
    net = NaiveNetwork()
    x = net.input(1, 12, 8, 1)
    for channels in (4, 6):
        x = net.pool(net.op("relu", net.conv(x, channels)))
    return net.graph(net.dense(net.op("relu", net.dense(net.flat(x), 8)), 3))


def volume() -> Graph:
    """Three spatial axes, and a sequence of one."""
    net = NaiveNetwork()
    x = net.pool(net.op("relu", net.conv(net.input(1, 4, 6, 4, 2), 3)))
    series = net.op("mean_reduce", net.conv(x, 4), axes=[1, 3])
    series = net.op("squeeze", series, axes=[1, 3])
    return net.graph(net.conv(net.op("relu", net.conv(series, 5)), 2, 1))


NETWORKS: dict[str, tuple[Callable[[], Graph], int, int, int]] = {
    "mobilenet": (mobilenet, 34, 1, 0),
    "unet": (unet, 22, 2, 0),
    "face_detector": (face_detector, 30, 5, 4),
    "generator": (generator, 6, 1, 0),
    "flat_classifier": (flat_classifier, 8, 0, 0),
    "volume": (volume, 10, 2, 0),
}
"""Name -> network, transpositions as written, without those inside, and with layout="nnef"."""


def transpositions(graph: Graph) -> int:
    return [op.name for op in graph.operations].count("transpose")


def inside(graph: Graph) -> list[str]:
    """The transpositions between spatial operations."""
    after: set[str] = set()
    for op in graph.operations:
        if op.name in SPATIAL or not after.isdisjoint(op.input_names):
            after.update(op.output_names)
    before: set[str] = set()
    for op in reversed(graph.operations):
        if op.name in SPATIAL or not before.isdisjoint(op.output_names):
            before.update(op.input_names)
    return [
        str(op)
        for op in graph.operations
        if op.name == "transpose" and op.input_names[0] in after and op.output_names[0] in before
    ]


@pytest.mark.parametrize("name", NETWORKS)
def test_no_transposition_remains_inside(name: str) -> None:
    make, written, expected, free = NETWORKS[name]
    graph = make()
    changed = channels_first(graph)
    assert inside(graph)
    assert inside(changed) == []
    assert [transpositions(graph), transpositions(changed)] == [written, expected]
    assert transpositions(channels_first(graph, layout="nnef")) == free


@pytest.mark.parametrize("layout", ["source", "nnef"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_numbers_are_equal(name: str, layout: str) -> None:
    graph = NETWORKS[name][0]()
    changed = channels_first(graph, layout=layout)  # type: ignore[arg-type]
    inputs = example_inputs(graph)
    expected = nk.run(graph, inputs, progress=False)
    given = {n: as_stored(changed, n, array) for n, array in inputs.items()}
    results = nk.run(changed, given, progress=False)
    for output, array in expected.items():
        ours = as_in_source(changed, output, results[output])
        np.testing.assert_allclose(ours, array, rtol=1e-12, atol=1e-12)
    again = nk.parse(str(changed))
    assert {n: t.shape for n, t in nk.infer_shapes(again).tensors.items()} == {
        n: t.shape for n, t in changed.tensors.items()
    }


def test_a_detector_as_the_khronos_converter_writes_it() -> None:
    """Its weights are transposed by 37 of its operations, and its heads by four."""
    graph = nk.load(MODELS / "blazeface_front" / "blazeface_front.nnef")
    changed = channels_first(graph)
    assert [transpositions(graph), transpositions(changed)] == [42, 5]
    assert inside(changed) == []
    with np.load(MODELS / "blazeface_front" / "io.npz") as recorded:
        results = nk.run(changed, recorded["external1"], progress=False)
        for name in graph.outputs:
            np.testing.assert_allclose(results[name], recorded[name], rtol=0, atol=2e-4)
    assert [v.label for v in changed.variables] == [v.label for v in graph.variables]


def test_ten_thousand_operations_take_about_a_second() -> None:
    lines = ["x = external<scalar>(shape = [1, 8, 8, 4]);"]
    previous = "x"
    for n in range(1666):
        lines += [
            f"w{n} = variable<scalar>(shape = [4, 4, 3, 3], label = 'w{n}');",
            f"a{n} = transpose({previous}, axes = [0, 3, 1, 2]);",
            f"c{n} = conv(a{n}, w{n});",
            f"b{n} = transpose(c{n}, axes = [0, 2, 3, 1]);",
            f"r{n} = relu(b{n});",
            f"s{n} = add(r{n}, {previous});",
        ]
        previous = f"s{n}"
    text = f"version 1.0; graph net(x) -> ({previous}) {{ {' '.join(lines)} }}"
    graph = nk.infer_shapes(nk.parse(text))
    assert transpositions(channels_first(graph)) == 2
    assert least_seconds(lambda: channels_first(graph), 1.5) < 1.5
