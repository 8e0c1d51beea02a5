"""Box filters, pools and sampling give what the formulae of 4.3.2, 4.3.3 and 4.9.3 give."""

import math

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn import functional

from nnefkit.errors import ArgumentError
from nnefkit.operations import KERNELS, SHAPE_RULES, window_reduction

BORDERS = ["ignore", "constant", "replicate", "reflect", "reflect-even"]


def source(i, extent, border):
    """The index that the extended input has at `i`, or None."""
    while not 0 <= i < extent:
        if border in ("constant", "ignore"):
            return None
        if border == "replicate" or extent == 1:
            return 0 if i < 0 else extent - 1
        if border == "reflect":
            i = -i if i < 0 else extent - 1 - (i - extent + 1)
        else:
            i = -i - 1 if i < 0 else extent - 1 - (i - extent)
    return i


def windows(x, out, *, size, border, padding, stride, dilation):
    """For each output its items in row-major order: the value, or None where it is ignored."""
    for i in np.ndindex(out):
        items = []
        for j in np.ndindex(*size):
            found = [
                source(i_ * s + j_ * d - p, extent, border)
                for i_, s, j_, d, (p, _), extent in zip(
                    i, stride, j, dilation, padding, x.shape, strict=True
                )
            ]
            outside = None if border == "ignore" else 0.0
            items.append(outside if None in found else x[tuple(found)])
        yield i, items


def average(items, size):
    true = [item for item in items if item is not None]
    if len(true) < len(items):
        return sum(true) / len(true) if true else math.nan
    return sum(true) / math.prod(size)


def first_maximum(items):
    best = None
    for j, item in enumerate(items):
        if item is not None and (best is None or item > items[best]):
            best = j
    return best


@st.composite
def sliding(draw):
    """An input and the attributes of a window over one to four of its dimensions."""
    rank = draw(st.integers(1, 4))
    ints = lambda low, high: draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank))  # noqa: E731
    size = ints(1, 3 if rank < 4 else 2)
    stride = draw(st.sampled_from([[], ints(1, 3)]))
    dilation = draw(st.sampled_from([[], ints(1, 2)]))
    padding = draw(st.sampled_from([[], list(zip(ints(-1, 3), ints(-1, 3), strict=True))]))
    extents = ints(1, 5 if rank < 4 else 3)
    if padding:
        extents = [
            max(x, (f - 1) * d + 1 - p - q)
            for x, f, d, (p, q) in zip(extents, size, dilation or [1] * rank, padding, strict=True)
        ]
    attribs = {
        "size": size,
        "border": draw(st.sampled_from(BORDERS)),
        "padding": padding,
        "stride": stride,
        "dilation": dilation,
    }
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    # Small integers: there are ties, and sums are exact.
    return random.integers(-4, 5, extents).astype(np.float32), attribs


def filled(extents, attribs):
    """All attributes as explicit ones, and the down-scaled extents."""
    ones = [1] * len(extents)
    stride, dilation = attribs["stride"] or ones, attribs["dilation"] or ones
    span = [(f - 1) * d + 1 for f, d in zip(attribs["size"], dilation, strict=True)]
    padding = attribs["padding"]
    if not padding:
        totals = [
            max((math.ceil(X / s) - 1) * s + f - X, 0)
            for X, s, f in zip(extents, stride, span, strict=True)
        ]
        padding = [(math.floor(t / 2), math.ceil(t / 2)) for t in totals]
    out = tuple(
        (p + X + q - f) // s + 1
        for (p, q), X, f, s in zip(padding, extents, span, stride, strict=True)
    )
    return {**attribs, "padding": padding, "stride": stride, "dilation": dilation}, out


