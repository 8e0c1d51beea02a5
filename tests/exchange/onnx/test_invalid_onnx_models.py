"""Broken, hostile and invalid models are refused with errors that explain why."""

from __future__ import annotations

import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from small_models import FLOAT, model, node, refused, weight

import nnefkit as nk

W = weight(np.ones(3, np.float32))
ADD = node("Add", "x w")
GOOD = model(ADD, weights=[W])


def test_the_valid_base_model_is_read():
    assert nk.from_onnx(GOOD).provenance["verified"] is True
    assert nk.from_onnx(bytearray(GOOD.SerializeToString())).outputs == ("y",)


def test_models_without_a_version_of_the_format_are_run_by_their_opset():
    # Before opset 13, this is over all axes from the second one on.
    old = model(node("LogSoftmax", "x"), inputs=[("x", FLOAT, [2, 3, 4])], opset=7)
    old.ClearField("ir_version")
    assert nk.from_onnx(old).provenance["verified"] is True


DATA = np.arange(3, dtype=np.float32).tobytes()


# -- files -----------------------------------------------------------------------------------------


@pytest.fixture
def external(tmp_path):
    """Return a function that writes a model whose weight is in another file."""

    def write(location, data=DATA):
        folder = tmp_path / "model"
        folder.mkdir(exist_ok=True)
        proto = onnx.ModelProto()
        proto.CopyFrom(GOOD)
        tensor = proto.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)
        path = folder / "model.onnx"
        path.write_bytes(proto.SerializeToString())
        if data is not None:
            (folder / location).parent.mkdir(exist_ok=True)
            (folder / location).write_bytes(data)
        return path

    return write


def test_weights_in_a_file_next_to_the_model_are_read(external):
    graph = nk.from_onnx(external("data/w.bin"))
    np.testing.assert_array_equal(nk.run(graph, np.zeros((2, 3)))["y"][0], [0, 1, 2])


@pytest.mark.parametrize("place", ["attribute", "sparse", "branch", "function"])
def test_tensors_of_a_model_in_memory_are_not_read_from_other_files(place, tmp_path, monkeypatch):
    (tmp_path / "secret.bin").write_bytes(DATA)
    monkeypatch.chdir(tmp_path)
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[3])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret.bin")
    constant = helper.make_node("Constant", [], ["w"], value=tensor)
    proto = model(constant, ADD)
    if place == "sparse":
        proto = model(ADD)
        proto.graph.sparse_initializer.add().values.CopyFrom(tensor)
    elif place == "branch":
        branch = helper.make_graph([ADD], "b", [], [onnx.ValueInfoProto(name="y")], [tensor])
        true = weight(np.array(True), "t")
        proto = model(node("If", "t", then_branch=branch, else_branch=branch), weights=[true])
    elif place == "function":
        inside = function("Inside", constant, ADD)
        proto = model(node("Inside", "x", domain="own"), functions=[inside])
    refused(proto, "weights in other files", "Pass the path of the model")


def test_a_model_in_memory_cannot_have_weights_in_other_files(external):
    proto = onnx.load(external("w.bin"), load_external_data=False)
    refused(proto, "weights in other files", "Pass the path of the model")
    refused(proto.SerializeToString(), "weights in other files")


def test_weights_outside_the_folder_are_refused(external, tmp_path):
    (tmp_path / "secret.bin").write_bytes(bytes(12))
    refused(external("../secret.bin", None), "points outside")
    refused(external(str(tmp_path / "secret.bin"), None), "absolute path")
    path = external("link.bin", None)
    (path.parent / "link.bin").symlink_to(tmp_path / "secret.bin")
    refused(path, "symbolic link")
    refused(external("w.bin\0.txt", None), "cannot be read")
    refused(external("", None), "cannot be read")
    refused(external("missing.bin", None), "cannot be read", "missing.bin")


def test_truncated_weights_are_refused(external):
    refused(external("w.bin", b"12345"), "the weight 'w' is broken")


