"""Networks quantized by ONNX Runtime's own tools."""

import logging

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

import nnefkit as nk

RNG = np.random.default_rng(0)
SHAPE = (2, 3, 12, 12)


def picture():
    return RNG.uniform(-1, 1, SHAPE).astype(np.float32)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Return the path of a network of two convolutions, pooling, and a linear layer."""

    def weight(name, *shape):
        array = RNG.normal(0, np.prod(shape[1:]) ** -0.5, shape).astype(np.float32)
        return numpy_helper.from_array(array, name)

    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("MaxPool", ["r1"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p", "w2", "b2"], ["c2"]),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("Flatten", ["r2"], ["f"]),
        helper.make_node("MatMul", ["f", "w3"], ["y"]),
    ]
    weights = [
        *(weight("w1", 8, 3, 3, 3), weight("b1", 8), weight("w2", 6, 8, 3, 3), weight("b2", 6)),
        weight("w3", 96, 5),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 5])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path_factory.mktemp("network") / "net.onnx"
    onnx.save(model, path)
    return path


class Pictures(CalibrationDataReader):
    def __init__(self):
        self.left = [{"x": picture()} for _ in range(3)]

    def get_next(self):
        return self.left.pop() if self.left else None


STATIC = {
    "uint8": {"quant_format": QuantFormat.QDQ},
    "int8, by channels": {
        "quant_format": QuantFormat.QDQ,
        "activation_type": QuantType.QInt8,
        "per_channel": True,
    },
    "operators": {
        "quant_format": QuantFormat.QOperator,
        "op_types_to_quantize": ["Conv", "MatMul"],
    },
}


def assert_graph_computes_the_same(path, steps):
    graph = nk.from_onnx(path)
    assert graph.provenance["verified"] is True
    x = picture()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    (expected,) = onnxruntime.InferenceSession(str(path), options).run(None, {"x": x})
    for engine in ("numpy", "onnxruntime", "torch"):
        actual = nk.run(graph, x, engine=engine)["y"]
        # A number between two codes may be rounded to either.
        assert np.abs(actual - expected).max() <= steps * np.ptp(expected) / 255
    return graph


@pytest.mark.parametrize("kind", STATIC)
def test_graphs_of_statically_quantized_networks_compute_the_same(kind, network, tmp_path, caplog):
    caplog.set_level(logging.ERROR)
    path = tmp_path / "quantized.onnx"
    quantize_static(network, path, Pictures(), **STATIC[kind])
    graph = assert_graph_computes_the_same(path, steps=2)
    names = [op.name for op in graph.operations]
    if kind != "operators":
        # Quantization with dequantization becomes one operation, and weights are numbers again.
        assert names.count("zero_point_linear_quantize") >= 5
        assert "round" not in names
        report = nk.validate(str(graph))
        assert (report.errors, report.warnings) == ((), ())


def test_graphs_of_dynamically_quantized_networks_compute_the_same(network, tmp_path, caplog):
    caplog.set_level(logging.ERROR)
    path = tmp_path / "quantized.onnx"
    quantize_dynamic(network, path, op_types_to_quantize=["Conv", "MatMul"])
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert {"DynamicQuantizeLinear", "ConvInteger", "MatMulInteger"} <= kinds
    assert_graph_computes_the_same(path, steps=2)
