"""Operators at the corners that the reference models do not reach, against LiteRT itself."""

import numpy as np
import pytest

pytest.importorskip("tflite")
pytest.importorskip("ai_edge_litert")

from written_models import Model, check, check_one, one, run

import nnefkit as nk

F = "float32"


def draw(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1.5, 1.5, shape).astype(np.float32)


def ints(*numbers, dtype=np.int32):
    return np.array(numbers, dtype)


# -- windows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("extents", [(7, 6), (2, 9), (5, 5)])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (3, 2)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 3), (3, 1)])
def test_windows_of_all_sizes_strides_and_paddings(padding, extents, size, stride):
    if padding == 1 and any(n < k for n, k in zip(extents, size, strict=True)):
        return
    x = draw(2, *extents, 4)
    shape = [
        -(-n // s) if padding == 0 else (n - k) // s + 1
        for n, k, s in zip(extents, size, stride, strict=True)
    ]
    window = {"padding": padding, "strideH": stride[0], "strideW": stride[1]}
    for pool in ("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"):
        filters = {"filterHeight": size[0], "filterWidth": size[1]}
        check_one(pool, [x], [((2, *shape, 4), F)], "Pool2DOptions", **window, **filters)
    weight, bias = draw(6, *size, 2, seed=1), draw(6, seed=2)
    check_one(  # two groups
        *("CONV_2D", [x, weight, bias], [((2, *shape, 6), F)], "Conv2DOptions"),
        constant=(1, 2),
        fusedActivationFunction=1,
        **window,
    )
    weight, bias = draw(1, *size, 8, seed=1), draw(8, seed=2)
    check_one(
        *("DEPTHWISE_CONV_2D", [x, weight, bias], [((2, *shape, 8), F)]),
        "DepthwiseConv2DOptions",
        constant=(1, 2),
        depthMultiplier=2,
        fusedActivationFunction=3,
        **window,
    )


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("dilation", [(1, 2), (2, 3)])
def test_dilated_convolutions(padding, dilation):
    x, weight, bias = draw(1, 11, 9, 2), draw(3, 3, 2, 2, seed=1), draw(3, seed=2)
    spans = [(k - 1) * d + 1 for k, d in zip((3, 2), dilation, strict=True)]
    shape = (11, 9) if padding == 0 else [n - s + 1 for n, s in zip((11, 9), spans, strict=True)]
    check_one(
        *("CONV_2D", [x, weight, bias], [((1, *shape, 3), F)], "Conv2DOptions"),
        constant=(1, 2),
        padding=padding,
        strideH=1,
        strideW=1,
        dilationHFactor=dilation[0],
        dilationWFactor=dilation[1],
    )


@pytest.mark.parametrize(
    ("padding", "stride", "extents"),
    [(0, (2, 2), (10, 8)), (0, (2, 2), (9, 7)), (1, (2, 2), (11, 9)), (1, (3, 2), (15, 9))],
)
@pytest.mark.parametrize("has_bias", [False, True])
def test_transposed_convolutions_to_any_extent(padding, stride, extents, has_bias):
    x, weight, bias = draw(2, 5, 4, 3), draw(2, 3, 3, 3, seed=1), draw(2, seed=2)
    shape = (2, *extents, 2)
    check_one(
        "TRANSPOSE_CONV",
        [ints(*shape), weight, x, *([bias] if has_bias else [])],
        [(shape, F)],
        "TransposeConvOptions",
        constant=(0, 1, 3),
        padding=padding,
        strideH=stride[0],
        strideW=stride[1],
    )


def test_volumes_are_convolved_and_transposed():
    x, weight = draw(1, 4, 5, 3, 2), draw(2, 2, 3, 2, 3, seed=1)
    options = {"padding": 0, "strideD": 1, "strideH": 2, "strideW": 1}
    y = ((1, 4, 3, 3, 3), F)
    check_one("CONV_3D", [x, weight], [y], "Conv3DOptions", constant=(1,), **options)
    weight, shape = draw(2, 3, 2, 3, 2, seed=1), (1, 4, 10, 3, 3)
    check_one(
        *("CONV_3D_TRANSPOSE", [ints(*shape), weight, x], [(shape, F)], "Conv3DOptions"),
        constant=(0, 1),
        **options,
    )


@pytest.mark.parametrize("operator", ["RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"])
@pytest.mark.parametrize("mode", ["", "alignCorners", "halfPixelCenters"])
@pytest.mark.parametrize("size", [(8, 10), (2, 5), (9, 3), (1, 1), (4, 1), (12, 15)])
def test_resizes_in_every_mode(operator, mode, size):
    x = draw(1, 4, 5, 3)
    options = "ResizeBilinearOptions" if "BIL" in operator else "ResizeNearestNeighborOptions"
    values = {mode: True} if mode else {}
    y = ((1, *size, 3), F)
    check_one(operator, [x, ints(*size)], [y], options, constant=(1,), **values)


# -- elements --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.parametrize("activation", [0, 1, 2, 3])
@pytest.mark.parametrize("operator", ["ADD", "SUB", "MUL", "DIV"])
def test_arithmetic_with_broadcasting_and_activations(operator, activation, dtype):
    x = (draw(2, 1, 4) * 9).astype(dtype)
    y = (draw(3, 1, seed=1) * 5).astype(dtype)
    y[y == 0] = 3
    if operator == "DIV" and dtype == "int32":
        activation = 0
    options = f"{operator.title()}Options"
    result = ((2, 3, 4), dtype)
    check_one(operator, [x, y], [result], options, fusedActivationFunction=activation)


@pytest.mark.parametrize(
    ("operator", "dtype"),
    [
        *(("FLOOR_DIV", "float32"), ("FLOOR_DIV", "int32")),
        *(("FLOOR_MOD", "float32"), ("FLOOR_MOD", "int32"), ("FLOOR_MOD", "int64")),
    ],
)
def test_quotients_and_remainders_round_down(operator, dtype):
    x = np.array([7, -7, 7, -7, 6, 0, -1, 2**20 + 1], dtype)
    y = np.array([3, 3, -3, -3, 2, 5, 4, 1024], dtype)
    name = "FloorDivOptions" if operator == "FLOOR_DIV" else "FloorModOptions"
    check_one(operator, [x, y], [((8,), dtype)], name)


def test_integers_wrap_around():
    x = ints(2**31 - 1, -(2**31), 5)
    for operator in ("ADD", "MUL"):
        check_one(operator, [x, ints(2, 2, 2)], [((3,), "int32")], f"{operator.title()}Options")
    check_one("SQUARED_DIFFERENCE", [ints(70, -70), ints(-70, 70)], [((2,), "int32")])


@pytest.mark.parametrize(
    ("source", "target"),
    [
        *(("float32", "int32"), ("float32", "bool"), ("int32", "float32"), ("bool", "float32")),
        *(("int64", "int32"), ("int32", "int64"), ("int32", "bool"), ("float32", "int64")),
    ],
)
def test_casts(source, target):
    x = np.array([-3, -1, 0, 1, 2, 70000]).astype(source)
    if source == "float32":
        x += np.array([0.5, 0.9, 0.2, -0.7, 0.5, 0.25], np.float32)
    check_one("CAST", [x], [((6,), target)])


@pytest.mark.parametrize("operator", ["MAXIMUM", "MINIMUM"])
def test_extremes_broadcast(operator):
    check_one(operator, [draw(2, 3, 1), draw(4, seed=1)], [((2, 3, 4), F)], "MaximumMinimumOptions")


@pytest.mark.parametrize("operator", ["RELU_0_TO_1", "RELU_N1_TO_1", "RELU6", "ELU", "HARD_SWISH"])
def test_activations_far_from_zero(operator):
    x = np.linspace(-8, 8, 33, dtype=np.float32)
    check_one(operator, [x], [((33,), F)])


def test_conditions_that_choose_rows():
    c, x, y = np.array([True, False]), draw(2, 3), draw(2, 3, seed=1)
    check_one("SELECT", [c, x, y], [((2, 3), F)])
    check_one("SELECT_V2", [c[:, None], x, y[:, :1]], [((2, 3), F)])


@pytest.mark.parametrize("bits", [2, 4, 8, 16])
@pytest.mark.parametrize(("low", "high"), [(-1.3, 1.1), (0.5, 2.0), (-2.0, -0.5), (-1.0, 1.0)])
def test_fake_quantization(bits, low, high):
    x = draw(64) * 2
    values = {"min": low, "max": high, "numBits": bits}
    check_one("FAKE_QUANT", [x], [((64,), F)], "FakeQuantOptions", **values)


def test_fake_quantization_without_the_smallest_code():
    # LiteRT runs it for weights only. TensorFlow: the codes are 1 to 15, the step is 2.4 / 14.
    x = draw(64) * 2
    values = {"min": -1.3, "max": 1.1, "numBits": 4, "narrowRange": True}
    data = one("FAKE_QUANT", [x], [((64,), F)], "FakeQuantOptions", **values)
    graph = nk.from_tflite(data, verify=False, progress=False)
    (result,) = nk.run(graph, {graph.inputs[0]: x}).values()
    step = 2.4 / 14
    zero = round(1 + 1.3 / step)
    codes = np.clip(np.floor(x / step + zero + 0.5), 1, 15)
    np.testing.assert_allclose(result, (codes - zero) * step, atol=1e-5)


# -- shapes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begin", "end", "stride", "masks", "shape"),
    [
        ((1, 0), (3, 4), (1, 2), {}, (2, 2, 3)),
        ((-1, -1), (-4, -5), (-1, -2), {}, (3, 2, 3)),
        ((0, 0), (0, 0), (1, 1), {"endMask": 3}, (4, 4, 3)),
        ((3, 9), (-9, 0), (-1, -1), {"endMask": 2}, (4, 4, 3)),
        ((1, 0, 1), (2, 4, 3), (1, 1, 1), {"shrinkAxisMask": 1}, (4, 2)),
        ((-1, 0), (0, 4), (1, 1), {"shrinkAxisMask": 1}, (4, 3)),
        ((0, 1), (0, 3), (1, 1), {"ellipsisMask": 1}, (4, 4, 2)),
        ((0, 1), (0, 2), (1, 1), {"ellipsisMask": 1, "shrinkAxisMask": 2}, (4, 4)),
        ((0, 0, 1), (0, 0, 3), (1, 1, 1), {"newAxisMask": 2, "endMask": 1}, (4, 1, 2, 3)),
        ((2, 1), (100, 100), (1, 1), {}, (2, 3, 3)),
    ],
)
def test_strided_slices(begin, end, stride, masks, shape):
    x = draw(4, 4, 3)
    indices = [ints(*begin), ints(*end), ints(*stride)]
    check_one(
        *("STRIDED_SLICE", [x, *indices], [(shape, F)], "StridedSliceOptions"),
        constant=(1, 2, 3),
        **masks,
    )


