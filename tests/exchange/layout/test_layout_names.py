"""Names, origins and layouts of the tensors of rewritten networks."""

from __future__ import annotations

import numpy as np

import nnefkit as nk
from nnefkit import Graph
from nnefkit.exchange.emission import emitted, name_outputs
from nnefkit.exchange.layout import (
    as_in_source,
    as_stored,
    channels_first,
    layouts,
    source_tensors,
)
from nnefkit.exchange.source_graph import SourceGraph
from nnefkit.exchange.source_value import Value

FLOAT = np.dtype(np.float32)


class _Reader:
    """A reader that names the results of operators, and only these."""

    def __init__(self) -> None:
        self.graph = SourceGraph()
        self.outputs: list[tuple[str, Value]] = []

    def between(
        self, name: str, operation: str, x: Value, *inputs: Value, **attribs: object
    ) -> Value:
        first = self.graph.op("transpose", x, axes=[0, 3, 1, 2])
        result = self.graph.op(operation, first, *inputs, **attribs)
        return self.named(name, self.graph.op("transpose", result, axes=[0, 2, 3, 1]))

    def named(self, name: str, value: Value) -> Value:
        self.graph.name_results([value], [name])
        return value

    def read(self) -> Graph:
        name_outputs(self.graph, self.outputs)
        return emitted(self.graph, "net", self.outputs)


def read() -> Graph:
    """A network of four operators, as a reader of TFLite sees it."""
    reader = _Reader()
    graph = reader.graph
    kernel = np.arange(24, dtype=np.float32).reshape(4, 3, 1, 2)
    x = graph.external("serving_default_image:0", (1, 6, 5, 3), FLOAT)
    conv = reader.between("net/conv/Conv2D", "conv", x, graph.constant(kernel, name="net/conv/w"))
    relu = reader.named("net/Relu;net/BiasAdd", graph.op("relu", conv))
    pool = reader.between("net/pool", "max_pool", relu, size=[1, 1, 2, 2], border="ignore")
    result = reader.named("StatefulPartitionedCall:0", graph.op("add", pool, 1.0))
    reader.outputs = [("StatefulPartitionedCall:0", result)]
    return reader.read()


def test_tensors_have_the_names_and_origins_of_the_source() -> None:
    graph = channels_first(read())
    computed = {n: t.origin for n, t in graph.tensors.items() if t.data is None}
    assert computed == {
        "serving_default_image_0": "serving_default_image:0",
        "net_conv_Conv2D_part": None,
        "net_conv_Conv2D": "net/conv/Conv2D",
        "net_Relu": "net/Relu;net/BiasAdd",
        "net_pool": "net/pool",
        "StatefulPartitionedCall_0_transposed": None,
        "StatefulPartitionedCall_0": "StatefulPartitionedCall:0",
    }
    assert [v.label for v in graph.variables] == ["net/conv/w"]


def test_the_text_of_a_small_network() -> None:
    operations = [str(op) for op in channels_first(read()).computations]
    assert [line.partition(", size")[0].partition(", border")[0] for line in operations] == [
        "net_conv_Conv2D_part = transpose(serving_default_image_0, axes = [0, 3, 1, 2]);",
        "net_conv_Conv2D = conv(net_conv_Conv2D_part, net_conv_w, 0.0",
        "net_Relu = relu(net_conv_Conv2D);",
        "net_pool = max_pool(net_Relu",
        "StatefulPartitionedCall_0_transposed = add(net_pool, 1.0);",
        "StatefulPartitionedCall_0 = transpose(StatefulPartitionedCall_0_transposed, "
        "axes = [0, 2, 3, 1]);",
    ]


def test_layouts_say_how_the_tensors_of_the_source_are_stored() -> None:
    given = read()
    graph = channels_first(given)
    first = (0, 3, 1, 2)
    assert layouts(given) == {}
    assert layouts(graph) == {"net_conv_Conv2D": first, "net_Relu": first, "net_pool": first}
    x = {given.inputs[0]: np.random.default_rng(0).normal(size=(1, 6, 5, 3)).astype(np.float32)}
    theirs, ours = nk.trace(given, x), nk.trace(graph, x)
    for name in layouts(graph):
        np.testing.assert_array_equal(as_stored(graph, name, theirs[name]), ours[name])
        np.testing.assert_array_equal(as_in_source(graph, name, ours[name]), theirs[name])
    compared = nk.compare(ours, theirs, axes=dict(layouts(graph)))
    assert compared.ok
    assert {"net_conv_Conv2D", "net_Relu", "net_pool"} <= {row.name for row in compared}


