"""Nodes with wrong axes, counts and missing inputs are refused with errors that explain why."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper
from small_models import FLOAT, INT64, model, node, refused, weight

import nnefkit as nk


@pytest.mark.parametrize("axis", [2, -3, 2**40])
@pytest.mark.parametrize(
    "kind", ["CumSum", "ReduceSum", "Unsqueeze", "Squeeze", "Slice", "Pad", "Resize", "Gather"]
)
def test_axes_in_inputs_and_lists_must_exist(kind, axis):
    axes = weight(np.array([axis]), "a")
    zero, one = weight(np.array([0]), "zero"), weight(np.array([1]), "one")
    pads, number = weight(np.array([1, 1]), "p"), weight(np.float32(0), "n")
    scales = weight(np.float32([2]), "s")
    made, weights = {
        "CumSum": (node("CumSum", "x a"), [weight(np.array(axis), "a")]),
        "ReduceSum": (node("ReduceSum", "x a"), [axes]),
        "Squeeze": (node("Squeeze", "x a"), [axes]),
        "Slice": (node("Slice", "x zero one a"), [zero, one, axes]),
        "Pad": (node("Pad", "x p n a"), [pads, number, axes]),
        "Resize": (helper.make_node("Resize", ["x", "", "s"], ["y"], axes=[axis]), [scales]),
        "Gather": (node("Gather", "x zero", axis=axis), [zero]),
        # The new axis counts in the result.
        "Unsqueeze": (node("Unsqueeze", "x a"), [weight(np.array([axis + np.sign(axis)]), "a")]),
    }[kind]
    refused(model(made, weights=weights, opset=18), "axis is", "rank")


def test_axes_of_constants_must_exist_too():
    constant, axes = weight(np.ones((2, 1, 3), np.float32)), weight(np.array([5]), "a")
    for kind in ("Squeeze", "Unsqueeze"):
        nodes = node(kind, "w a", "k"), node("Add", "x k")
        refused(model(*nodes, weights=[constant, axes]), "axis is 5", "rank")


def test_axes_that_repeat_are_refused():
    axes, pair = weight(np.array([1, -1]), "a"), weight(np.array([0, 1]), "p")
    ends, pads = weight(np.array([1, 3]), "e"), weight(np.array([1, 1, 0, 2]), "q")
    refused(model(node("Slice", "x p e a"), weights=[axes, pair, ends]), "[1, 1] repeat")
    refused(
        model(node("Pad", ["x", "q", "", "a"]), weights=[axes, pads], opset=18), "[1, 1] repeat"
    )
    refused(model(node("Unsqueeze", "x a"), weights=[weight(np.array([1, -3]), "a")]), "repeat")


def test_empty_axes_of_a_squeeze_are_refused():
    # ONNX Runtime removes all axes of extent 1, the definition of ONNX none.
    row, axes = [("x", FLOAT, [1, 3])], weight(np.zeros(0, np.int64), "a")
    refused(
        model(node("Squeeze", "x a"), inputs=row, weights=[axes]), "axes are empty", "Leave out"
    )


@pytest.mark.parametrize("kind", ["Max", "Min", "Sum", "Mean", "Concat"])
def test_inputs_left_out_of_a_list_are_refused(kind):
    # ONNX Runtime ends the process for most of them.
    options = {"axis": 0} if kind == "Concat" else {}
    refused(model(node(kind, ["x", "", "x"], **options)), "input 1 is missing")
    refused(model(node(kind, [], **options)), "input 0 is missing")


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (node("Einsum", "x"), "equation"),
        (node("Cast", "x"), "to"),
        (node("Concat", "x x"), "axis"),
        (node("DepthToSpace", "x"), "blocksize"),
    ],
)
def test_missing_attributes_are_named(made, name):
    refused(model(made), f"attribute '{name}' is missing")


@pytest.mark.parametrize("kind", ["Div", "Mod"])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64])
def test_constant_integers_divided_by_zero_are_refused(kind, dtype):
    # ONNX Runtime ends the process for some of them.
    numbers = [weight(np.array([7], dtype), "a"), weight(np.array([0], dtype), "b")]
    inputs = [("x", numbers[0].data_type, [2])]
    nodes = node(kind, "a b", "k"), node("Add", "x k")
    refused(model(*nodes, inputs=inputs, weights=numbers), "divides integers by zero")


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64])
def test_the_smallest_integer_is_not_divided_by_minus_1_as_a_constant(dtype):
    # ONNX Runtime ends the process.
    low = np.iinfo(dtype).min
    numbers = [weight(np.array([low], dtype), "a"), weight(np.array([-1], dtype), "b")]
    inputs = [("x", numbers[0].data_type, [2])]
    nodes = node("Div", "a b", "k"), node("Add", "x k")
    refused(model(*nodes, inputs=inputs, weights=numbers), "smallest integer", "by -1")


@pytest.mark.parametrize("count", [-1, 4, 2**40])
def test_more_elements_than_there_are_cannot_be_the_largest(count):
    top = node("TopK", "x k", "y", "z")
    weights = [weight(np.array([count]), "k")]
    refused(model(top, outputs=("y", "z"), weights=weights), f"takes {count} elements of 3")


@pytest.mark.parametrize(
    ("made", "weights", "phrase"),
    [
        (node("Reshape", "x n"), [weight(np.array([-1, -1]), "n")], "shape is [-1, -1]"),
        (node("Reshape", "x n"), [weight(np.array([3, 2, 0]), "n")], "shape is [3, 2, 0]"),
        (node("Tile", "x n"), [weight(np.array([1, 1, 1]), "n")], "repeats are [1, 1, 1]"),
        (node("Tile", "x n"), [weight(np.array([-1, 1]), "n")], "repeats are [-1, 1]"),
        (node("Compress", "x n", axis=0), [weight(np.array([0, 0, 1], bool), "n")], "indices"),
        (node("Pad", "x n", mode="none"), [weight(np.array([0, 1, 0, 1]), "n")], "mode 'none'"),
        (node("GatherND", "x n", batch_dims=-1), [weight(np.array([[0]]), "n")], "-1 batch"),
        (node("ScatterND", "x n x"), [weight(np.array([[0], [2]]), "n")], "indices are wrong"),
        (
            node("OneHot", "x n v"),
            [weight(np.array(0), "n"), weight(np.ones(2), "v")],
            "depth is 0",
        ),
    ],
)
def test_attributes_and_inputs_that_do_not_fit_are_named(made, weights, phrase):
    refused(model(made, weights=weights), phrase)


@pytest.mark.parametrize(
    "kind",
    ["InstanceNormalization", "MaxPool", "GlobalAveragePool", "Conv", "ConvTranspose", "LRN"],
)
@pytest.mark.parametrize("shape", [[], [2], [2, 3]])
def test_layers_of_images_need_the_axes_of_images(kind, shape):
    names = {"InstanceNormalization": "x x x", "Conv": "x x", "ConvTranspose": "x x"}.get(kind, "x")
    options = {"MaxPool": {"kernel_shape": [1]}, "LRN": {"size": 1}}.get(kind, {})
    made = node(kind, names, **options)
    refused(model(made, inputs=[("x", FLOAT, shape)]), f"rank {len(shape)}", "at least 3")


def test_parameters_of_a_layer_normalization_must_broadcast_to_the_input():
    row, scale = [("x", FLOAT, [2, 1])], [weight(np.ones(3, np.float32))]
    made = node("LayerNormalization", "x w")
    refused(model(made, inputs=row, weights=scale, opset=17), "shape [3]", "[2, 1]")


@pytest.mark.parametrize("index", [1, 2, 3, 5, 6, 7])
def test_weights_and_states_of_an_lstm_must_fit(index):
    # Input 3, hidden size 2, one direction, batch 4.
    shapes = {1: (1, 8, 3), 2: (1, 8, 2), 3: (1, 16), 5: (1, 4, 2), 6: (1, 4, 2), 7: (1, 6)}
    shapes[index] = (*shapes[index][:-1], shapes[index][-1] + 1)
    weights = [weight(np.zeros(shape, np.float32), f"w{i}") for i, shape in shapes.items()]
    names = ["x", "w1", "w2", "w3", "", "w5", "w6", "w7"]
    made = node("LSTM", names, hidden_size=2)
    source = model(made, inputs=[("x", FLOAT, [5, 4, 3])], weights=weights)
    refused(source, f"input {index}", "instead of")


@pytest.mark.parametrize("kind", ["InstanceNormalization", "BatchNormalization"])
def test_parameters_for_channels_must_fit(kind):
    image = [("x", FLOAT, [1, 2, 3, 3])]
    names = ["x", *["w"] * (4 if kind == "BatchNormalization" else 2)]
    source = model(node(kind, names), inputs=image, weights=[weight(np.ones(3, np.float32))])
    refused(source, "parameter of shape [3] for 2 channels")


def test_heads_and_masks_of_an_attention_must_fit():
    made = node("Attention", "x k v", q_num_heads=3, kv_num_heads=3)
    inputs = [(name, FLOAT, [1, 2, 8]) for name in ("x", "k", "v")]
    refused(model(made, inputs=inputs, opset=23), "3")
    made = node("Attention", "x k v w", q_num_heads=2, kv_num_heads=2)
    mask = weight(np.zeros((2, 5), np.float32))
    refused(model(made, inputs=inputs, weights=[mask], opset=23))


def test_groups_places_and_depths_must_fit():
    image, one = [("x", FLOAT, [1, 4, 2, 2])], weight(np.ones(3, np.float32))
    made = node("GroupNormalization", "x w w", num_groups=3)
    refused(model(made, inputs=image, weights=[one], opset=21), "3 groups of 4 channels")
    made = node("GroupNormalization", "x w w", num_groups=2)
    refused(model(made, inputs=image, weights=[one], opset=21), "shape [3] for 4 channels")
    inputs = [("x", FLOAT, [2]), ("i", INT64, [1, 5])]
    made = node("ScatterND", "x i w")
    refused(model(made, inputs=inputs, weights=[one]), "do not fit: [2], [1, 5], [3]")
    depth, values = weight(np.array(2**40), "d"), weight(np.float32([0, 1]), "v")
    made = node("OneHot", "i d v")
    refused(model(made, inputs=[("i", INT64, [2])], weights=[depth, values]), "budget")


@pytest.mark.parametrize("opset", [16, 20])
@pytest.mark.parametrize("corners", [0, 1])
def test_the_nearest_element_is_found_before_positions_are_reflected(opset, corners):
    extent = 5 if corners else 4
    places = np.arange(-20, 20.5, 0.5)
    across = 2 * places / (extent - 1) - 1 if corners else (2 * places + 1) / extent - 1
    down = np.full_like(across, 1 / extent - 1)
    grid = np.stack([across, down], axis=-1)[None, None].astype(np.float32)
    sampled = helper.make_node(
        "GridSample",
        ["x", "grid"],
        ["y"],
        mode="nearest",
        padding_mode="reflection",
        align_corners=corners,
    )
    image = [("x", FLOAT, [1, 1, extent, extent]), ("grid", FLOAT, [1, 1, places.size, 2])]
    proto = model(sampled, inputs=image, opset=opset)
    feeds = {"x": np.arange(extent**2, dtype=np.float32).reshape(1, 1, extent, extent)}
    feeds["grid"] = grid
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    computed = nk.run(nk.from_onnx(proto, verify=False), feeds)["y"]
    np.testing.assert_array_equal(computed, session.run(None, feeds)[0])


def test_scales_zero_points_and_bounds_are_one_number():
    pair, code = weight(np.float32([1, 2]), "w"), weight(np.uint8(3), "z")
    row = [("x", FLOAT, [3])]
    refused(model(node("Clip", "x w"), inputs=row, weights=[pair]), "min has shape [2]")
    codes = [("x", TensorProto.UINT8, [2, 3])]
    scale = weight(np.float32(0.5), "s")
    sigmoid = helper.make_node(
        "QLinearSigmoid", ["x", "w", "z", "s", "z"], ["y"], domain="com.microsoft"
    )
    refused(model(sigmoid, inputs=codes, weights=[pair, code, scale]), "scale has shape [2]")
    matrix = weight(np.ones((3, 2), np.uint8), "b")
    column = weight(np.float32([[1], [2]]), "w")
    total = helper.make_node(
        "MatMulIntegerToFloat", ["x", "b", "s", "w"], ["y"], domain="com.microsoft"
    )
    refused(model(total, inputs=codes, weights=[matrix, scale, column]), "scale has shape [2, 1]")


@pytest.mark.parametrize(
    ("made", "extents", "phrase"),
    [
        (node("DepthToSpace", "x", blocksize=2), [1, 14, 1, 1], "no blocks of 2"),
        (node("SpaceToDepth", "x", blocksize=2), [1, 1, 3, 2], "no blocks of 2"),
        (node("LpNormalization", "x", p=3), [4], "p is 3"),
        (node("Celu", "x", alpha=0.0), [4], "alpha is 0"),
        (node("MeanVarianceNormalization", "x", axes=[0]), [], "axis is 0"),
    ],
)
def test_attributes_that_an_operator_does_not_allow(made, extents, phrase):
    refused(model(made, inputs=[("x", FLOAT, extents)]), phrase)


def test_a_kernel_has_the_shape_that_the_node_says():
    kernel = weight(np.ones((1, 1, 3), np.float32))
    for kind in ("Conv", "ConvTranspose"):
        made = node(kind, "x w", kernel_shape=[4])
        refused(model(made, inputs=[("x", FLOAT, [1, 1, 8])], weights=[kernel]), "kernel_shape")


def test_updates_have_the_shape_of_what_the_indices_name():
    image, updates = ("x", FLOAT, [3, 2, 2]), ("u", FLOAT, [2, 2])
    index = weight(np.array([[1]]), "i")
    refused(
        model(node("ScatterND", "x i u"), inputs=[image, updates], weights=[index]),
        "do not fit: [3, 2, 2], [1, 1], [2, 2]",
    )
    wide = weight(np.zeros((1, 3), np.int64), "i")
    made = node("ScatterElements", "x i u", axis=0)
    inputs = [("x", FLOAT, [3, 2]), ("u", FLOAT, [1, 3])]
    refused(model(made, inputs=inputs, weights=[wide]), "do not fit")


def test_complex_weights_are_refused():
    constant = weight(np.complex64([1, 2]))
    refused(model(node("Add", "x w"), inputs=[("x", FLOAT, [2])], weights=[constant]), "complex")
