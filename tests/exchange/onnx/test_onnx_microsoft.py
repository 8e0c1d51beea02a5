"""Models that ONNX Runtime's optimizer and quantization wrote, in the domain ``com.microsoft``."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import nnefkit as nk

onnxruntime.set_default_logger_severity(4)
MS = "com.microsoft"


def model(nodes, shapes, weights=(), outputs=("y",), dtypes=None):
    dtypes = dtypes or [TensorProto.FLOAT] * len(shapes)
    inputs = [
        helper.make_tensor_value_info(name, dtype, shape)
        for (name, shape), dtype in zip(shapes.items(), dtypes, strict=True)
    ]
    infos = [helper.make_empty_tensor_value_info(name) for name in outputs]
    stored = [numpy_helper.from_array(array, name) for name, array in dict(weights).items()]
    graph = helper.make_graph(nodes, "fused", inputs, infos, stored)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(MS, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def drawn(*shape, seed=0, low=-1.0, high=1.0):
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


def optimized(made, path):
    """Return the model as ONNX Runtime's optimizer writes it."""
    options = onnxruntime.SessionOptions()
    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.graph_optimization_level = level
    options.optimized_model_filepath = str(path)
    onnxruntime.InferenceSession(made.SerializeToString(), options)
    return onnx.load(path)


def test_optimized_networks_are_read(tmp_path):
    """A convolution with an activation, and a normalized residual layer."""
    weights = {
        "w": drawn(4, 3, 3, 3), "b": drawn(4, seed=1), "scale": drawn(5, low=0.5, high=1.5),
        "offset": drawn(5, seed=2), "bias": drawn(5, seed=3), "half": np.float32(0.5),
        "one": np.float32(1), "root": np.float32(np.sqrt(2)),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[1] * 4),
        helper.make_node("LeakyRelu", ["c"], ["a"], alpha=0.1),
        helper.make_node("Add", ["a", "bias"], ["g"]),
        helper.make_node("Div", ["g", "root"], ["d"]),
        helper.make_node("Erf", ["d"], ["e"]),
        helper.make_node("Add", ["e", "one"], ["p"]),
        helper.make_node("Mul", ["g", "p"], ["m"]),
        helper.make_node("Mul", ["m", "half"], ["h"]),
        helper.make_node("LayerNormalization", ["h", "scale", "offset"], ["y"]),
    ]
    made = model(nodes, {"x": (2, 3, 6, 5)}, weights)
    fused = optimized(made, tmp_path / "fused.onnx")
    assert {node.domain for node in fused.graph.node} >= {MS}
    x = drawn(2, 3, 6, 5, seed=9)
    (expected,) = onnxruntime.InferenceSession(made.SerializeToString()).run(None, {"x": x})
    (y,) = nk.run(nk.from_onnx(fused), x, progress=False).values()
    np.testing.assert_allclose(y, expected, 1e-4, 1e-5)


def test_fused_layers_are_the_same_calls_as_plain_ones():
    node = helper.make_node("Gelu", ["x"], ["y"], domain=MS)
    text = str(nk.from_onnx(model([node], {"x": (2, 3)})))
    assert "gelu(x)" in text


def test_quantized_softmax_is_right_up_to_one_code():
    """ONNX Runtime looks exponentials up in a table, and is often one code too low."""
    scales = {"s": np.float32(0.1), "z": np.uint8(7), "t": np.float32(1 / 256), "u": np.uint8(0)}
    node = helper.make_node(
        "QLinearSoftmax", ["x", "s", "z", "t", "u"], ["y"], domain=MS, axis=-1, opset=13
    )
    made = model([node], {"x": (6, 5)}, scales, dtypes=[TensorProto.UINT8])
    x = np.random.default_rng(0).integers(0, 60, (6, 5)).astype(np.uint8)
    (expected,) = onnxruntime.InferenceSession(made.SerializeToString()).run(None, {"x": x})
    graph = nk.from_onnx(made, inputs={"x": x})
    (y,) = nk.run(graph, x, progress=False).values()
    assert np.abs(y.astype(int) - expected.astype(int)).max() <= 1
    powers = np.exp(x * 0.1)
    exact = np.clip(np.rint(powers / powers.sum(1, keepdims=True) * 256), 0, 255)
    np.testing.assert_array_equal(y, exact)


def test_quantized_lstms_of_several_sequences_are_read():
    """ONNX Runtime quantizes the hidden states in parts, one for each of its threads."""
    rng, hidden = np.random.default_rng(0), 4
    weights = {
        "w": rng.integers(-90, 90, (1, 2, 16)).astype(np.int8),
        "r": rng.integers(-90, 90, (1, hidden, 16)).astype(np.int8),
        "s": np.array([0.005], np.float32), "z": np.array([0], np.int8),
    }  # fmt: skip
    names = ["x", "w", "r", "", "", "", "", "", "s", "z", "s", "z"]
    node = helper.make_node("DynamicQuantizeLSTM", names, ["y"], domain=MS, hidden_size=hidden)
    made = model([node], {"x": (5, 6, 2)}, weights)
    x = rng.normal(size=(5, 6, 2)).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(made.SerializeToString(), options)
    (y,) = nk.run(nk.from_onnx(made), x, progress=False).values()
    np.testing.assert_allclose(y, session.run(None, {"x": x})[0], 1e-4, 1e-5)


def node(name, inputs, outputs=("y",), **attributes):
    return helper.make_node(name, inputs, outputs, domain=MS, **attributes)


CACHE = {"past": (2, 2, 1, 3, 2)}
REFUSED = {
    "an unknown activation": (
        [node("FusedConv", ["x", "w"], activation="Odd")],
        {"x": (1, 2, 4, 4), "w": (2, 2, 3, 3)}, "activation 'Odd' is not supported",
    ),
    "a cache of keys": (
        [node("Attention", ["x", "w", "b", "", "past"], ["y", "present"], num_heads=1)],
        {"x": (2, 3, 2), "w": (2, 6), "b": (6,), **CACHE}, "keys and values of earlier steps",
    ),
    "rotations": (
        [node("Attention", ["x", "w", "b"], num_heads=1, do_rotary=1)],
        {"x": (2, 3, 2), "w": (2, 6), "b": (6,)}, "rotates its queries and keys",
    ),
    "masks of lengths": (
        [node("Attention", ["x", "w", "b", "lengths"], num_heads=1)],
        {"x": (2, 3, 2), "w": (2, 6), "b": (6,), "lengths": (2,)}, "mask consists of lengths",
    ),
    "packed keys": (
        [node("MultiHeadAttention", ["x", "k", "v"], num_heads=1)],
        {"x": (2, 3, 2), "k": (2, 1, 3, 2), "v": (2, 1, 3, 2)}, "values are packed",
    ),
    "channels at the end": (
        [node("QLinearAveragePool", ["x", "s", "z", "s", "z"], kernel_shape=[2, 2],
              channels_last=1)],
        {"x": (1, 4, 4, 2), "s": (), "z": ()}, "channels are the last axis",
    ),
    "other operators of the domain": (
        [node("QAttention", ["x"])], {"x": (2, 3)}, f"operator of the domain '{MS}'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_expressed_is_refused(what):
    nodes, shapes, message = REFUSED[what]
    with pytest.raises(nk.DocumentError, match=message) as caught:
        nk.from_onnx(model(nodes, shapes), verify=False)
    assert all(diagnostic.hint for diagnostic in caught.value.diagnostics)