def test_the_tensors_of_the_source_by_their_origins() -> None:
    given = read()
    graph = channels_first(given)
    arrays = {t.origin: np.zeros(t.shape or ()) for t in given.tensors.values() if t.origin}
    stored = source_tensors(graph, arrays)
    assert stored.keys() == arrays.keys()
    for tensor in graph.tensors.values():
        if tensor.origin and tensor.data is None:
            assert np.shape(stored[tensor.origin]) == tensor.shape


def test_inputs_and_outputs_may_be_channels_first() -> None:
    graph = channels_first(read(), layout="nnef")
    assert graph.inputs == ("serving_default_image_0",)
    assert graph.tensors["serving_default_image_0"].shape == (1, 3, 6, 5)
    assert graph.producers["serving_default_image_0"].attribs["shape"] == [1, 3, 6, 5]
    assert graph.tensors["StatefulPartitionedCall_0"].shape == (1, 4, 6, 5)
    assert not [op for op in graph.operations if op.name == "transpose"]
    assert layouts(graph)["serving_default_image_0"] == (0, 3, 1, 2)
    assert layouts(graph)["StatefulPartitionedCall_0"] == (0, 3, 1, 2)


def test_inputs_and_outputs_that_no_transposition_meets_keep_their_layout() -> None:
    text = """version 1.0;
    graph net(x, s) -> (o, r)
    {
        x = external<scalar>(shape = [1, 6, 4, 3]);
        s = external<scalar>(shape = [1, 6, 4, 3]);
        t = transpose(x, axes = [0, 3, 1, 2]);
        o = max_pool(t, size = [1, 1, 2, 2]);
        r = softmax(s, axes = [3]);
    }
    """
    graph = channels_first(nk.infer_shapes(nk.parse(text)), layout="nnef")
    assert graph.tensors["x"].shape == graph.tensors["o"].shape == (1, 3, 6, 4)
    assert graph.tensors["s"].shape == graph.tensors["r"].shape == (1, 6, 4, 3)


def test_an_output_in_two_layouts() -> None:
    text = """version 1.0;
    graph net(x) -> (a, b, c, d)
    {
        x = external<scalar>(shape = [1, 6, 4, 3]);
        t = transpose(x, axes = [0, 3, 1, 2]);
        p = max_pool(t, size = [1, 1, 2, 2]);
        a = transpose(p, axes = [0, 2, 3, 1]);
        b = transpose(p, axes = [0, 2, 3, 1]);
        u = transpose(a, axes = [0, 3, 1, 2]);
        c = max_pool(u, size = [1, 1, 2, 2]);
        d = transpose(b, axes = [0, 3, 1, 2]);
    }
    """
    graph = nk.infer_shapes(nk.parse(text))
    changed = channels_first(graph)
    x = {"x": np.random.default_rng(0).normal(size=(1, 6, 4, 3)).astype(np.float32)}
    expected, results = nk.run(graph, x), nk.run(changed, x)
    assert [*results] == ["a", "b", "c", "d"]
    for name, array in expected.items():
        np.testing.assert_array_equal(results[name], array)
    names = [op.name for op in changed.operations]
    assert names.count("transpose") == 2
    assert nk.validate(changed).ok


def test_the_record_of_valid_shapes_follows_the_inputs() -> None:
    from nnefkit.exchange.proof import with_facts
    from nnefkit.graph.extents import EXTENTS, ConvertedExtents, Range

    name = "serving_default_image_0"
    record = ConvertedExtents({name: (1, 6, 5, 3)}, {(name, 1): Range(2, 9)})
    graph = channels_first(with_facts(read(), {EXTENTS: record}), layout="nnef")
    changed = graph.provenance[EXTENTS]
    assert changed.shapes == {name: (1, 3, 6, 5)}
    assert changed.ranges == {(name, 2): Range(2, 9)}
    assert graph.with_input_shapes(**{name: (1, 3, 8, 5)}).tensors["net_Relu"].shape == (1, 4, 8, 5)
