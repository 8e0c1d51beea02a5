"""Convolutions give what the formulae of 4.3.1 and other implementations give."""

import itertools
import math

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from nnefkit.operations import KERNELS, SHAPE_RULES, correlation, depthwise, reverse_correlation

BORDERS = ["constant", "replicate", "reflect", "reflect-even"]
ZERO = np.zeros((), np.float64)


def source(i, extent, border):
    """The index that the extended input has at `i`, or None."""
    while not 0 <= i < extent:
        if border == "constant":
            return None
        if border == "replicate" or extent == 1:
            return 0 if i < 0 else extent - 1
        if border == "reflect":
            i = -i if i < 0 else extent - 1 - (i - extent + 1)
        else:
            i = -i - 1 if i < 0 else extent - 1 - (i - extent)
    return i


def extended(array, place, border):
    found = [source(i, extent, border) for i, extent in zip(place, array.shape, strict=True)]
    return 0.0 if None in found else array[tuple(found)]


def conv_by_loops(x, w, bias, out, *, border, padding, stride, dilation, groups):
    result = np.zeros(out)
    per_group = len(w) // groups
    for b, k in np.ndindex(out[:2]):
        g = k // per_group
        for i in np.ndindex(out[2:]):
            total = 0.0
            for c in range(w.shape[1]):
                plane = x[b, g * w.shape[1] + c]
                for j in np.ndindex(w.shape[2:]):
                    place = [
                        i_ * s + j_ * d - p
                        for i_, s, j_, d, (p, _) in zip(
                            i, stride, j, dilation, padding, strict=True
                        )
                    ]
                    total += extended(plane, place, border) * w[(k, c, *j)]
            result[(b, k, *i)] = total + bias[k]
    return result


def deconv_by_loops(x, w, bias, out, *, border, padding, stride, dilation, groups):
    result = np.zeros(out)
    per_group = len(w) // groups
    for b, k1 in np.ndindex(out[:2]):
        g, c = divmod(k1, w.shape[1])
        for i in np.ndindex(out[2:]):
            total = 0.0
            for k2 in range(g * per_group, (g + 1) * per_group):
                for j in np.ndindex(w.shape[2:]):
                    scaled = [
                        divmod(i_ + p - j_ * d, s)
                        for i_, s, j_, d, (p, _) in zip(
                            i, stride, j, dilation, padding, strict=True
                        )
                    ]
                    if all(rest == 0 for _, rest in scaled):
                        place = [index for index, _ in scaled]
                        total += extended(x[b, k2], place, border) * w[(k2, c, *j)]
            result[(b, k1, *i)] = total + bias[k1]
    return result


def explicit(padding, extents, size, stride, dilation):
    """The padding of 4.3, where none is given."""
    if padding:
        return padding
    result = []
    for X, f, s, d in zip(extents, size, stride, dilation, strict=True):
        total = max((math.ceil(X / s) - 1) * s + (f - 1) * d + 1 - X, 0)
        result.append((math.floor(total / 2), math.ceil(total / 2)))
    return result


@st.composite
def filters(draw, most=3):
    """Attributes of a convolution over one to three spatial dimensions."""
    rank = draw(st.sampled_from([1, 1, 2, 2, 2, 3]))
    ints = lambda low, high: draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank))  # noqa: E731
    size = ints(1, 3)
    stride = draw(st.sampled_from([[], ints(1, 3)]))
    dilation = draw(st.sampled_from([[], ints(1, 2)]))
    span = [(f - 1) * d + 1 for f, d in zip(size, dilation or [1] * rank, strict=True)]
    padding = draw(st.sampled_from([[], list(zip(ints(-1, most), ints(-1, most), strict=True))]))
    groups, inner, outer = (draw(st.integers(1, 3)), *draw(st.tuples(*[st.integers(1, 2)] * 2)))
    extents = ints(1, 6 if rank < 3 else 3)
    least = [f - sum(pair) for f, pair in zip(span, padding or [(f, f) for f in span], strict=True)]
    extents = [max(x, n, 1) for x, n in zip(extents, least, strict=True)]
    depthwise = inner == 1 and draw(st.booleans())
    attribs = {
        "border": draw(st.sampled_from(BORDERS)),
        "padding": padding,
        "stride": stride,
        "dilation": dilation,
    }
    seed = draw(st.integers(0, 2**16))
    return groups, inner, outer, extents, size, depthwise, attribs, np.random.default_rng(seed)


