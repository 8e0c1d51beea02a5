"""Up- and down-sampling agree with the formulas of 4.3.4 and with other implementations."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn import functional

from nnefkit.operations import KERNELS

METHODS = ["symmetric", "asymmetric", "aligned"]
BORDERS = ["constant", "replicate", "reflect", "reflect-even"]


def position(i, factor, extent, method):
    """The position in the input of output `i`."""
    if method == "asymmetric":
        return Fraction(i, factor)
    if method == "symmetric":
        return (i - Fraction(factor - 1, 2)) / factor
    return Fraction(i * (extent - 1), extent * factor - 1) if extent > 1 else Fraction(0)


LINE_FILTERS = {
    # The filter and the padding with which a deconvolution of stride 2 upsamples by 2. (Where the
    # illustration in 4.3.4 pads (0,1), its output would be shifted against the formula by one.)
    "symmetric": ([0.25, 0.75, 0.75, 0.25], (1, 1)),
    "asymmetric": ([0.5, 1.0, 0.5], (1, 0)),
}


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("method", LINE_FILTERS)
@pytest.mark.parametrize("rank", [1, 2])
def test_upsampling_by_two_is_a_deconvolution(rank, method, border):
    line, padding = LINE_FILTERS[method]
    kernel = np.array(line) if rank == 1 else np.outer(line, line)
    x = np.random.default_rng(rank).standard_normal((2, 3, *(5, 4)[:rank]))
    expected = KERNELS["deconv"](
        x,
        np.tile(kernel, (3, 1) + (1,) * rank),
        np.zeros(()),
        border=border,
        padding=[padding] * rank,
        stride=[2] * rank,
        dilation=[],
        output_shape=[],
        groups=3,
    )
    attribs = {"factor": [2] * rank, "method": method, "border": border}
    assert_allclose(KERNELS["multilinear_upsample"](x, **attribs), expected, atol=1e-12)


@pytest.mark.parametrize("factor", [2, 3])
def test_upsampling_agrees_with_torch(factor):
    x = np.random.default_rng(factor).standard_normal((2, 3, 5, 6)).astype(np.float32)
    t = torch.from_numpy(x)
    for method, aligned in [("symmetric", False), ("aligned", True)]:
        expected = functional.interpolate(
            t, scale_factor=factor, mode="bilinear", align_corners=aligned
        )
        attribs = {"factor": [factor] * 2, "method": method, "border": "replicate"}
        result = KERNELS["multilinear_upsample"](x, **attribs)
        assert result.dtype == np.float32
        assert_allclose(result, expected.numpy(), atol=1e-5)
    nearest = functional.interpolate(t, scale_factor=factor, mode="nearest")
    assert_array_equal(KERNELS["nearest_upsample"](x, factor=[factor] * 2), nearest.numpy())


@pytest.mark.parametrize("method", METHODS)
def test_non_finite_values_remain_where_their_weight_is_not_zero(method):
    x = np.array([[[1, np.inf, 1, 1]]], np.float32)
    attribs = {"factor": [2], "method": method, "border": "replicate"}
    result = KERNELS["multilinear_upsample"](x, **attribs)
    expected = np.array([abs(position(i, 2, 4, method) - 1) < 1 for i in range(8)])
    assert_array_equal(~np.isfinite(result[0, 0]), expected)
    assert not np.isnan(result).any()


def test_half_precision_is_averaged_in_single_precision():
    x = np.full((1, 1, 4096), 0.1, np.float16)
    result = KERNELS["area_downsample"](x, factor=[4096])
    assert (result.dtype, result.item()) == (np.float16, x[0, 0, 0])


def test_results_never_share_memory_with_the_input():
    x = np.ones((1, 2, 3, 3), np.float32)
    for name in ("nearest_upsample", "nearest_downsample", "area_downsample"):
        assert not np.shares_memory(KERNELS[name](x, factor=[1, 1]), x), name
    attribs = {"factor": [1, 1], "method": "symmetric", "border": "replicate"}
    assert not np.shares_memory(KERNELS["multilinear_upsample"](x, **attribs), x)
