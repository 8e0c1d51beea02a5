"""Graphs as ONNX models: names, opsets, state, quantization, proof, files."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

import nnefkit as nk
from nnefkit.exchange.onnx.to_onnx import newest_opset

TEXT = """version 1.0;
graph net(x) -> (y, z)
{
  x = external<scalar>(shape = [1, 2, 6, 6]);
  w = variable<scalar>(shape = [3, 2, 3, 3], label = "layer/w");
  c = conv(x, w, 0.5);
  y = relu(c);
  z = softmax(y);
}
"""
RNG = np.random.default_rng(0)


@pytest.fixture
def net():
    weights = RNG.uniform(-1, 1, (3, 2, 3, 3)).astype(np.float32)
    return nk.parse(TEXT).with_data({"w": weights})


def quantized(lines):
    weights = RNG.uniform(-1, 1, (3, 2, 3, 3)).astype(np.float32)
    return nk.parse(TEXT, lines).with_data({"w": weights})


def in_runtime(model, **feeds):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds), strict=True))


def sound():
    return RNG.uniform(-2, 2, (1, 2, 6, 6)).astype(np.float32)


def test_tensors_keep_their_names(net):
    graph = nk.to_onnx(net).graph
    assert [info.name for info in graph.input] == ["x"]
    assert [info.name for info in graph.output] == ["y", "z"]
    assert "w" in [tensor.name for tensor in graph.initializer]
    made = [name for node in graph.node for name in node.output]
    assert [name for name in made if name in net.tensors] == ["c", "y", "z"]
    assert graph.name == "net"


def test_the_newest_opset_of_the_installed_packages_is_the_default(net):
    model = nk.to_onnx(net)
    assert model.opset_import[0].version == newest_opset() >= 21
    assert newest_opset() <= onnx.defs.onnx_opset_version()
    in_runtime(model, x=sound())


@pytest.mark.parametrize("opset", [16, 18, 20, 22])
def test_the_opset_can_be_chosen(net, opset):
    model = nk.to_onnx(net, opset=opset)
    assert model.opset_import[0].version == opset
    x = sound()
    expected = nk.run(net, x)
    actual = ReferenceEvaluator(model).run(None, {"x": x})
    for a, b in zip(actual, expected.values(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("opset", [15, 1000, 0, -1, "18", 18.0, True])
def test_other_opsets_are_refused(net, opset):
    with pytest.raises(nk.NnefError, match="opset"):
        nk.to_onnx(net, opset=opset)


def test_a_file_is_written_completely_or_not_at_all(net, tmp_path):
    path = tmp_path / "net.onnx"
    model = nk.to_onnx(net, path)
    assert onnx.load(path) == model
    before = path.read_bytes()
    with pytest.raises(nk.NnefError, match="does not compute what the graph computes"):
        nk.to_onnx(net, path, tolerance=-1.0)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx"]
    with pytest.raises(nk.NnefError):
        nk.to_onnx(net, tmp_path)
    with pytest.raises(nk.NnefError):
        nk.to_onnx(net, tmp_path / "missing" / "net.onnx")


def test_updated_variables_are_inputs_and_outputs():
    graph = nk.parse("""version 1.0;
