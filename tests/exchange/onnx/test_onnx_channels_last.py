"""ONNX models that came from TensorFlow are channels-first inside; others stay as they are."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import nnefkit as nk
from nnefkit.exchange.layout import as_stored

FIRST, LAST = [0, 3, 1, 2], [0, 2, 3, 1]


def model(producer: str, *, channels_last: bool = True) -> onnx.ModelProto:
    """Two convolutions between transpositions; or the same for a channels-first input."""
    random = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(random.normal(size=shape).astype(np.float32), name)
        for name, shape in (("f", (4, 3, 3, 3)), ("g", (2, 4, 1, 1)), ("w", (4,)))
    ]
    source = "image_first" if channels_last else "image"
    nodes = [
        helper.make_node("Transpose", ["image"], ["image_first"], perm=FIRST),
        helper.make_node("Conv", [source, "f"], ["conv"], pads=[1, 1, 1, 1]),
        helper.make_node("Transpose", ["conv"], ["conv_last"], perm=LAST),
        helper.make_node("Mul", ["conv_last", "w"], ["scaled"]),
        helper.make_node("Relu", ["scaled"], ["relu"]),
        helper.make_node("Transpose", ["relu"], ["relu__first"], perm=FIRST),
        helper.make_node("Conv", ["relu__first", "g"], ["relu_first"]),
        helper.make_node("Transpose", ["relu_first"], ["result"], perm=LAST),
    ][0 if channels_last else 1 :]
    shape = (1, 6, 5, 3) if channels_last else (1, 3, 6, 5)
    x = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("result", onnx.TensorProto.FLOAT, (1, 6, 5, 2))
    graph = helper.make_graph(nodes, "net", [x], [y], weights)
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, producer_name=producer, opset_imports=opset, ir_version=8)


def transpositions(graph: nk.Graph) -> int:
    return [op.name for op in graph.operations].count("transpose")


@pytest.mark.parametrize(
    ("producer", "channels_last", "expected"),
    [
        ("tf2onnx", True, 2),
        ("tf2onnx", False, 1),
        ("", True, 2),
        ("", False, 3),
        ("pytorch", True, 4),
        ("pytorch", False, 3),
    ],
)
def test_which_models_are_rewritten(producer: str, channels_last: bool, expected: int) -> None:
    graph = nk.from_onnx(model(producer, channels_last=channels_last))
    assert transpositions(graph) == expected
    assert ("layouts" in graph.provenance) == (expected < 3)
    assert graph.provenance["verified"] is True
    assert graph.outputs == ("result",)
    assert {v.label for v in graph.variables} == {"f", "g", "w"}


def test_its_trace_has_the_terms_of_the_graph() -> None:
    proto = model("tf2onnx")
    graph = nk.from_onnx(proto)
    x = {"image": np.random.default_rng(1).normal(size=(1, 6, 5, 3)).astype(np.float32)}
    theirs, ours = nk.trace_onnx(proto, x), nk.trace(graph, x)
    comparison = nk.compare(theirs, ours)
    assert comparison.ok
    assert {row.name for row in comparison} == {*ours}
    assert theirs["relu"].shape == ours["relu"].shape == (1, 4, 6, 5)
    assert graph.provenance["layouts"]["relu"] == (0, 3, 1, 2)
    assert as_stored(graph, "relu", np.zeros((1, 6, 5, 4))).shape == (1, 4, 6, 5)


def test_a_tensor_that_the_graph_lacks_takes_no_name_of_another_one() -> None:
    """`relu__first` and `relu_first` are one identifier; the graph has only the second of them."""
    proto = model("tf2onnx")
    x = {"image": np.random.default_rng(1).normal(size=(1, 6, 5, 3)).astype(np.float32)}
    trace = nk.trace_onnx(proto, x)
    graph = nk.from_onnx(proto)
    (name,) = [n for n, t in graph.tensors.items() if t.origin == "relu_first"]
    assert trace[name].shape == graph.tensors[name].shape == (1, 2, 6, 5)


def test_a_proof_operation_by_operation_knows_the_layouts() -> None:
    """A difference in the outputs is traced to the operation, not to the order of its axes."""
    proto = model("tf2onnx")
    with pytest.raises(nk.ExecutionError, match="is the first tensor that differs") as caught:
        nk.from_onnx(proto, tolerance=0.0, engine="torch")
    assert "in its shape" not in str(caught.value)