def test_files_that_are_not_models_are_refused(tmp_path):
    data = GOOD.SerializeToString()
    for length in range(len(data) - 1):
        if length % 7 == 0:
            refused(data[:length], "not an ONNX model")
    path = tmp_path / "m.onnx"
    refused(path, "cannot be read", "no such file")
    refused(tmp_path, "this is a folder")
    for content in (b"", b"version 1.0;\ngraph g", np.random.default_rng(0).bytes(1000)):
        path.write_bytes(content)
        refused(path, "not an ONNX model", str(path))
    refused(onnx.ModelProto(), "not an ONNX model")
    refused(5, "a ModelProto, not int")


# -- models ----------------------------------------------------------------------------------------

LONG = [numpy_helper.from_array(np.array([1 << 20, 1 << 20, 3]), "n")]
RANGE = [
    numpy_helper.from_array(np.float32(v), n) for n, v in zip("abd", (0, 1e12, 1), strict=True)
]
BAD = {
    "an input that does not exist": (model(node("Add", "x q")), "no earlier node computes", "'q'"),
    "an output that does not exist": (model(ADD, outputs=["q"], weights=[W]), "output 'q'"),
    "a repeated output": (model(ADD, outputs=["y", "y"], weights=[W]), "output 'y' twice"),
    "a cycle": (model(node("Add", "x z"), node("Relu", "y", "z"), outputs=["z"]), "'z'"),
    "nodes in the wrong order": (model(node("Relu", "q"), node("Relu", "x", "q")), "'q'"),
    "too few inputs": (model(node("Conv", "x")), "input 1 is missing"),
    "shapes that do not fit": (
        model(node("Add", "x w"), weights=[weight(np.ones(2))]),
        "[2, 3] and [2] cannot be broadcast",
    ),
    "an axis out of range": (model(node("Softmax", "x", axis=7)), "axis is 7", "rank 2"),
    "no permutation": (model(node("Transpose", "x", perm=[0, 0])), "not a permutation"),
    "a shape of another volume": (
        model(node("Reshape", "x n"), weights=[weight(np.array([4, -1]), "n")]),
        "volume",
    ),
    "indices out of range": (
        model(node("Gather", "x n"), weights=[weight(np.array([0, 2]), "n")]),
        "exceed the 2 elements",
    ),
    "an opset too old": (model(ADD, weights=[W], opset=5), "opset 5", "version_converter"),
    "an opset too new": (model(ADD, weights=[W], opset=99), "opset 99", "newer 'onnx' package"),
    "operators of a vendor": (
        model(
            node("Foo", "x", domain="com.me"),
            node("Bar", "x", "z", domain="com.me"),
            outputs=["y", "z"],
        ),
        "Foo with output 'y'",
        "Bar with output 'z'",
        "'com.me'",
    ),
    "strings": (model(node("Identity", "x"), inputs=[("x", TensorProto.STRING, [3])]), "input 'x'"),
    "no inputs": (model(ADD, inputs=[], weights=[W, weight(np.ones(3), "x")]), "no input"),
    "an empty input": (model(node("Relu", "x"), inputs=[("x", FLOAT, [0, 3])]), "'x' is empty"),
    "an input with open dimensions": (
        model(node("Relu", "x"), inputs=[("x", FLOAT, ["n", -1])]),
        "'x' [n, ?]",
        "input_shapes={'x': (1, 1)}",
    ),
    "a truncated weight": (
        model(ADD, weights=[TensorProto(name="w", data_type=1, dims=[3], raw_data=b"123")]),
        "weight 'w' is broken",
    ),
    "a weight with a negative extent": (
        model(ADD, weights=[TensorProto(name="w", data_type=1, dims=[-1], raw_data=b"1234")]),
        "weight 'w' is broken",
    ),
    "a weight of an unknown type": (
        model(ADD, weights=[TensorProto(name="w", data_type=77, dims=[1], raw_data=b"1234")]),
        "unknown type 77",
    ),
    "a constant of 12 TiB": (
        model(node("Expand", "w n", "k"), node("Add", "x k"), weights=[W, *LONG]),
        "take more than 2147483648 bytes to compute",
    ),
    "a constant of 12 TiB made otherwise": (
        model(node("ConstantOfShape", "n", "k"), node("Add", "x k"), weights=LONG),
        "take more than 2147483648 bytes to compute",
    ),
    "an enormous range": (
        model(node("Range", "a b d", "k"), node("Add", "x k"), weights=RANGE),
        "take more than 2147483648 bytes to compute",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_invalid_and_inexpressible_models_are_refused(name):
    source, *phrases = BAD[name]
    refused(source, *phrases)


_SIDE = 60_000
_LARGE = {
    "Add": ("column row", {}),
    "Equal": ("column row", {}),
    "MatMul": ("column row", {}),
    "Gather": ("row zeros", {"axis": 0}),
    "Resize": (["image", "", "scales"], {}),
    "HannWindow": ("length", {}),
    "ConvTranspose": ("image filter", {"strides": [_SIDE, _SIDE]}),
}


@pytest.mark.parametrize("operator", _LARGE)
def test_large_constants_are_refused_before_they_are_computed(operator):
    """Each of them would take 14 GB and more."""
    inputs, attributes = _LARGE[operator]
    weights = {
        "column": np.ones((_SIDE, 1), np.float32),
        "row": np.ones((1, _SIDE), np.float32),
        "zeros": np.zeros(_SIDE, np.int64),
        "image": np.ones((1, 1, 2, 2), np.float32),
        "scales": np.array([1, 1, _SIDE, _SIDE], np.float32),
        "length": np.array(2**40),
        "filter": np.ones((1, 1, 1, 1), np.float32),
    }
    nodes = (node(operator, inputs, "k", **attributes), node("Cast", "k", "f", to=FLOAT))
    source = model(
        *nodes,
        node("Mul", "x f"),
        inputs=[("x", FLOAT, [1])],
        weights=[weight(array, name) for name, array in weights.items()],
        opset=18,
    )
    start = time.process_time()
    refused(source, f"{operator} with output 'k'", "take more than 2147483648 bytes to compute")
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("lengths", "message"),
    [(np.ones(2), "2 sequence lengths for 5000000 sequences"), (np.ones(5_000_000), "5,000,000")],
)
def test_too_many_sequences_to_reverse_are_refused_at_once(lengths, message):
    source = model(
        node("ReverseSequence", "x n", batch_axis=1, time_axis=0),
        inputs=[("x", FLOAT, [2, 5_000_000])],
        weights=[weight(lengths.astype(np.int64), "n")],
    )
    start = time.process_time()
    refused(source, message)
    assert time.process_time() - start < 1


@pytest.mark.parametrize(("operator", "flag"), [("ReduceMax", "keepdims"), ("ArgMax", "keepdims")])
def test_flags_are_0_or_1(operator, flag):
    refused(model(node(operator, "x", **{flag: -32})), f"'{flag}' is -32", "0 or 1")


def test_any_other_error_names_the_node():
    for broken in (node("Softmax", "x", axis="a"), node("MaxPool", "x"), node("Gemm", "x x x")):
        with pytest.raises(nk.NnefError, match=f"{broken.op_type} with output 'y'"):
            nk.from_onnx(model(broken))


def test_all_refused_nodes_are_reported_at_once():
    parts = [
        node("NonZero", "x", "a"),
        node("Relu", "a", "b"),
        node("Foo", "x", "c", domain="own"),
        node("Foo", "b", "d", domain="own"),
    ]
    error = refused(model(*parts, outputs=["b", "c", "d"]))
    messages = [diagnostic.message for diagnostic in error.diagnostics]
    assert [message.split(":")[0] for message in messages] == [
        "NonZero with output 'a'",
        "Foo with output 'c'",
        "Foo with output 'd'",
    ]


# -- functions -------------------------------------------------------------------------------------


def function(name, *nodes):
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, ["x"], ["y"], list(nodes), opsets)