@given(sliding())
@settings(max_examples=150, deadline=None)
def test_basic_operations_are_their_formulae(drawn):
    x, attribs = drawn
    full, out = filled(x.shape, attribs)
    sums, averages, squares, maxima = (np.zeros(out) for _ in range(4))
    index = np.zeros(out, int)
    for i, items in windows(x, out, **full):
        best = first_maximum(items)
        sums[i] = sum(item for item in items if item is not None)
        averages[i] = average(items, full["size"])
        squares[i] = average([item and item * item for item in items], full["size"]) ** 0.5
        maxima[i] = -math.inf if best is None else items[best]
        index[i] = best or 0
    for name, more, expected in [
        ("box", {"normalize": False}, sums),
        ("box", {"normalize": True}, averages),
        ("avg_pool", {}, averages),
        ("rms_pool", {}, squares),
        ("max_pool", {}, maxima),
        ("argmax_pool", {}, index),
    ]:
        result = KERNELS[name](x, **attribs, **more)
        assert SHAPE_RULES[name](x.shape, **attribs, **more) == result.shape
        assert_allclose(result, expected, rtol=1e-6, err_msg=name)
    values, positions = KERNELS["max_pool_with_index"](x, **attribs)
    assert_array_equal(values, maxima)
    assert_array_equal(positions, index)
    assert positions.dtype == np.int64
    assert SHAPE_RULES["max_pool_with_index"](x.shape, **attribs) == (out, out)


@given(sliding(), st.data())
@settings(max_examples=100, deadline=None)
def test_sample_takes_and_desample_adds_at_the_positions(drawn, data):
    x, attribs = drawn
    attribs["border"] = data.draw(st.sampled_from(BORDERS[1:]))
    full, out = filled(x.shape, attribs)
    random = np.random.default_rng(x.size)
    index = random.integers(0, math.prod(full["size"]), out)
    expected = np.zeros(out)
    for i, items in windows(x, out, **full):
        expected[i] = items[index[i]]
    result = KERNELS["sample"](x, index, **attribs)
    assert_array_equal(result, expected)
    assert SHAPE_RULES["sample"](x.shape, index.shape, **attribs) == result.shape

    y = random.integers(-4, 5, out).astype(np.float32)
    up = np.zeros(x.shape)
    for i in np.ndindex(out):
        j = np.unravel_index(index[i], full["size"])
        place = [
            i_ * s + j_ * d - p
            for i_, s, j_, d, (p, _) in zip(
                i, full["stride"], j, full["dilation"], full["padding"], strict=True
            )
        ]
        if all(0 <= a < X for a, X in zip(place, x.shape, strict=True)):
            up[tuple(place)] += y[i]
    attribs = {**attribs, "border": "constant", "output_shape": list(x.shape)}
    assert_array_equal(KERNELS["desample"](y, index, **attribs), up)
    assert SHAPE_RULES["desample"](y.shape, index.shape, **attribs) == x.shape