@given(filters())
@settings(max_examples=150, deadline=None)
def test_conv_is_the_formula(drawn):
    groups, inner, outer, extents, size, depthwise, attribs, random = drawn
    x = random.standard_normal((2, groups * inner, *extents))
    w = random.standard_normal((groups * outer, inner, *size))
    bias = random.standard_normal((1, len(w)))
    attribs = {**attribs, "groups": 0 if depthwise else groups}
    result = KERNELS["conv"](x, w, bias, **attribs)
    assert SHAPE_RULES["conv"](x.shape, w.shape, bias.shape, **attribs) == result.shape

    ones = [1] * len(size)
    filled = {
        "border": attribs["border"],
        "stride": attribs["stride"] or ones,
        "dilation": attribs["dilation"] or ones,
        "groups": groups,
    }
    padding = explicit(attribs["padding"], extents, size, filled["stride"], filled["dilation"])
    shape = [2, len(w)]
    for X, f, (p, q), s, d in zip(
        extents, size, padding, filled["stride"], filled["dilation"], strict=True
    ):
        shape.append((p + X + q - ((f - 1) * d + 1)) // s + 1)
    expected = conv_by_loops(x, w, bias[0], tuple(shape), padding=padding, **filled)
    assert_allclose(result, expected, atol=1e-12)


@given(filters(), st.data())
@settings(max_examples=150, deadline=None)
def test_deconv_is_the_formula(drawn, data):
    groups, inner, outer, extents, size, depthwise, attribs, random = drawn
    ones = [1] * len(size)
    stride, dilation = attribs["stride"] or ones, attribs["dilation"] or ones
    pairs = attribs["padding"] or [(0, 0)] * len(size)
    least = []
    for x, f, (p, q), s, d in zip(extents, size, pairs, stride, dilation, strict=True):
        if attribs["padding"]:
            least.append((x - 1) * s + (f - 1) * d + 1 - p - q)
        else:
            least.append((x - 1) * s + 1)
    default = least if attribs["padding"] else [x * s for x, s in zip(extents, stride, strict=True)]
    shaped = data.draw(st.booleans()) or min(default) < 1
    if shaped:
        highest = [n + s - 1 for n, s in zip(least, stride, strict=True)]
        if min(highest) < 1:
            return
        wanted = [data.draw(st.integers(max(n, 1), m)) for n, m in zip(least, highest, strict=True)]
    x = random.standard_normal((2, groups * outer, *extents))
    w = random.standard_normal((groups * outer, inner, *size))
    out = (2, groups * inner, *(wanted if shaped else default))
    bias = random.standard_normal((1, out[1]))
    zero = depthwise and (outer == 1 or shaped)
    attribs = {
        **attribs,
        "groups": 0 if zero else groups,
        "output_shape": list(out) if shaped else [],
    }
    result = KERNELS["deconv"](x, w, bias, **attribs)
    assert SHAPE_RULES["deconv"](x.shape, w.shape, bias.shape, **attribs) == result.shape == out

    padding = explicit(attribs["padding"], out[2:], size, stride, dilation)
    expected = deconv_by_loops(
        x,
        w,
        bias[0],
        out,
        border=attribs["border"],
        padding=padding,
        stride=stride,
        dilation=dilation,
        groups=groups,
    )
    assert_allclose(result, expected, atol=1e-12)


def attributes(rank, **given):
    return {
        "border": "constant",
        "padding": [(0, 0)] * rank,
        "stride": [],
        "dilation": [],
        "groups": 1,
        **given,
    }


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2, 8])
def test_conv_and_deconv_agree_with_torch(rank, groups):
    random = np.random.default_rng(rank)
    extents = (40, 23, 9)[:rank]
    size, stride, dilation = (5, 3, 2)[:rank], (2, 1, 3)[:rank], (1, 2, 1)[:rank]
    conv = [torch.conv1d, torch.conv2d, torch.conv3d][rank - 1]
    transposed = [torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d][rank - 1]
    x = random.standard_normal((3, 8, *extents)).astype(np.float32)
    w = random.standard_normal((16, 8 // groups, *size)).astype(np.float32)
    bias = random.standard_normal((1, 16)).astype(np.float32)
    attribs = attributes(
        rank,
        padding=[(1, 1)] * rank,
        stride=list(stride),
        dilation=list(dilation),
        groups=groups,
    )
    tensors = torch.from_numpy(x), torch.from_numpy(w), torch.from_numpy(bias[0])
    options = {"stride": stride, "dilation": dilation, "padding": (1,) * rank, "groups": groups}
    y = KERNELS["conv"](x, w, bias, **attribs)
    assert y.dtype == np.float32
    assert_allclose(y, conv(*tensors, **options).numpy(), atol=1e-4)

    back = KERNELS["deconv"](y, w, np.float32(0) * ZERO, **attribs, output_shape=[])
    expected = transposed(torch.from_numpy(y), tensors[1], **options)
    assert_allclose(back, expected.numpy(), atol=2e-3)


def onnx_conv(x, w, bias, **attributes):
    node = onnx.helper.make_node("Conv", ["x", "w", "b"], ["y"], **attributes)
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node],
        "conv",
        [value(name, 1, array.shape) for name, array in zip("xwb", (x, w, bias), strict=True)],
        [value("y", 1, None)],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=9)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"x": x, "w": w, "b": bias})[0]


