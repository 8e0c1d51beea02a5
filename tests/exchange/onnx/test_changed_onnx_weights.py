"""New values for the weights of ONNX models: ONNX Runtime's numbers for them, or a refusal."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from drawn_nodes import DRAWERS, draw
from onnx import TensorProto, helper, numpy_helper
from test_onnx_operators import reference_results

import nnefkit as nk

COUNT = 2


def with_weight(model, name, array):
    """Return a copy of a model with new values for one of its weights."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    for tensor in changed.graph.initializer:
        if tensor.name == name:
            tensor.CopyFrom(numpy_helper.from_array(array, name))
    return changed


def check_weights(model, feeds, graph):
    """Check each weight of numbers; return how many of them can be replaced."""
    replaced = 0
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype != np.float32 or array.size < 2:
            continue
        new = np.random.default_rng(array.size).permutation(array.reshape(-1) * 1.25 + 0.375)
        new = np.abs(new).reshape(array.shape).astype(np.float32)
        expected = reference_results(with_weight(model, tensor.name, new), feeds)
        try:
            changed = graph.with_data({tensor.name: new})
        except (nk.UnknownNameError, nk.InputError):
            continue
        if expected is None:
            continue
        given = {name: feeds[name] for name in changed.inputs}
        actual = nk.run(changed, given, progress=False)
        for ours, theirs in zip(actual.values(), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, 1e-3, 1e-4, err_msg=f"{tensor.name} {model}")
        replaced += 1
    return replaced


@pytest.mark.parametrize("name", sorted(DRAWERS))
def test_new_weights_of_operators_are_right_or_refused(name):
    for seed in range(COUNT):
        drawn = draw(name, 7000 + seed)
        if drawn is None or not drawn[1]:
            continue
        try:
            graph = nk.from_onnx(drawn[0], verify=False)
        except nk.NnefError:
            continue
        check_weights(*drawn, graph)


def model_of(nodes, weights, shape=(3, 3)):
    """Return a model of some nodes from ``x`` to ``y``, and an input for it."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    output = helper.make_empty_tensor_value_info("y")
    graph = helper.make_graph(nodes, "g", [x], [output], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return model, {"x": np.random.default_rng(1).normal(size=shape).astype(np.float32)}


def node(operator, inputs, output, **attributes):
    return helper.make_node(operator, inputs.split(), [output], **attributes)


SQUARE = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)

MODELS = {
    "product": ([node("MatMul", "x w", "y")], 1),
    "transposed": ([node("Transpose", "w", "t"), node("MatMul", "x t", "y")], 0),
    "Gemm": ([node("Gemm", "x w", "y")], 0),
    "Gemm of the transpose": ([node("Gemm", "x w", "y", transB=1)], 1),
    "Gemm of both transposes": ([node("Gemm", "x w", "y", transA=1, transB=1)], 1),
    "shared": ([node("Identity", "w", "i"), node("MatMul", "x i", "y")], 1),
    "negative": ([node("Neg", "w", "n"), node("MatMul", "x n", "y")], 0),
    "also negative": (
        [node("Neg", "w", "n"), node("MatMul", "x n", "p"), node("MatMul", "p w", "y")], 0),
    "also transposed": (
        [node("Transpose", "w", "t"), node("MatMul", "x t", "p"), node("MatMul", "p w", "y")], 0),
}  # fmt: skip


@pytest.mark.parametrize(("nodes", "replaced"), MODELS.values(), ids=MODELS)
def test_new_square_weights_are_right_or_refused(nodes, replaced, tmp_path):
    model, feeds = model_of(nodes, {"w": SQUARE})
    graph = nk.from_onnx(model)
    nk.save(graph, tmp_path / "model")
    for given in (graph, nk.load(tmp_path / "model")):
        assert check_weights(model, feeds, given) == replaced
