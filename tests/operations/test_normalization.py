"""Normalization over axes and batches (4.9.4), and miscellaneous operations (4.9.6)."""

import math

import numpy as np
import pytest
import torch

from nnefkit.operations import call

X = np.random.default_rng(6).normal(2, 3, (2, 3, 4, 5))


def run(name, *inputs, **attribs):
    return call(name, inputs, attribs)[0]


@pytest.mark.parametrize(("name", "order"), [("l1_normalization", 1), ("l2_normalization", 2)])
@pytest.mark.parametrize("axes", [[1], [3, 1], [0, 1, 2, 3], []])
@pytest.mark.parametrize(("bias", "epsilon"), [(0.0, 1e-12), (0.5, 0.0), (0.0, 1e3)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_norms_agree_with_pytorch(name, order, axes, bias, epsilon, dtype):
    x = X.astype(dtype)
    double = torch.from_numpy(x).double()
    norm = double.norm(order, axes, keepdim=True) if axes else double.abs()
    result = run(name, x, axes=axes, bias=bias, epsilon=epsilon)
    tolerance = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(result, double / (norm + bias).clamp_min(epsilon), tolerance)
    assert result.dtype == dtype


def test_zeros_stay_zeros_where_epsilon_is_positive():
    zeros = np.zeros((1, 3))
    assert run("l2_normalization", zeros, axes=[1], bias=0.0, epsilon=1e-5).tolist() == [[0, 0, 0]]
    assert np.isnan(run("l2_normalization", zeros, axes=[1], bias=0.0, epsilon=0.0)).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_batch_normalization_agrees_with_pytorch(dtype):
    rng = np.random.default_rng(7)
    x = X.astype(dtype)
    mean, offset, scale = (rng.normal(size=(1, 3)).astype(dtype) for _ in range(3))
    variance = rng.uniform(0.1, 2, (1, 3)).astype(dtype)
    result = run("batch_normalization", x, mean, variance, offset, scale, epsilon=1e-3)
    double = [torch.from_numpy(a).double() for a in (x, mean[0], variance[0], scale[0], offset[0])]
    expected = torch.nn.functional.batch_norm(*double, eps=1e-3)
    tolerance = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(result, expected, tolerance, tolerance)
    assert result.dtype == dtype


def test_batch_normalization_takes_literals_and_other_ranks():
    x = X[:, :, 0, 0].astype(np.float32)
    result = run("batch_normalization", x, 0.0, 1.0, 0.5, 2.0, epsilon=0.0)
    np.testing.assert_allclose(result, 2 * x + 0.5, 1e-6)
    assert result.dtype == np.float32


def test_a_large_mean_does_not_drown_the_values():
    x = np.array([[10000.001], [10000.002]], np.float32)
    mean, variance = np.array([[10000.0]], np.float32), np.array([[1e-6]], np.float32)
    result = run("batch_normalization", x, mean, variance, 0.0, 1.0, epsilon=0.0)
    expected = (x.astype(np.float64) - 10000) / math.sqrt(1e-6)
    np.testing.assert_allclose(result, expected, 1e-6)


def test_copy_n_repeats_and_add_n_adds_from_the_right():
    copies = call("copy_n", [X], {"times": 3})
    assert len(copies) == 3
    assert all(np.array_equal(copy, X) for copy in copies)
    assert call("copy_n", [X], {"times": 0}) == ()
    big, small = np.float32([1e8]), np.float32([3.0])
    parts = [big, small, small]
    assert (
        run("add_n", parts)[0] == big[0] + (small[0] + small[0]) != (big[0] + small[0]) + small[0]
    )
    assert run("add_n", []).tolist() == 0.0
    assert run("add_n", [np.ones((2, 3)), np.array([1.0, 2.0]), 0.5]).tolist() == [
        [2.5] * 3,
        [3.5] * 3,
    ]
