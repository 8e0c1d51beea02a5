"""Proofs of conversions: which differences are allowed, and which inputs are generated."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import nnefkit as nk
from nnefkit.exchange.generated_inputs import generated_inputs
from nnefkit.exchange.onnx.nodes import READERS
from nnefkit.exchange.torch.exported_program import READERS as TORCH_READERS

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def model(nodes, inputs, weights=(), outputs=("y",)):
    graph = helper.make_graph(
        [helper.make_node(kind, reads, [name], **more) for kind, reads, name, more in nodes],
        "net",
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def wrong_neg(monkeypatch, by):
    """Read Neg as a negation that is wrong by a fraction of its result."""
    monkeypatch.setitem(READERS, "Neg", lambda c: c.op("mul", c[0], -1.0 - by))


# -- tolerance -------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1.0, 1000.0])
def test_saturated_sigmoids_are_compared_with_the_numbers_they_are_computed_from(factor):
    # ONNX Runtime's sigmoid of -20 is wrong by 1e-7, which is fifty times the result.
    nodes = [
        ("Sub", ["x", "shift"], "shifted", {}),
        ("Sigmoid", ["shifted"], "part", {}),
        ("Mul", ["part", "factor"], "y", {}),
    ]
    weights = [("shift", np.float32(20)), ("factor", np.float32(factor))]
    graph = nk.from_onnx(model(nodes, [("x", FLOAT, [1, 1000])], weights))
    assert graph.provenance["verified"] is True
    assert nk.to_onnx(graph) is not None


def cancelling():
    nodes = [
        ("Add", ["x", "large"], "raised", {}),
        ("ReduceMean", ["raised", "axes"], "mean", {"keepdims": 1}),
        ("Sub", ["mean", "large"], "low", {}),
        ("Neg", ["low"], "y", {}),
    ]
    weights = [("large", np.float32(1e4)), ("axes", np.array([1]))]
    return model(nodes, [("x", FLOAT, [4, 4099])], weights)


def test_differences_that_later_functions_amplify_are_allowed():
    graph = nk.from_onnx(cancelling())
    assert graph.provenance["largest_difference"] > 1e-4
    assert graph.provenance["compared"] == "each operation on its own"


def test_an_operation_that_is_wrong_is_found_after_amplified_differences(monkeypatch):
    wrong_neg(monkeypatch, 1e-3)
    with pytest.raises(nk.NnefError, match="computed by 'mul', is the first tensor that differs"):
        nk.from_onnx(cancelling())


def test_a_given_tolerance_has_no_exceptions():
    with pytest.raises(nk.NnefError, match="times the tolerance 1e-06"):
        nk.from_onnx(cancelling(), tolerance=1e-6)


@pytest.mark.parametrize("scale", [1e-20, 1e-9, 1.0, 1e9])
def test_the_tolerance_is_relative_to_the_tensor(monkeypatch, scale):
    net = model(
        [("Mul", ["x", "s"], "part", {}), ("Neg", ["part"], "y", {})],
        [("x", FLOAT, [3])],
        [("s", np.float32(scale))],
    )
    assert nk.from_onnx(net).provenance["largest_difference"] < 1e-6
    wrong_neg(monkeypatch, 1e-3)
    with pytest.raises(nk.NnefError, match=r"by 0\.001 of its largest element, 10 times"):
        nk.from_onnx(net)


def test_the_message_names_the_tolerance_to_pass(monkeypatch):
    net = model([("Neg", ["x"], "y", {})], [("x", FLOAT, [3])])
    wrong_neg(monkeypatch, 2e-4)
    with pytest.raises(nk.NnefError) as caught:
        nk.from_onnx(net)
    (diagnostic,) = caught.value.diagnostics
    assert "2 times the tolerance 0.0001" in diagnostic.message
    tolerance = float(diagnostic.hint.split("tolerance=")[1].split(",")[0])
    assert 2e-4 < tolerance < 3e-4
    assert nk.from_onnx(net, tolerance=tolerance).provenance["verified"] is True


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda c, x: c.op("mul", x, -1.01), r"by 0\.01 of its largest element, 1e\+02 times"),
        (lambda c, x: c.op("log", c.op("sub", x, x)), "in 6 of 6 elements, which are not finite"),
        (lambda c, x: c.op("select", c.op("eq", x, x), 0.0, x), "by 1 of its largest element"),
    ],
)
def test_a_module_that_is_read_wrongly_is_refused_with_the_amount(monkeypatch, wrong, message):
    monkeypatch.setitem(TORCH_READERS, "neg", wrong)
    module = torch.nn.Module()
    module.forward = lambda x: -x
    x = torch.arange(1.0, 7.0)
    with pytest.raises(nk.ExecutionError, match=message) as caught:
        nk.from_torch(module, x)
    hint = caught.value.diagnostics[0].hint
    if "finite" in message:
        assert "Pass other example_inputs=..., or verify=False" in hint
    else:
        tolerance = float(hint.split("tolerance=")[1].split(",")[0])
        assert nk.from_torch(module, x, tolerance=tolerance).provenance["verified"] is True


def test_a_difference_from_zeros_is_reported_as_it_is(monkeypatch):
    net = model([("Neg", ["x"], "y", {})], [("x", FLOAT, [3])])
    monkeypatch.setitem(READERS, "Neg", lambda c: c.op("add", c[0], 0.25))
    with pytest.raises(nk.NnefError, match=r"by 0\.25, where all of its elements are 0"):
        nk.from_onnx(net, inputs={"x": np.zeros(3, np.float32)})


def test_a_different_shape_is_reported_as_it_is(monkeypatch):
    net = model([("Neg", ["x"], "y", {})], [("x", FLOAT, [3])])
    monkeypatch.setitem(READERS, "Neg", lambda c: c.op("concat", [c[0], c[0]], axis=0))
    with pytest.raises(nk.NnefError, match=r"in its shape: it is \[6\] instead of \[3\]"):
        nk.from_onnx(net)


def test_programs_without_example_inputs_name_the_parameter_that_takes_them():
    module = torch.nn.Module()
    module.forward = lambda k: torch.arange(3.0)[k + 5]
    program = torch.export.export(module, (torch.tensor([-5, -4]),))
    program._example_inputs = None
    with pytest.raises(nk.ExecutionError, match="generated inputs do not work") as caught:
        nk.from_torch(program)
    assert "example_inputs={'k': ...}" in caught.value.diagnostics[0].hint


def test_the_tolerance_of_a_quantized_network_is_that_of_its_export():
    scale, zero = np.float32(0.05), np.uint8(128)
    nodes = [
        ("QuantizeLinear", ["x", "scale", "zero"], "codes", {}),
        ("DequantizeLinear", ["codes", "scale", "zero"], "y", {}),
    ]
    net = model(nodes, [("x", FLOAT, [4, 100])], [("scale", scale), ("zero", zero)])
    halfway = np.full((4, 100), 0.125, np.float32) + np.float32(0.05) * np.arange(100)
    graph = nk.from_onnx(net, inputs={"x": halfway / 4})
    nk.to_onnx(graph, inputs={"x": halfway / 4})
    # Only the text shows that codes are rounded.
    nk.to_onnx(nk.parse(str(graph)), inputs={"x": halfway / 4})


# -- inputs ----------------------------------------------------------------------------------------


def test_indices_are_drawn_from_all_rows():
    text = """version 1.0;
    graph net(x, k) -> (y) {
        x = external<scalar>(shape = [7, 2]);
        k = external<integer>(shape = [100]);
        y = gather(x, k, axis = 0);
    }"""
    first = next(generated_inputs(nk.parse(text)))
    assert {*first["k"]} == {*range(7)}


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_generated_indices_select_rows_that_exist(rows):
    table = np.arange(rows * 3, dtype=np.float32).reshape(rows, 3) + 1
    nodes = [
        ("Reshape", ["k", "shape"], "flat", {}),
        ("Gather", ["table", "flat"], "y", {}),
    ]
    weights = [("table", table), ("shape", np.array([-1]))]
    graph = nk.from_onnx(model(nodes, [("k", INT64, [4, 5])], weights))
    assert nk.to_onnx(graph) is not None


def test_generated_divisors_are_not_zero():
    net = model([("Div", ["a", "b"], "y", {})], [("a", INT64, [9]), ("b", INT64, [9])])
    graph = nk.from_onnx(net)
    assert nk.to_onnx(graph) is not None


def test_generated_arguments_of_logarithms_are_positive(monkeypatch):
    nodes = [("ReduceMin", ["x"], "least", {}), ("Log", ["least"], "part", {})]
    net = model([*nodes, ("Neg", ["part"], "y", {})], [("x", FLOAT, [50])])
    assert nk.from_onnx(net).provenance["verified"] is True
    wrong_neg(monkeypatch, 1e-3)
    with pytest.raises(nk.NnefError, match="first tensor that differs"):
        nk.from_onnx(net)


def test_inputs_can_be_passed_where_none_can_be_generated():
    nodes = [("Add", ["k", "five"], "far", {}), ("Gather", ["table", "far"], "y", {})]
    weights = [("five", np.array([5])), ("table", np.ones((3, 2), np.float32))]
    net = model(nodes, [("k", INT64, [4])], weights)
    with pytest.raises(nk.ExecutionError, match="generated inputs do not work") as caught:
        nk.from_onnx(net)
    assert "inputs={'k': ...}" in caught.value.diagnostics[0].hint
    k = np.array([-5, -4, -3, -3])
    graph = nk.from_onnx(net, inputs={"k": k})
    with pytest.raises(nk.ExecutionError, match="generated inputs do not work"):
        nk.to_onnx(graph)
    assert isinstance(nk.to_onnx(graph, inputs={"k": k}), onnx.ModelProto)


def test_unknown_names_of_inputs_are_refused():
    graph = nk.from_onnx(model([("Neg", ["x"], "y", {})], [("x", FLOAT, [3])]))
    with pytest.raises(nk.UnknownNameError, match="'z'"):
        nk.to_onnx(graph, inputs={"z": np.ones(3)})


# -- what computed the reference -------------------------------------------------------------------


def old_gemm():
    """Return a model that ONNX Runtime lacks, and that ONNX's evaluator computes wrongly."""
    node = ("Gemm", ["a", "b", "c"], "y", {"beta": 2.0})
    sizes = [("a", FLOAT, [2, 3]), ("b", FLOAT, [3, 2]), ("c", FLOAT, [2, 2])]
    net = model([node], sizes)
    net.opset_import[0].version, net.ir_version = 6, 3
    return net


def test_a_difference_from_the_evaluator_is_reported_as_such():
    with pytest.raises(nk.ExecutionError, match="ONNX's evaluator, since ONNX Runtime does not"):
        nk.from_onnx(old_gemm())
    feeds = {"a": np.ones((2, 3)), "b": np.ones((3, 2)), "c": np.ones((2, 2))}
    assert nk.trace_onnx(old_gemm(), feeds).engine == "onnx evaluator (source)"


def test_a_difference_from_onnx_runtime_is_not(monkeypatch):
    wrong_neg(monkeypatch, 1e-3)
    net = model([("Neg", ["x"], "y", {})], [("x", FLOAT, [3])])
    with pytest.raises(nk.ExecutionError) as error:
        nk.from_onnx(net)
    assert "evaluator" not in str(error.value)
    assert nk.trace_onnx(net, {"x": np.ones(3)}).engine == "onnxruntime (source)"