@pytest.mark.parametrize("mode", [0, 1])
def test_mirrored_padding(mode):
    padding = np.array([[0, 0], [2, 1], [1, 2]], np.int32)
    y = ((2, 6, 6), F)
    check_one(
        "MIRROR_PAD", [draw(2, 3, 3), padding], [y], "MirrorPadOptions", constant=(1,), mode=mode
    )


def test_padding_with_numbers_of_any_kind():
    padding = np.array([[1, 0], [0, 2]], np.int32)
    for number in (np.float32(-2.5), np.float32(-np.inf)):
        check_padding = [draw(2, 3), padding, np.array(number)]
        data = one("PADV2", check_padding, [((3, 5), F)], "PadV2Options", constant=(1, 2))
        graph = nk.from_tflite(data, verify=False, progress=False)
        (result,) = nk.run(graph, {graph.inputs[0]: check_padding[0]}).values()
        np.testing.assert_array_equal(result, run(data, check_padding[:1])[0][0])
    x = ints(1, 2, 3).reshape(1, 3)
    check_one("PAD", [x, padding], [((2, 5), "int32")], "PadOptions", constant=(1,))


def test_gathering_in_batches_along_a_later_axis():
    x, indices = draw(2, 3, 4, 5), np.array([[0, 3, 1], [2, 2, 0]], np.int32)
    for axis, shape in ((1, (2, 3, 4, 5)), (2, (2, 3, 3, 5)), (3, (2, 3, 4, 3))):
        given = np.minimum(indices, x.shape[axis] - 1)
        check_one(*("GATHER", [x, given], [(shape, F)], "GatherOptions"), axis=axis, batchDims=1)
    check_one(
        "GATHER", [x, np.array([1, 0], np.int64)], [((2, 2, 4, 5), F)], "GatherOptions", axis=1
    )


