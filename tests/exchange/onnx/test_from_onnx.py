"""Reading ONNX models: verification, names, traces, constants, control flow."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import nnefkit as nk
from nnefkit.exchange.onnx.nodes import READERS

FLOAT = TensorProto.FLOAT


def weight(array, name):
    return numpy_helper.from_array(np.asarray(array), name)


def model(*nodes, inputs=(("x", FLOAT, [2, 3]),), outputs=("y",), weights=(), opset=17):
    graph = helper.make_graph(
        list(nodes),
        "chain",
        [helper.make_tensor_value_info(*info) for info in inputs],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        list(weights),
    )
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=8,
        producer_name="somebody",
        producer_version="1.2",
    )


def chain():
    """Return a model of three layers with the names that exporters write."""
    return model(
        helper.make_node("Mul", ["x", "scale"], ["/first/Mul:0"]),
        helper.make_node("Abs", ["/first/Mul:0"], ["/second/Abs;fused"]),
        helper.make_node("Exp", ["/second/Abs;fused"], ["y"]),
        weights=[weight(np.float32([1, -2, 3]), "scale")],
    )


@pytest.fixture
def sabotaged(monkeypatch):
    """Make the reader of Abs wrong."""
    monkeypatch.setitem(READERS, "Abs", lambda c: c.op("neg", c[0]))


def test_the_provenance_has_source_versions_and_difference(tmp_path):
    path = tmp_path / "chain.onnx"
    onnx.save(chain(), path)
    graph = nk.from_onnx(path)
    facts = dict(graph.provenance)
    assert facts["source"] == "ONNX"
    assert facts["path"] == str(path)
    assert facts["producer"] == "somebody 1.2"
    assert facts["opset"] == 17
    assert set(facts["versions"]) == {"onnx", "onnxruntime"}
    assert facts["verified"] is True
    assert facts["engine"] == "numpy"
    assert 0 <= facts["largest_difference"] <= facts["tolerance"] == 1e-4
    assert graph.name == "chain"
    assert nk.from_onnx(path, verify=False).provenance["verified"] is False


def test_a_wrong_graph_is_refused_with_the_first_different_tensor(sabotaged):
    with pytest.raises(nk.NnefError) as caught:
        nk.from_onnx(chain())
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "wrong-export"
    assert "'second_Abs' ('/second/Abs;fused' in the source)" in diagnostic.message
    assert "computed by 'neg'" in diagnostic.message
    # Without the proof, the graph is returned for inspection.
    graph = nk.from_onnx(chain(), verify=False)
    x = np.ones((2, 3), np.float32)
    comparison = nk.compare(nk.trace_onnx(chain(), {"x": x}, graph=graph), nk.trace(graph, x))
    assert comparison.first_divergence.name == "second_Abs"


def test_the_tolerance_allows_for_a_difference(sabotaged):
    assert nk.from_onnx(chain(), tolerance=10.0).provenance["largest_difference"] > 1e-4


def test_inputs_and_engine_of_the_comparison_can_be_chosen(sabotaged):
    # The graph is right where the product is not positive.
    x = np.array([[-1, 1, -1]] * 2, np.float32)
    facts = nk.from_onnx(chain(), inputs={"x": x}, engine="onnxruntime").provenance
    assert facts["verified"] is True
    assert facts["engine"] == "onnxruntime"
    with pytest.raises(nk.NnefError, match="first tensor"):
        nk.from_onnx(chain(), inputs={"x": -x})


def test_tensors_store_their_names_in_the_model():
    graph = nk.from_onnx(chain())
    origins = {tensor.name: tensor.origin for tensor in graph.tensors.values()}
    assert origins == {
        "x": "x",
        "scale": "scale",
        "first_Mul_0": "/first/Mul:0",
        "second_Abs": "/second/Abs;fused",
        "y": "y",
    }


def test_outputs_have_their_names_in_the_model():
    node = helper.make_node
    shared = model(
        node("Abs", ["x"], ["a"]),
        node("Identity", ["a"], ["y"]),
        node("Identity", ["a"], ["z"]),
        node("Identity", ["x"], ["same"]),
        outputs=("y", "z", "same"),
    )
    assert nk.from_onnx(shared).outputs == ("y", "z", "same")
    # An inner tensor whose identifier is that of an output is renamed.
    clash = model(
        node("Abs", ["x"], ["y.1"]),
        node("Exp", ["y.1"], ["y_1"]),
        node("Max", ["y.1"], ["y"]),
        outputs=("y_1", "y"),
    )
    graph = nk.from_onnx(clash)
    assert graph.outputs == ("y_1", "y")
    x = np.ones((2, 3), np.float32)
    assert nk.trace_onnx(clash, {"x": x}, graph=graph)["y"].shape == (2, 3)


def test_the_trace_of_a_model_has_the_names_of_its_graph():
    x = np.array([[1, 2, 3], [-1, 0, 1]], np.float32)
    graph = nk.from_onnx(chain())
    theirs, ours = nk.trace_onnx(chain(), {"x": x}), nk.trace(graph, x)
    assert list(theirs) == list(ours)
    assert theirs.to_frame()["operation"].tolist() == ["external", "Mul", "Abs", "Exp"]
    assert nk.compare(theirs, ours).ok
    np.testing.assert_array_equal(theirs["first_Mul_0"], x * [1, -2, 3])


def test_a_model_that_nnef_cannot_express_is_still_traced():
    source = model(helper.make_node("NonZero", ["x"], ["y"]))
    trace = nk.trace_onnx(source, {"x": np.eye(2, 3, dtype=np.float32)})
    np.testing.assert_array_equal(trace["y"], [[0, 1], [0, 1]])


def test_a_trace_leaves_out_shape_arithmetic():
    source = model(
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Reshape", ["x", "shape"], ["same"]),
        helper.make_node("Exp", ["same"], ["y"]),
    )
    assert list(nk.trace_onnx(source, {"x": np.ones((2, 3))})) == ["x", "y"]


@pytest.mark.parametrize("inputs", [{"z": 1}, {"x": np.ones((9, 9, 9))}, {}])
def test_tracing_wrong_inputs_is_refused(inputs):
    with pytest.raises(nk.NnefError):
        nk.trace_onnx(chain(), inputs)


def test_half_precision_models_are_compared_with_a_wider_tolerance():
    half = model(
        helper.make_node("Mul", ["x", "w"], ["m"]),
        helper.make_node("Exp", ["m"], ["y"]),
        inputs=[("x", TensorProto.FLOAT16, [2, 3])],
        weights=[weight(np.float16([0.1, 0.2, 0.3]), "w")],
    )
    facts = nk.from_onnx(half).provenance
    assert 0 < facts["largest_difference"] < facts["tolerance"] == 1e-2


@pytest.mark.parametrize(
    ("kind", "attributes", "expected"),
    [
        ("Shrink", {"lambd": 0.5, "bias": 0.25}, [0, -1.75, 0, 0, 1.75, np.inf]),
        ("Shrink", {"lambd": -0.5, "bias": 0.25}, [0, -1.75, 0, 0.5, 1.75, np.inf]),
        ("Erf", {}, [np.nan, -0.99532227, -0.27632639, 0.27632639, 0.99532227, 1]),
    ],
)
def test_numbers_that_are_not_finite_are_computed_as_in_onnx(kind, attributes, expected):
    source = model(helper.make_node(kind, ["x"], ["y"], **attributes), inputs=[("x", FLOAT, [6])])
    x = np.array([np.nan, -2, -0.25, 0.25, 2, np.inf], np.float32)
    actual = nk.run(nk.from_onnx(source), x)["y"]
    np.testing.assert_allclose(actual, np.array(expected, np.float32), rtol=1e-5, atol=1e-6)


# -- parts of models -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "constant",
    [
        {"value_float": 2.0},
        {"value_floats": [1.0, 2.0, 3.0]},
        {"value_int": 2},
        {"value_ints": [1, 2, 3]},
        {"value": weight(np.float32([3, 4, 5]), "v")},
        {
            "sparse_value": helper.make_sparse_tensor(
                helper.make_tensor("v", FLOAT, [2], [5.0, 6.0]),
                helper.make_tensor("i", TensorProto.INT64, [2], [0, 2]),
                [3],
            )
        },
    ],
    ids=lambda given: next(iter(given)),
)
def test_every_kind_of_constant_is_read(constant):
    source = model(
        helper.make_node("Constant", [], ["c"], **constant),
        helper.make_node("Cast", ["c"], ["f"], to=FLOAT),
        helper.make_node("Add", ["x", "f"], ["y"]),
    )
    graph = nk.from_onnx(source)
    assert graph.provenance["largest_difference"] == 0
    assert [op.name for op in graph.operations][-1] == "add"


def test_sparse_weights_become_dense():
    source = model(helper.make_node("Add", ["x", "w"], ["y"]))
    values = helper.make_tensor("w", FLOAT, [2], [5.0, 6.0])
    places = helper.make_tensor("i", TensorProto.INT64, [2, 2], [0, 1, 1, 2])
    source.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [2, 3]))
    graph = nk.from_onnx(source, verify=False)
    actual = nk.run(graph, np.zeros((2, 3)))["y"]
    np.testing.assert_array_equal(actual, [[0, 5, 0], [0, 0, 6]])


def branch(kind, *inputs):
    result = helper.make_empty_tensor_value_info("b")
    return helper.make_graph([helper.make_node(kind, inputs, ["b"])], kind, [], [result])


@pytest.mark.parametrize(("condition", "taken"), [(True, "relu"), (False, "neg")])
def test_the_branch_of_a_constant_condition_is_read_in_its_scope(condition, taken):
    source = model(
        helper.make_node("Exp", ["x"], ["outer"]),
        helper.make_node(
            "If",
            ["c"],
            ["y"],
            then_branch=branch("Relu", "outer"),
            else_branch=branch("Neg", "outer"),
        ),
        weights=[weight(np.array(condition), "c")],
    )
    assert [op.name for op in nk.from_onnx(source).operations] == ["external", "exp", taken]


def test_shapes_are_computed_while_the_model_is_read():
    source = model(
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["rows"]),
        helper.make_node("Unsqueeze", ["rows", "axes"], ["list"]),
        helper.make_node("Concat", ["list", "rest"], ["expected"], axis=0),
        helper.make_node("Reshape", ["x", "expected"], ["y"]),
        inputs=[("x", FLOAT, ["n", 3, 4])],
        weights=[
            weight(np.array(0), "zero"),
            weight(np.array([0]), "axes"),
            weight(np.array([-1]), "rest"),
        ],
    )
    graph = nk.from_onnx(source, {"x": (5, 3, 4)})
    assert [op.name for op in graph.operations] == ["external", "reshape"]
    assert graph.tensors["y"].shape == (5, 12)


@pytest.mark.parametrize(
    ("scale", "how", "operations"),
    [
        (2, {"mode": "nearest"}, ["nearest_upsample"]),
        (3, {"nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"},
         ["nearest_upsample"]),
        (2, {"mode": "linear"}, ["multilinear_upsample"]),
        (2, {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
         ["multilinear_upsample"]),
        (0.5, {"mode": "linear"}, ["area_downsample"]),
        (1.5, {"mode": "nearest"}, ["gather", "gather"]),
        (1.5, {"mode": "linear"}, ["matmul", "matmul"]),
        (2, {"mode": "cubic"}, ["matmul", "matmul"]),
    ],
)  # fmt: skip
def test_resizing_becomes_the_nnef_operation_for_it(scale, how, operations):
    source = model(
        helper.make_node("Resize", ["x", "", "scales"], ["y"], **how),
        inputs=[("x", FLOAT, [1, 2, 4, 6])],
        weights=[weight(np.float32([1, 1, scale, scale]), "scales")],
    )
    graph = nk.from_onnx(source)
    sources = ("external", "variable", "constant")
    plain = [op.name for op in graph.operations if op.name not in sources]
    assert plain == operations


def test_loops_with_a_constant_trip_count_are_unrolled():
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Add", ["v", "v"], ["v_out"]),
            helper.make_node("Identity", ["v_out"], ["seen"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", FLOAT, [2, 3]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v_out", FLOAT, [2, 3]),
            helper.make_tensor_value_info("seen", FLOAT, [2, 3]),
        ],
    )
    source = model(
        helper.make_node("Loop", ["n", "", "x"], ["y", "all"], body=body),
        outputs=["y", "all"],
        weights=[weight(np.array(3), "n")],
    )
    graph = nk.from_onnx(source)
    assert graph.provenance["verified"] is True
    assert graph.tensors["all"].shape == (3, 2, 3)


def test_an_unused_input_stays_an_input():
    inputs = [("x", FLOAT, [2, 3]), ("unused", FLOAT, [1])]
    graph = nk.from_onnx(model(helper.make_node("Exp", ["x"], ["y"]), inputs=inputs))
    assert graph.inputs == ("x", "unused")


def test_names_become_unique_identifiers():
    source = model(
        helper.make_node("Add", ["a.b", "a/b"], ["a b"]),
        helper.make_node("Exp", ["a b"], ["ä:1"]),
        helper.make_node("Exp", ["ä:1"], ["graph"]),
        inputs=[("a.b", FLOAT, [2]), ("a/b", FLOAT, [2])],
        outputs=["a b", "ä:1", "graph"],
    )
    graph = nk.from_onnx(source)
    assert graph.inputs == ("a_b", "a_b_1")
    assert graph.outputs == ("a_b_2", "t1", "graph_")
    assert nk.validate(str(graph)).ok


def test_outputs_that_are_inputs_or_weights_are_copies():
    source = model(
        helper.make_node("Exp", ["x"], ["y"]),
        outputs=["y", "x", "w"],
        weights=[weight(np.float32([1, 2]), "w")],
    )
    graph = nk.from_onnx(source)
    actual = nk.run(graph, np.zeros((2, 3)))
    assert list(actual) == list(graph.outputs)
    np.testing.assert_array_equal(list(actual.values())[2], [1, 2])
    report = nk.validate(str(graph))
    assert (report.errors, report.warnings) == ((), ())
