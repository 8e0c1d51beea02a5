"""Quantization info out of ONNX's pairs of QuantizeLinear and DequantizeLinear, and back."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

import nnefkit as nk

SHAPE = (1, 3, 12, 12)


def pictures(count=4):
    random = np.random.default_rng(1)
    return [random.uniform(-1, 1, SHAPE).astype(np.float32) for _ in range(count)]


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    random = np.random.default_rng(2)

    def weight(name, *shape):
        array = random.normal(0, np.prod(shape[1:]) ** -0.5, shape).astype(np.float32)
        return numpy_helper.from_array(array, name)

    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("MaxPool", ["r1"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p", "w2", "b2"], ["y"]),
    ]
    weights = [weight("w1", 8, 3, 3, 3), weight("b1", 8), weight("w2", 6, 8, 3, 3), weight("b2", 6)]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 6, 4, 4])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path_factory.mktemp("network") / "net.onnx"
    onnx.save(model, path)
    return path


class Pictures(CalibrationDataReader):
    """The pictures that ONNX Runtime calibrates with."""

    def __init__(self):
        self.left = iter(pictures())

    def get_next(self):
        x = next(self.left, None)
        return None if x is None else {"x": x}


def run(path, x):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("activation", [QuantType.QUInt8, QuantType.QInt8])
def test_a_model_of_onnx_runtime_becomes_info_and_goes_back(
    network, tmp_path, per_channel, activation
):
    path = str(tmp_path / "qdq.onnx")
    quantize_static(
        str(network),
        path,
        Pictures(),
        quant_format=QuantFormat.QDQ,
        per_channel=per_channel,
        activation_type=activation,
        weight_type=QuantType.QInt8,
    )
    graph = nk.from_onnx(path, quantization="info")
    assert "zero_point_linear_quantize" not in {op.name for op in graph.operations}
    assert graph.provenance["verified"]
    assert graph.provenance["quantized_by_operations"] == ()
    lines = {n: t.quantization for n, t in graph.tensors.items() if t.quantization}
    stored = [v for v in graph.variables if v.name in lines]
    assert sorted(lines[v.name]["bits"] for v in stored) == [8, 8, 32, 32]
    if per_channel:
        assert {len(np.ravel(lines[v.name]["scale"])) for v in stored} == {6, 8}
    for x in pictures():
        expected, step = run(path, x), float(lines["y"]["scale"])
        found = nk.run(graph, x, quantized=True)["y"]
        assert np.mean(np.abs(found - expected) > step / 2) < 0.01
        assert np.abs(found - expected).max() <= 1.01 * step
    again = str(tmp_path / "again.onnx")
    nk.to_onnx(graph, again, quantized=True)
    nodes = Counter(node.op_type for node in onnx.load(again).graph.node)
    before = Counter(node.op_type for node in onnx.load(path).graph.node)
    assert nodes["QuantizeLinear"] == before["QuantizeLinear"]
    assert nodes["DequantizeLinear"] == before["DequantizeLinear"]
    for x in pictures():
        assert np.mean(np.abs(run(again, x) - run(path, x)) > step / 2) < 0.01
    nk.save(graph, tmp_path / "model")
    loaded = nk.load(tmp_path / "model")
    np.testing.assert_array_equal(
        nk.run(loaded, x, quantized=True)["y"], nk.run(graph, x, quantized=True)["y"]
    )


@pytest.mark.parametrize("symmetric", [True, False, "weights"])
def test_quantize_goes_out_as_pairs_with_stored_codes(network, tmp_path, symmetric):
    quantized = nk.quantize(nk.from_onnx(network), pictures(), symmetric=symmetric)
    path = str(tmp_path / "out.onnx")
    nk.to_onnx(quantized, path, quantized=True)
    model = onnx.load(path)
    types = Counter(each.data_type for each in model.graph.initializer)
    assert types[TensorProto.INT32] == 4, "the biases, and their zero points"
    assert types[TensorProto.UINT8 if symmetric is False else TensorProto.INT8] >= 2
    assert Counter(node.op_type for node in model.graph.node)["QuantizeLinear"] == 4
    step = float(quantized.tensor("y").quantization["scale"])
    for x in (*pictures(), 3 * pictures()[0]):
        found, expected = run(path, x), nk.run(quantized, x, quantized=True)["y"]
        assert np.mean(np.abs(found - expected) > step / 2) < 0.02


def pair(source, result, scale=0.02):
    parameters = [f"{result}_s", f"{result}_z"]
    nodes = [
        helper.make_node("QuantizeLinear", [source, *parameters], [f"{result}_q"]),
        helper.make_node("DequantizeLinear", [f"{result}_q", *parameters], [result]),
    ]
    weights = [
        numpy_helper.from_array(np.array(scale, np.float32), parameters[0]),
        numpy_helper.from_array(np.array(3, np.uint8), parameters[1]),
    ]
    return nodes, weights


def model(nodes, weights, *outputs):
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8]) for name in outputs],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_pairs_that_info_cannot_express_stay_operations():
    inner, inner_weights = pair("a", "b")
    twice, twice_weights = pair("b", "c", 0.05)
    nodes = [
        helper.make_node("Sigmoid", ["x"], ["a"]),
        *inner,
        *twice,
        helper.make_node("Add", ["a", "c"], ["y"]),
    ]
    graph = nk.from_onnx(model(nodes, inner_weights + twice_weights, "y"), quantization="info")
    # `a` is also read as it is.
    assert graph.provenance["quantized_by_operations"] == ("b",)
    assert graph.tensor("c").quantization["scale"] == pytest.approx(0.05)
    x = np.linspace(-3, 3, 8, dtype=np.float32).reshape(1, 8)
    options = onnxruntime.SessionOptions()
    # Its optimizations merge two roundings into one.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model(nodes, inner_weights + twice_weights, "y").SerializeToString(), options
    )
    expected = session.run(None, {"x": x})[0]
    quantized = any(t.quantization for t in graph.tensors.values())
    np.testing.assert_allclose(nk.run(graph, x, quantized=quantized)["y"], expected, atol=1e-6)


def test_of_two_roundings_one_after_the_other_the_second_stays_an_operation():
    inner, inner_weights = pair("a", "b")
    twice, twice_weights = pair("b", "y", 0.05)
    nodes = [helper.make_node("Sigmoid", ["x"], ["a"]), *inner, *twice]
    graph = nk.from_onnx(model(nodes, inner_weights + twice_weights, "y"), quantization="info")
    assert graph.provenance["quantized_by_operations"] == ("y",)
    assert graph.tensor("b").quantization["scale"] == pytest.approx(0.02)
    assert graph.provenance["verified"]


def test_a_rounded_input_that_is_returned_stays_an_operation():
    nodes, weights = pair("x", "y")
    graph = nk.from_onnx(model(nodes, weights, "y"), quantization="info")
    assert graph.provenance["quantized_by_operations"] == ("y",)
    assert graph.outputs == ("y",)


def test_wrong_arguments(network):
    with pytest.raises(nk.InputError, match="'quantization' must be 'operations' or 'info'"):
        nk.from_onnx(network, quantization="quant")


def test_by_default_pairs_are_operations(network, tmp_path):
    nodes, weights = pair("x", "h")
    nodes.append(helper.make_node("Sigmoid", ["h"], ["y"]))
    graph = nk.from_onnx(model(nodes, weights, "y"))
    assert [op.name for op in graph.computations] == ["zero_point_linear_quantize", "sigmoid"]


@pytest.mark.parametrize("place", ["message", "model", "other file"])
def test_large_weights_and_those_in_other_files_get_info(tmp_path, place):
    """They are held outside of the message."""
    random = np.random.default_rng(5)
    codes = random.integers(-128, 128, (64, 128, 3, 3)).astype(np.int8)
    steps = random.uniform(0.01, 0.02, 64).astype(np.float32)
    weights = [
        numpy_helper.from_array(codes, "codes"),
        numpy_helper.from_array(steps, "steps"),
        numpy_helper.from_array(np.zeros(64, np.int8), "zeros"),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["codes", "steps", "zeros"], ["w"], axis=0),
        helper.make_node("Conv", ["x", "w"], ["y"]),
        # A pair, so that there is something to turn into info.
        helper.make_node("QuantizeLinear", ["y", "step", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "step", "zero"], ["z"]),
    ]
    weights += [
        numpy_helper.from_array(np.float32(0.1), "step"),
        numpy_helper.from_array(np.int8(0), "zero"),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 128, 4, 4))],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, (1, 64, 2, 2))],
        weights,
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "net.onnx"
    onnx.save(proto, path, save_as_external_data=place == "other file", size_threshold=0)
    source = path.read_bytes() if place == "message" else path
    read = nk.from_onnx(source, quantization="info")
    (variable,) = [each for each in read.variables if each.shape == codes.shape]
    info = variable.quantization
    assert info is not None
    assert (info["bits"], info["signed"], info["zero_point"]) == (8, True, 0)
    np.testing.assert_allclose(np.ravel(info["scale"]), steps)
