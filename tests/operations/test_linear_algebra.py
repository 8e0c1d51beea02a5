"""Matrix multiplication (4.7) and linear layers (4.9.2) against NumPy's einsum and PyTorch."""

import itertools

import numpy as np
import pytest
import torch

from nnefkit.operations import call
from nnefkit.operations.registry import COSTS


def random(*shape, dtype=np.float32):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(dtype)


@pytest.mark.parametrize(
    ("transpose_a", "transpose_b"), [*itertools.product([False, True], repeat=2)]
)
@pytest.mark.parametrize(
    ("left", "right"), [((), ()), ((2,), (2,)), ((4, 1), (1, 3)), ((1,), (5,))]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_sum_over_the_inner_extent(transpose_a, transpose_b, left, right, dtype):
    a = random(*left, *((5, 6) if not transpose_a else (6, 5)), dtype=dtype)
    b = random(*right, *((6, 7) if not transpose_b else (7, 6)), dtype=dtype)
    attribs = {"transposeA": transpose_a, "transposeB": transpose_b}
    (result,) = call("matmul", [a, b], attribs)
    pattern = f"...{'lm' if transpose_a else 'ml'},...{'nl' if transpose_b else 'ln'}->...mn"
    np.testing.assert_allclose(result, np.einsum(pattern, a, b), 1e-5, 1e-5)
    assert result.dtype == dtype
    assert COSTS["matmul"]([a.shape, b.shape], [result.shape], attribs) == result.size * 6


def test_float16_products_are_summed_with_more_digits():
    a = np.full((1, 4000), 0.1, np.float16)
    (result,) = call("matmul", [a, a], {"transposeA": False, "transposeB": True})
    assert result.dtype == np.float16
    assert result[0, 0] == np.float16(4000 * float(a[0, 0]) ** 2)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_linear_agrees_with_pytorch(dtype):
    x, weight, bias = (random(*s, dtype=dtype) for s in [(3, 6), (4, 6), (1, 4)])
    (result,) = call("linear", [x, weight, bias], {})
    double = [torch.from_numpy(array).double() for array in (x, weight, bias)]
    expected = torch.nn.functional.linear(double[0], double[1], double[2][0])
    tolerance = 16 * np.finfo(dtype).eps
    np.testing.assert_allclose(result, expected, tolerance, tolerance)
    assert result.dtype == dtype
    assert COSTS["linear"]([x.shape, weight.shape, bias.shape], [(3, 4)], {}) == 72


def test_linear_takes_any_rank_and_a_literal_bias():
    x, weight = random(2, 5, 3, 6), random(1, 1, 4, 6)
    (result,) = call("linear", [x, weight, 0.5], {})
    np.testing.assert_allclose(result, x @ weight[0, 0].T + np.float32(0.5), 1e-5, 1e-5)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(
        call("linear", [x, weight, 0.0], {})[0], np.matmul(x, weight.swapaxes(-1, -2))
    )