def test_functions_of_the_model_are_inlined():
    twice = function("Twice", node("Add", "x x"))
    graph = nk.from_onnx(model(node("Twice", "x", domain="own"), functions=[twice]))
    np.testing.assert_array_equal(nk.run(graph, np.ones((2, 3)))["y"], np.full((2, 3), 2))


def test_recursive_functions_are_refused():
    one = function("One", node("Two", "x", domain="own"))
    two = function("Two", node("One", "x", domain="own"))
    called = node("One", "x", domain="own")
    refused(model(called, functions=[one, two]), "call themselves", "One, Two")


def test_functions_that_grow_exponentially_are_refused():
    functions = [function("F0", node("Relu", "x"))]
    for level in range(1, 40):
        before = f"F{level - 1}"
        parts = node(before, "x", "m", domain="own"), node(before, "m", domain="own")
        functions.append(function(f"F{level}", *parts))
    refused(model(node("F39", "x", domain="own"), functions=functions), "at most 200,000")


# -- arguments -------------------------------------------------------------------------------------

OPEN = model(node("Relu", "x"), inputs=[("x", FLOAT, ["n", 3])])


@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        ({"input_shapes": {"x": (0, 3)}}, "positive"),
        ({"input_shapes": {"x": (-1, 3)}}, "positive"),
        ({"input_shapes": {"x": (1, 3, 4)}}, "3 extents, but the model expects [n, 3]"),
        ({"input_shapes": {"x": "1,3"}}, "list of integers"),
        ({"input_shapes": {"x": 4}}, "list of integers"),
        ({"input_shapes": {"x": (1.5, 3)}}, "list of integers"),
        ({"input_shapes": [(1, 3)]}, "mapping of input names to values"),
        ({"input_shapes": {"z": (1, 3)}}, "no input 'z'"),
        ({"constants": {"z": 1}}, "no input 'z'"),
        ({"constants": {"x": np.ones(7)}}, "[7], but the model expects [n, 3]"),
        ({"constants": {"x": "text"}}, "not an array"),
        ({"input_shapes": {"x": (1, 3)}, "constants": {"x": np.ones((1, 3))}}, "both"),
        ({"input_shapes": {"x": (1, 3)}, "inputs": {"z": 1}}, "no input 'z'"),
        ({"input_shapes": {"x": (1, 3)}, "inputs": {"x": np.ones(4)}}, "must have shape [1, 3]"),
        ({"input_shapes": {"x": (1, 3)}, "engine": "none"}, "no engine 'none'"),
    ],
)
def test_arguments_of_from_onnx_are_checked(arguments, phrase):
    refused(OPEN, phrase, **arguments)