def test_positions_that_repeat_add_up():
    indices = np.array([[1], [3], [1]], np.int32)
    updates = draw(3, 2)
    for constant in ((0, 2), (2,)):
        check_one(
            *("SCATTER_ND", [indices, updates, ints(4, 2)], [((4, 2), F)], "ScatterNdOptions"),
            constant=constant,
        )


def test_one_hot_of_indices_out_of_range():
    indices = np.array([0, 2, -1, 5], np.int32)
    for axis, shape in ((-1, (4, 3)), (0, (3, 4))):
        on, off = np.array(2.5, np.float32), np.array(-1, np.float32)
        check_one(
            *("ONE_HOT", [indices, np.array(3, np.int32), on, off], [(shape, F)], "OneHotOptions"),
            constant=(1, 2, 3),
            axis=axis,
        )


@pytest.mark.parametrize("is_exclusive", [False, True])
@pytest.mark.parametrize("is_reverse", [False, True])
def test_cumulative_sums(is_exclusive, is_reverse):
    options = {"exclusive": is_exclusive, "reverse": is_reverse}
    x, axis = draw(2, 5, 3), np.array(-2, np.int32)
    check_one("CUMSUM", [x, axis], [((2, 5, 3), F)], "CumsumOptions", constant=(1,), **options)


