"""Box filters, pools and sampling agree with the formulas of 4.3.2, 4.3.3 and 4.9.3."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn import functional

from nnefkit.errors import ArgumentError
from nnefkit.operations import KERNELS, window_reduction

BORDERS = ["ignore", "constant", "replicate", "reflect", "reflect-even"]


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


def test_minus_infinity_is_a_value_and_not_a_border():
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


def test_large_values_do_not_cancel_small_ones():
    x = np.zeros(64, np.float32)
    x[0], x[40] = 1e30, 1.0
    result = KERNELS["box"](x, **attributes([3]), normalize=False)
    assert_array_equal(result[38:41], [1, 1, 1])


@pytest.mark.parametrize("bytes_", [1, 2000])
def test_blocks_of_any_size_have_the_same_result(monkeypatch, bytes_):
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
