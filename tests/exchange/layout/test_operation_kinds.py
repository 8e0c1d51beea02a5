"""Every operation and fragment is known to the layout pass, or known to be a barrier."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import nnefkit as nk
from nnefkit import Graph, language
from nnefkit.exchange.emission import emitted, name_outputs
from nnefkit.exchange.fragments import fragments
from nnefkit.exchange.layout import channels_first
from nnefkit.exchange.layout.rearrangement import known_fragments
from nnefkit.exchange.source_graph import SourceGraph
from nnefkit.execution.layout.operation_kinds import BOUND_FRAGMENTS, SPATIAL, known_operations

STRUCTURAL = {"reshape", "squeeze", "unsqueeze", "transpose", "stack", "unstack", "matmul"}
SOURCES = {"external", "variable", "constant", "update"}
BARRIERS = {"linear"}
FLOAT = np.dtype(np.float32)
SHAPE = (2, 4, 3, 5)
PARAMETERS = {"alpha": 0.5, "beta": 0.25, "threshold": 0.5, "bias": 0.25, "epsilon": 0.5}


def of_scalars() -> list[str]:
    """The fragments of tensors of scalars that are not barriers."""
    return [
        name
        for name, declaration in fragments().items()
        if name not in BOUND_FRAGMENTS
        and all(
            str(declaration.by_name[n].type) == "tensor<scalar>" for n, *_ in declaration.inputs
        )
    ]


def network(name: str) -> Graph:
    """A fragment of a channels-last image between two pooling operations."""
    declaration = fragments()[name]
    graph = SourceGraph()
    x = graph.external("x", SHAPE, FLOAT)
    first = graph.op("transpose", x, axes=[0, 3, 1, 2])
    first = graph.op("max_pool", first, size=[1, 1, 2, 2], border="ignore")
    image = graph.op("transpose", first, axes=[0, 2, 3, 1])
    other = graph.op("add", graph.op("sin", image), 0.25)
    weight = graph.constant(np.arange(1, 6, dtype=np.float32).reshape(1, 1, 1, 5), name="w")
    operands = [image, other, weight][: len(declaration.inputs)]
    if name in ("layer_normalization", "instance_normalization", "rms_normalization"):
        operands = [image, weight, other][: len(declaration.inputs)]
    attribs = {n: [3] if n == "axes" else PARAMETERS[n] for n, *_ in declaration.attributes}
    has_axes = name.endswith(("log_sum_exp", "_sum_exp"))
    shape = (2, 4, 3, 1) if has_axes else SHAPE
    (result,) = graph.fragment(name, operands, [shape], **attribs)
    second = graph.op("transpose", graph.op("add", result, image), axes=[0, 3, 1, 2])
    second = graph.op("max_pool", second, size=[1, 1, 2, 2], border="ignore")
    outputs = [("o", graph.op("transpose", second, axes=[0, 2, 3, 1]))]
    graph.name_results([outputs[0][1]], ["o"])
    name_outputs(graph, outputs)
    return emitted(graph, "net", outputs)


def test_every_standard_operation_is_of_one_kind() -> None:
    kinds = set(known_operations())
    known = kinds | SPATIAL | STRUCTURAL | SOURCES | BARRIERS
    assert known == set(language.declarations())
    assert kinds.isdisjoint(STRUCTURAL | SOURCES | BARRIERS)


def test_every_fragment_is_of_one_kind() -> None:
    texts = tuple(declaration.text for declaration in fragments().values())
    kinds = set(known_operations(known_fragments(Graph("g", (), (), (), {}, declarations=texts))))
    known = kinds.intersection(fragments())
    assert known | BOUND_FRAGMENTS == set(fragments())
    assert known.isdisjoint(BOUND_FRAGMENTS)
    assert len(of_scalars()) > 15


@pytest.mark.parametrize("name", of_scalars())
def test_a_fragment_is_called_in_another_order_of_axes(name: str) -> None:
    graph = network(name)
    changed = channels_first(graph)
    names = [op.name for op in changed.operations]
    assert names.count("transpose") == 2
    (call,) = [op for op in changed.operations if op.name == name]
    assert call.attribs.get("axes", [1]) == [1]
    inputs = {"x": np.random.default_rng(0).normal(size=SHAPE).astype(np.float32) * 3}
    expected, results = nk.run(graph, inputs)["o"], nk.run(changed, inputs)["o"]
    np.testing.assert_allclose(results, expected, rtol=1e-6, atol=1e-6)
    assert np.isfinite(expected).any()


def test_a_fragment_of_the_same_name_with_another_body_is_a_barrier() -> None:
    graph = network("swish")
    (text,) = graph.declarations
    body = "y = x * max_reduce(sigmoid(alpha * x), axes = [1]);"
    other = text.replace("y = x * sigmoid(alpha * x);", body)
    assert other != text
    changed = channels_first(replace(graph, declarations=(other,)))
    inputs = {"x": np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)}
    given = replace(graph, declarations=(other,))
    np.testing.assert_array_equal(nk.run(changed, inputs)["o"], nk.run(given, inputs)["o"])
    (call,) = [op for op in changed.operations if op.name == "swish"]
    assert changed.tensors[call.input_names[0]].shape == SHAPE


def test_a_custom_operation_is_a_barrier() -> None:
    text = """version 1.0;
    extension KHR_enable_fragment_definitions;
    fragment rotated( x: tensor<scalar> ) -> ( y: tensor<scalar> );
    graph net(x) -> (o)
    {
        x = external<scalar>(shape = [1, 4, 3, 2]);
        t = transpose(x, axes = [0, 3, 1, 2]);
        p = max_pool(t, size = [1, 1, 2, 2]);
        y = transpose(p, axes = [0, 2, 3, 1]);
        n = neg(y);
        c = rotated(n);
        u = transpose(c, axes = [0, 3, 1, 2]);
        q = max_pool(u, size = [1, 1, 2, 2]);
        o = transpose(q, axes = [0, 2, 3, 1]);
    }
    """
    parsed = nk.parse(text)
    graph = nk.infer_shapes(parsed)
    # Without a shape rule nothing is known of what follows.
    assert channels_first(graph) is graph
    nk.register_operation("rotated", shape=lambda x: x, kernel=lambda x: x[:, ::-1])
    try:
        graph = nk.infer_shapes(parsed)
        changed = channels_first(graph)
        inputs = {"x": np.random.default_rng(0).normal(size=(1, 4, 3, 2)).astype(np.float32)}
        np.testing.assert_array_equal(nk.run(changed, inputs)["o"], nk.run(graph, inputs)["o"])
        (call,) = [op for op in changed.operations if op.name == "rotated"]
        assert changed.tensors[call.input_names[0]].shape == (1, 4, 3, 2)
    finally:
        nk.unregister_operation("rotated")
