"""What was proven of a graph is not claimed of its changed copies."""

import numpy as np
import onnx
import pytest
from onnx import helper

import nnefkit as nk


@pytest.fixture(scope="module")
def graph():
    node = [
        helper.make_node("Add", ["x", "w"], ["s"]),
        helper.make_node("Relu", ["s"], ["y"]),
    ]
    value = helper.make_tensor_value_info
    weights = [onnx.numpy_helper.from_array(np.float32([[1, 2, 3]]), "w")]
    model = helper.make_model(
        helper.make_graph(
            node,
            "net",
            [value("x", onnx.TensorProto.FLOAT, ["n", 3])],
            [value("y", onnx.TensorProto.FLOAT, ["n", 3])],
            weights,
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    return nk.from_onnx(model, input_shapes={"x": (2, 3)})


CHANGES = {
    "with_data": lambda graph: graph.with_data({"w": np.float32([[3, 2, 1]])}),
    "with_outputs": lambda graph: graph.with_outputs("s"),
    "with_input_shapes": lambda graph: graph.with_input_shapes(x=(4, 3)),
    "between": lambda graph: graph.between(["s"], ["y"]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_copy_is_not_verified(graph, name):
    copy = CHANGES[name](graph)
    assert graph.provenance["verified"]
    assert not copy.provenance["verified"]
    assert "largest_difference" not in copy.provenance
    assert copy.provenance["source"] == graph.provenance["source"]
    shown = copy._repr_html_()
    assert f"not verified since it was changed by {name}" in shown
    assert "largest relative difference" not in shown


def test_an_unchanged_copy_is_still_verified(graph):
    assert nk.infer_shapes(graph).provenance["verified"]
    assert "verified" not in nk.parse(str(graph)).with_outputs("s").provenance