@given(sliding(), st.booleans(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_debox_is_the_formula(drawn, normalize, shaped):
    given, attribs = drawn
    full, out = filled(given.shape, attribs)
    y = np.random.default_rng(given.size).integers(-4, 5, out).astype(np.float32)
    shape = given.shape
    if not shaped:
        shape = tuple(
            x * s if not attribs["padding"] else (x - 1) * s + (f - 1) * d + 1 - p - q
            for x, f, (p, q), s, d in zip(
                out,
                full["size"],
                full["padding"],
                full["stride"],
                full["dilation"],
                strict=True,
            )
        )
        if min(shape) < 1:
            return
        full, _ = filled(shape, attribs)
    expected = np.zeros(shape)
    for i in np.ndindex(shape):
        for j in np.ndindex(*full["size"]):
            scaled = [
                divmod(i_ + p - j_ * d, s)
                for i_, s, j_, d, (p, _) in zip(
                    i, full["stride"], j, full["dilation"], full["padding"], strict=True
                )
            ]
            found = [source(k, x, full["border"]) for (k, _), x in zip(scaled, out, strict=True)]
            if all(rest == 0 for _, rest in scaled) and None not in found:
                expected[i] += y[tuple(found)]
    if normalize:
        expected /= math.prod(full["size"])
    attribs = {
        **attribs,
        "normalize": normalize,
        "output_shape": list(shape) if shaped else [],
    }
    result = KERNELS["debox"](y, **attribs)
    assert SHAPE_RULES["debox"](y.shape, **attribs) == result.shape
    assert_allclose(result, expected, rtol=1e-6)


def attributes(size, **given):
    attribs = {"size": size, "border": "ignore", "padding": [(0, 0)] * len(size)}
    return {**attribs, "stride": [], "dilation": [], **given}


@pytest.mark.parametrize("extent", [7, 30])
def test_pools_agree_with_torch(extent):
    random = np.random.default_rng(extent)
    x = random.standard_normal((2, 5, extent, extent)).astype(np.float32)
    t = torch.from_numpy(x)
    padding = [(0, 0), (0, 0), (1, 1), (1, 1)]
    common = attributes([1, 1, 3, 3], padding=padding, stride=[1, 1, 2, 2])
    options = {"kernel_size": 3, "stride": 2, "padding": 1}
    values, _ = KERNELS["max_pool_with_index"](x, **common)
    assert_array_equal(values, functional.max_pool2d(t, **options).numpy())
    assert_array_equal(KERNELS["max_pool"](x, **common), values)
    left_out = functional.avg_pool2d(t, **options, count_include_pad=False)
    assert_allclose(KERNELS["avg_pool"](x, **common), left_out.numpy(), atol=1e-6)
    common["border"] = "constant"
    counted = functional.avg_pool2d(t, **options)
    assert_allclose(KERNELS["avg_pool"](x, **common), counted.numpy(), atol=1e-6)
    whole = attributes([1, 1, extent, extent])
    assert_allclose(
        KERNELS["avg_pool"](x, **whole), functional.adaptive_avg_pool2d(t, 1).numpy(), atol=1e-6
    )


@pytest.mark.parametrize(
    ("given", "stated"),
    [
        ({"padding": []}, {"auto_pad": "SAME_UPPER"}),
        (
            {"padding": [(0, 0), (0, 0), (1, 0), (0, 1)], "dilation": [1, 1, 2, 3]},
            {"pads": [1, 0, 0, 1], "dilations": [2, 3]},
        ),
    ],
)
def test_padding_and_dilation_agree_with_onnx_runtime(given, stated):
    random = np.random.default_rng(0)
    x = random.standard_normal((1, 3, 16, 17)).astype(np.float32)
    node = onnx.helper.make_node(
        "MaxPool",
        ["x"],
        ["y"],
        kernel_shape=[3, 2],
        strides=[2, 3],
        **stated,
    )
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph([node], "pool", [value("x", 1, x.shape)], [value("y", 1, None)])
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=9)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    attribs = attributes([1, 1, 3, 2], stride=[1, 1, 2, 3], **given)
    assert_array_equal(KERNELS["max_pool"](x, **attribs), session.run(None, {"x": x})[0])


def test_a_constant_border_can_win_a_maximum_and_an_ignored_one_cannot():
    x = np.full((1, 1, 2, 2), -3, np.float32)
    padding = [(0, 0), (0, 0), (1, 0), (0, 0)]
    attribs = attributes([1, 1, 2, 1], padding=padding)
    assert_array_equal(KERNELS["max_pool"](x, **attribs), x)
    assert_array_equal(KERNELS["argmax_pool"](x, **attribs)[0, 0], [[1, 1], [0, 0]])
    attribs["border"] = "constant"
    assert_array_equal(KERNELS["max_pool"](x, **attribs)[0, 0], [[0, 0], [-3, -3]])
    assert_array_equal(KERNELS["argmax_pool"](x, **attribs)[0, 0], [[0, 0], [0, 0]])


def test_minus_infinity_is_a_value_and_no_border():
    x = np.full((4,), -np.inf, np.float32)
    attribs = attributes([3], padding=[(2, 2)])
    values, index = KERNELS["max_pool_with_index"](x, **attribs)
    assert_array_equal(values, np.full(6, -np.inf))
    assert_array_equal(index, [2, 1, 0, 0, 0, 0])


def test_a_window_without_true_values_has_no_average():
    x = np.ones(2, np.float32)
    attribs = attributes([1], padding=[(1, 0)])
    assert_array_equal(KERNELS["avg_pool"](x, **attribs), [np.nan, 1, 1])
    assert_array_equal(KERNELS["max_pool"](x, **attribs), [-np.inf, 1, 1])
    assert_array_equal(KERNELS["box"](x, **attribs, normalize=False), [0, 1, 1])


@pytest.mark.parametrize("border", BORDERS)
def test_the_first_nan_is_the_maximum(border):
    x = np.array([1, 5, np.nan, 7, np.nan, 2], np.float32)
    attribs = attributes([3], border=border)
    values, index = KERNELS["max_pool_with_index"](x, **attribs)
    assert_array_equal(values, [np.nan] * 4)
    assert_array_equal(index, [2, 1, 0, 1])
    assert_array_equal(KERNELS["max_pool"](x, **attribs), values)
    assert_array_equal(KERNELS["argmax_pool"](x, **attribs), index)
    assert_array_equal(KERNELS["sample"](x, index, **{**attribs, "border": "constant"}), values)


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8, np.float16, np.float64])
def test_maxima_keep_the_dtype(dtype):
    x = np.array([3, 1, 2, 9], dtype)
    attribs = attributes([2], padding=[(1, 1)])
    values, index = KERNELS["max_pool_with_index"](x, **attribs)
    assert values.dtype == KERNELS["max_pool"](x, **attribs).dtype == dtype
    assert_array_equal(values, [3, 3, 2, 9, 9])
    assert_array_equal(KERNELS["max_pool"](x, **attribs), values)
    assert_array_equal(index, [1, 0, 1, 1, 0])