def test_shapes_and_values_of_weights_cannot_be_set():
    refused(GOOD, "'w' is a weight", input_shapes={"w": (3,)})
    refused(GOOD, "'w' is a weight", constants={"w": np.ones(3)})


@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize(
    ("attributes", "axis"),
    [
        ({"kernel_shape": [2, 2], "pads": [0, 0, 1, 4], "strides": [2, 2]}, 3),
        ({"kernel_shape": [2, 2], "pads": [2, 0, 0, 0]}, 2),
        ({"kernel_shape": [2, 1], "pads": [1, 0, 1, 0], "dilations": [6, 1]}, 2),
    ],
)
def test_windows_without_an_element_of_the_input_are_refused(kind, attributes, axis):
    image = [("x", FLOAT, [1, 1, 5, 4])]
    graph = model(node(kind, "x", **attributes), inputs=image, opset=19)
    refused(graph, f"along axis {axis} contains only padding", "smaller than the window")


def test_padding_of_a_whole_dilated_window_is_read_where_each_window_has_an_element():
    wide = {"kernel_shape": [3, 1], "pads": [4, 0, 4, 0], "dilations": [4, 1]}
    graph = model(node("MaxPool", "x", **wide), inputs=[("x", FLOAT, [1, 1, 5, 4])], opset=19)
    assert nk.from_onnx(graph).provenance["verified"] is True


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_split_into_another_number_of_parts_than_it_has_outputs_is_refused(count):
    # Such a model crashes ONNX Runtime and its process.
    split = node("Split", "x", "y", "z", "w", num_outputs=count, axis=1)
    refused(model(split, outputs=("y", "z", "w"), opset=18), "3 outputs", f"into {count} parts")


@pytest.mark.parametrize("axis", [2**32 - 1, 3, -3, -(2**32)])
@pytest.mark.parametrize("kind", ["Softmax", "Concat", "Split", "Flatten", "ArgMax"])
def test_axes_that_do_not_exist_are_refused(kind, axis):
    # ONNX Runtime takes 2^32 - 1 for -1 in some operators.
    refused(model(node(kind, "x", axis=axis), opset=11), "axis", str(axis))


def test_inputs_too_large_for_any_memory_are_refused_before_they_are_allocated():
    large = [("x", FLOAT, [2, 2**32 - 1, 3])]
    refused(model(node("Relu", "x"), inputs=large), "25,769,803,770 elements", "Budget(bytes=")
