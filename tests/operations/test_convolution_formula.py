"""Convolutions agree with the formulas of 4.3.1 and with other implementations."""

import itertools

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

import nnefkit as nk
from nnefkit.operations import KERNELS, SHAPE_RULES, correlation, reverse_correlation
from nnefkit.operations import depthwise_correlation as depthwise

ZERO = np.zeros((), np.float64)


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
def test_blocks_of_any_size_have_the_same_result(monkeypatch, bytes_, groups):
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
def test_non_finite_values_remain_within_the_windows_that_contain_them(value, groups):
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


@pytest.mark.parametrize("engine", ["numpy", "onnxruntime", "torch"])
@pytest.mark.parametrize(("stride", "dilation"), [(2**62, 1), (1, 2**62), (2**62, 2**62)])
def test_strides_beyond_the_input_select_the_first_window(engine, stride, dilation):
    graph = nk.parse(
        f"""
        version 1.0;
        graph g(x) -> (y)
        {{
            x = external(shape = [1, 2, 11]);
            f = variable(shape = [2, 1, 1], label = 'f');
            y = conv(x, f, stride = [{stride}], dilation = [{dilation}], padding = [(0, 0)],
                     groups = 0);
        }}
        """
    ).with_data({"f": np.full((2, 1, 1), 3.0, np.float32)})
    x = np.arange(22.0).reshape(1, 2, 11)
    expected = 3 * (x[:, :, :1] if stride > 1 else x)
    assert_array_equal(nk.run(graph, x, engine)["y"], expected)