@pytest.mark.parametrize(
    ("channels", "extent", "size", "stride", "results", "groups"),
    [
        (3, 64, 3, 2, 32, 1),
        (32, 57, 3, 1, 32, 32),
        (24, 56, 5, 2, 24, 24),
        (24, 7, 5, 1, 48, 24),
        (16, 17, 1, 2, 24, 1),
        (16, 28, 3, 1, 32, 4),
    ],
)
def test_automatic_padding_is_that_of_same_upper(channels, extent, size, stride, results, groups):
    random = np.random.default_rng(extent)
    x = random.standard_normal((1, channels, extent, extent)).astype(np.float32)
    w = random.standard_normal((results, channels // groups, size, size)).astype(np.float32)
    bias = random.standard_normal((1, results)).astype(np.float32)
    attribs = attributes(2, padding=[], stride=[stride] * 2, groups=groups)
    expected = onnx_conv(x, w, bias[0], auto_pad="SAME_UPPER", strides=[stride] * 2, group=groups)
    assert_allclose(KERNELS["conv"](x, w, bias, **attribs), expected, atol=1e-4)


@pytest.mark.parametrize("bytes_", [1, 3000])
@pytest.mark.parametrize("groups", [1, 3, 6])
def test_blocks_of_any_size_give_the_same(monkeypatch, bytes_, groups):
    random = np.random.default_rng(0)
    x = random.standard_normal((2, 6, 9, 21))
    w = random.standard_normal((12, 6 // groups, 3, 3))
    bias = random.standard_normal((1, 12))
    attribs = attributes(2, padding=[], stride=[2, 1], groups=groups)
    y = KERNELS["conv"](x, w, bias, **attribs)
    back = KERNELS["deconv"](y, w, ZERO, **attribs, output_shape=[*x.shape])
    for module, name in [
        (correlation, "COLUMNS_BYTES"),
        (depthwise, "BLOCK_BYTES"),
        (reverse_correlation, "PRODUCTS_BYTES"),
    ]:
        monkeypatch.setattr(module, name, bytes_)
    assert_allclose(KERNELS["conv"](x, w, bias, **attribs), y, atol=1e-12)
    again = KERNELS["deconv"](y, w, ZERO, **attribs, output_shape=[*x.shape])
    assert_allclose(again, back, atol=1e-12)


@pytest.mark.parametrize("value", [np.inf, np.nan])
@pytest.mark.parametrize("groups", [1, 4])
def test_what_is_not_finite_stays_within_the_windows_that_see_it(value, groups):
    x = np.ones((1, 4, 6, 40), np.float32)
    x[0, 2, 3, 20] = value
    w = np.ones((4, 4 // groups, 3, 3), np.float32)
    y = KERNELS["conv"](x, w, ZERO, **attributes(2, padding=[], groups=groups))
    touched = np.zeros(y.shape, bool)
    touched[:, 2 if groups == 4 else slice(None), 2:5, 19:22] = True
    assert_array_equal(~np.isfinite(y), touched)


def test_half_precision_is_summed_up_in_single_precision():
    x = np.full((1, 4000, 1, 1), 0.5, np.float16)
    w = np.ones((1, 4000, 1, 1), np.float16)
    y = KERNELS["conv"](x, w, np.zeros((), np.float16), **attributes(2))
    assert y.dtype == np.float16
    assert y.item() == 2000
    back = KERNELS["deconv"](
        np.ones((1, 4000, 1, 1), np.float16),
        w.reshape(4000, 1, 1, 1) / np.float16(2),
        np.zeros((), np.float16),
        **attributes(2),
        output_shape=[],
    )
    assert (back.dtype, back.item()) == (np.float16, 2000)


@pytest.mark.parametrize("bias", [2.0, [2.0], [[2.0]], [[[[2.0]]]], [[2.0, 2.0, 2.0]]])
def test_a_bias_is_one_number_or_one_for_each_channel(bias):
    bias = np.array(bias)
    x, w = np.ones((1, 2, 4, 4)), np.ones((3, 2, 2, 2))
    attribs = attributes(2)
    assert SHAPE_RULES["conv"](x.shape, w.shape, bias.shape, **attribs) == (1, 3, 3, 3)
    assert_array_equal(KERNELS["conv"](x, w, bias, **attribs), np.full((1, 3, 3, 3), 10.0))


def test_without_spatial_dimensions_it_is_a_matrix_product():
    random = np.random.default_rng(0)
    x, w = random.standard_normal((3, 4)), random.standard_normal((6, 4))
    attribs = attributes(0)
    assert SHAPE_RULES["conv"](x.shape, w.shape, (), **attribs) == (3, 6)
    y = KERNELS["conv"](x, w, ZERO, **attribs)
    assert_allclose(y, x @ w.T, atol=1e-12)
    attribs["output_shape"] = []
    assert SHAPE_RULES["deconv"](y.shape, w.shape, (), **attribs) == (3, 4)
    assert_allclose(KERNELS["deconv"](y, w, ZERO, **attribs), y @ w, atol=1e-12)


def test_inputs_are_left_as_they_are():
    random = np.random.default_rng(0)
    arrays = [random.standard_normal(shape) for shape in [(1, 4, 5, 5), (4, 1, 1, 1), (1, 4)]]
    kept = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    KERNELS["conv"](*arrays, **attributes(2, groups=0))
    KERNELS["deconv"](*arrays, **attributes(2, groups=0), output_shape=[])
    for array, before in zip(arrays, kept, strict=True):
        assert_array_equal(array, before)


def test_inputs_may_have_any_strides():
    random = np.random.default_rng(0)
    x = random.standard_normal((2, 9, 9, 6)).transpose(0, 3, 1, 2)
    for groups, size in itertools.product([1, 6], [1, 3]):
        w = random.standard_normal((size, size, 6 // groups, 6)).transpose(3, 2, 0, 1)
        for name, more in [("conv", {}), ("deconv", {"output_shape": []})]:
            attribs = {**attributes(2, groups=groups), **more}
            expected = KERNELS[name](x.copy(), w.copy(), ZERO, **attribs)
            assert_allclose(KERNELS[name](x, w, ZERO, **attribs), expected, atol=1e-12)