def test_half_precision_is_summed_up_in_single_precision():
    x = np.full((1, 1, 64, 64), 0.1, np.float16)
    result = KERNELS["avg_pool"](x, **attributes([1, 1, 64, 64]))
    assert (result.dtype, result.item()) == (np.float16, x[0, 0, 0, 0])
    assert KERNELS["rms_pool"](x * 3000, **attributes([1, 1, 64, 64])).item() == np.float16(300)


def test_large_values_beside_small_ones_do_not_cancel():
    x = np.zeros(64, np.float32)
    x[0], x[40] = 1e30, 1.0
    result = KERNELS["box"](x, **attributes([3]), normalize=False)
    assert_array_equal(result[38:41], [1, 1, 1])


@pytest.mark.parametrize("bytes_", [1, 2000])
def test_blocks_of_any_size_give_the_same(monkeypatch, bytes_):
    x = np.random.default_rng(0).standard_normal((3, 5, 8, 9))
    attribs = attributes([1, 1, 3, 2], padding=[], stride=[1, 1, 2, 1])
    expected = [KERNELS[name](x, **attribs) for name in ("avg_pool", "max_pool")]
    monkeypatch.setattr(window_reduction, "BLOCK_BYTES", bytes_)
    for name, before in zip(("avg_pool", "max_pool"), expected, strict=True):
        assert_array_equal(KERNELS[name](x, **attribs), before)


@pytest.mark.parametrize("position", [-1, 4, 100])
@pytest.mark.parametrize("name", ["sample", "desample"])
def test_a_position_outside_of_the_window_is_refused(name, position):
    x = np.ones((1, 1, 4, 4), np.float32)
    index = np.array([[[[0, 1], [position, 3]]]])
    attribs = attributes([1, 1, 2, 2], border="constant", stride=[1, 1, 2, 2])
    if name == "desample":
        x, attribs["output_shape"] = x[:, :, :2, :2], []
    with pytest.raises(ArgumentError, match=f"position {position}, .* from 0 to 3") as caught:
        KERNELS[name](x, index, **attribs)
    assert caught.value.arguments == ("index",)


def test_results_never_share_memory_with_the_input():
    x = np.ones((1, 2, 3, 3), np.float32)
    trivial = attributes([1, 1, 1, 1])
    for name, more in [
        ("box", {"normalize": True}),
        ("debox", {"normalize": True, "output_shape": []}),
        ("max_pool", {}),
    ]:
        assert not np.shares_memory(KERNELS[name](x, **trivial, **more), x)