def test_a_part_is_put_into_a_tensor():
    x, part = draw(4, 5), draw(2, 3, seed=1)
    for position in ((1, 1), (3, 4), (-1, 0)):
        check_one(
            *("DYNAMIC_UPDATE_SLICE", [x, part, ints(*position)], [((4, 5), F)]),
            constant=(2,),
        )


def test_shapes_that_broadcast_and_rows_of_a_sparse_matrix():
    shapes = [ints(2, 1, 3), ints(4, 1)]
    model = Model()
    graph = model.graph()
    x = graph.input((2, 1, 3))
    a, b = (graph.constant(each, "int32") for each in shapes)
    (shape,) = graph.call("BROADCAST_ARGS", [a, b], [graph.tensor((3,), "int32")])
    graph.outputs = [graph.tensor((2, 4, 3))]
    graph.call("BROADCAST_TO", [x, shape], graph.outputs)
    check(model.bytes(), [draw(2, 1, 3)])
    places = np.array([[0, 1], [2, 0]], np.int32)
    check_one(
        "SPARSE_TO_DENSE",
        [places, ints(3, 2), draw(2), np.array(0.5, np.float32)],
        [((3, 2), F)],
        constant=(0, 1, 3),
    )


def test_diagonals_are_set():
    for shape in ((2, 3, 3), (2, 2, 4), (2, 4, 2)):
        x, diagonal = draw(*shape), draw(2, min(shape[1:]), seed=1)
        check_one("MATRIX_SET_DIAG", [x, diagonal], [(shape, F)], "MatrixSetDiagOptions")


@pytest.mark.parametrize("lengths", [(1, 8), (4, 8), (4, 4)])
def test_transforms_and_their_parts(lengths):
    x = draw(2, 4, 8)
    shape = 2, lengths[0], lengths[1] // 2 + 1
    model = Model()
    graph = model.graph()
    number = graph.input((2, 4, 8) if lengths[0] > 1 else (2, 1, 8))
    size = graph.constant(ints(*lengths), "int32")
    (spectrum,) = graph.call("RFFT2D", [number, size], [graph.tensor(shape, "complex64")])
    for part in ("REAL", "IMAG", "COMPLEX_ABS"):
        graph.outputs += graph.call(part, [spectrum], [graph.tensor(shape)])
    check(model.bytes(), [x if lengths[0] > 1 else x[:, :1]])


# -- matrices --------------------------------------------------------------------------------------


@pytest.mark.parametrize("adjoint", [(False, False), (True, False), (False, True), (True, True)])
def test_products_of_batches(adjoint):
    x = draw(2, 1, 4, 3) if adjoint[0] else draw(2, 1, 3, 4)
    y = draw(5, 6, 4, seed=1) if adjoint[1] else draw(5, 4, 6, seed=1)
    options = {"adjX": adjoint[0], "adjY": adjoint[1]}
    check_one("BATCH_MATMUL", [x, y], [((2, 5, 3, 6), F)], "BatchMatMulOptions", **options)


@pytest.mark.parametrize("is_kept", [False, True])
@pytest.mark.parametrize("is_constant", [False, True])
def test_full_connections_of_any_rank(is_kept, is_constant):
    x, weight, bias = draw(2, 3, 4), draw(5, 4, seed=1), draw(5, seed=2)
    shape = (2, 3, 5) if is_kept else (6, 5)
    check_one(
        *("FULLY_CONNECTED", [x, weight, bias], [(shape, F)], "FullyConnectedOptions"),
        constant=(1, 2) if is_constant else (2,),
        keepNumDims=is_kept,
        fusedActivationFunction=1,
    )