graph count(x) -> (y)
{
  x = external<scalar>(shape = [2]);
  state = variable<scalar>(shape = [2], label = "state");
  y = add(x, state);
  next = update(state, y);
}
""").with_data({"state": np.array([10, 20], np.float32)})
    model = nk.to_onnx(graph)
    assert [info.name for info in model.graph.input] == ["x", "state"]
    actual = in_runtime(model, x=np.ones(2, np.float32), state=np.array([1, 2], np.float32))
    assert [*actual] == ["y", "next"] or [*actual] == ["y"]
    np.testing.assert_array_equal(actual["y"], [2, 3])


def test_a_variable_without_data_is_refused():
    with pytest.raises(nk.NnefError, match="'w'"):
        nk.to_onnx(nk.parse(TEXT))


def test_a_round_trip_preserves_numbers_and_names(net):
    x = sound()
    again = nk.from_onnx(nk.to_onnx(net))
    assert again.inputs == net.inputs
    assert again.outputs == net.outputs
    for name, array in nk.run(net, x).items():
        np.testing.assert_allclose(nk.run(again, x)[name], array, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(again.tensors["w"].data, net.tensors["w"].data)


# -- quantization ----------------------------------------------------------------------------------

LINES = """
"x": zero_point_linear_quantize(zero_point = 10, scale = 0.05, bits = 8, signed = false, symmetric = false);
"w": zero_point_linear_quantize(zero_point = 0, scale = [[[[0.01]]], [[[0.02]]], [[[0.015]]]], bits = 8, signed = true, symmetric = false);
"c": linear_quantize(min = -2.0, max = 3.1, bits = 8);
"y": min_max_linear_quantize(min = 0.0, max = 2.55, bits = 8, signed = false, symmetric = false);
"""  # noqa: E501


def test_quantization_info_becomes_codes():
    graph = quantized(LINES)
    model = nk.to_onnx(graph, quantized=True)
    kinds = [node.op_type for node in model.graph.node]
    pair = ["QuantizeLinear", "DequantizeLinear"]
    assert kinds == [*pair, "DequantizeLinear", "Conv", *pair, "Relu", *pair, "Softmax"]
    assert [info.name for info in model.graph.input] == ["x"]
    codes = next(t for t in model.graph.initializer if t.name == "w.codes")
    assert codes.data_type == onnx.TensorProto.INT8
    assert {"c", "y", "w"} <= {name for node in model.graph.node for name in node.output}
    # Its own generator: ties between codes must not depend on the order of the tests.
    x = np.random.default_rng(0).uniform(-2, 2, (1, 2, 6, 6)).astype(np.float32)
    actual, expected = in_runtime(model, x=x), nk.run(graph, x, quantized=True)
    for name, step in (("y", 0.01), ("z", 0.01)):
        assert np.abs(actual[name] - expected[name]).max() <= 2.01 * step
        assert np.abs(actual[name] - expected[name]).mean() <= 0.05 * step
    # Without quantization, the graph computes something else.
    assert np.abs(actual["y"] - nk.run(graph, x)["y"]).max() > 0.01


def test_codes_are_exported_as_pseudo_quantization():
    graph = quantized(LINES)
    again = nk.from_onnx(nk.to_onnx(graph, quantized=True))
    names = [op.name for op in again.operations]
    assert names.count("zero_point_linear_quantize") == 3
    points = [
        (op.inputs["zero_point"], op.inputs["scale"], op.attribs["bits"])
        for op in again.operations
        if op.name == "zero_point_linear_quantize"
    ]
    assert points == [(10, 0.05, 8), (100, 0.02, 8), (0, 0.01, 8)]
    x = sound()
    np.testing.assert_allclose(
        nk.run(again, x)["y"], nk.run(graph, x, quantized=True)["y"], atol=0.0201
    )


@pytest.mark.parametrize(
    "line",
    [
        '"y": logarithmic_quantize(max = 2.0, bits = 4);',
        '"y": linear_quantize(min = 0.3, max = 2.0, bits = 8);',
        '"y": linear_quantize(min = 0.0, max = 2.0, bits = 3);',
        '"y": min_max_linear_quantize(min = -1.0, max = 1.0, bits = 8, signed = true, '
        "symmetric = true);",
    ],
)
def test_quantization_without_an_onnx_operator_becomes_arithmetic(line):
    graph = quantized(line)
    model = nk.to_onnx(graph, quantized=True)
    assert "QuantizeLinear" not in [node.op_type for node in model.graph.node]
    x = sound()
    np.testing.assert_allclose(
        in_runtime(model, x=x)["y"], nk.run(graph, x, quantized=True)["y"], atol=1e-5
    )


@pytest.mark.parametrize(("opset", "coded"), [(20, False), (21, True)])
def test_16_bit_codes_need_opset_21(opset, coded):
    graph = quantized('"c": linear_quantize(min = -32.768, max = 32.767, bits = 16);')
    model = nk.to_onnx(graph, quantized=True, opset=opset)
    assert ("QuantizeLinear" in [node.op_type for node in model.graph.node]) is coded


def test_a_graph_without_quantization_info_cannot_be_quantized(net):
    with pytest.raises(nk.NnefError, match="no quantization info"):
        nk.to_onnx(net, quantized=True)
