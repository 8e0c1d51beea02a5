"""Activation functions (4.9.1) against PyTorch and against their definitions."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from nnefkit.operations import call
from nnefkit.operations.normal_distribution import normal_cdf

NAN, INF = math.nan, math.inf
SELU = {"alpha": 1.67326319, "lambda": 1.05070102}


def run(name, *inputs, **attribs):
    return call(name, inputs, attribs)[0]


TORCH = {
    "sigmoid": ({}, torch.sigmoid),
    "relu": ({}, functional.relu),
    "leaky_relu": ({"alpha": 0.1}, lambda x: functional.leaky_relu(x, 0.1)),
    "elu": ({"alpha": 0.7}, lambda x: functional.elu(x, 0.7)),
    "selu": (SELU, functional.selu),
    "gelu": ({}, functional.gelu),
    "silu": ({}, functional.silu),
    "softplus": ({}, lambda x: functional.softplus(x, threshold=1000)),
    "softmax": ({"axes": [1]}, lambda x: functional.softmax(x, 1)),
}


@pytest.mark.parametrize("name", TORCH)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(2, 5, 7), (2, 300, 200)])
def test_activations_agree_with_pytorch(name, dtype, shape):
    attribs, function = TORCH[name]
    x = np.random.default_rng(3).normal(0, 3, shape).astype(dtype)
    result = run(name, x, **attribs)
    # The specification gives selu a lambda that differs in the eighth digit.
    tolerance = max(4 * np.finfo(dtype).eps, 1e-7 if name == "selu" else 0)
    expected = function(torch.from_numpy(x).double())
    assert result.dtype == dtype
    assert result.shape == shape
    np.testing.assert_allclose(result, expected, tolerance, tolerance)


@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        ("sigmoid", -1000.0, 0.0),
        ("sigmoid", 1000.0, 1.0),
        ("sigmoid", -INF, 0.0),
        ("sigmoid", INF, 1.0),
        ("sigmoid", NAN, NAN),
        ("relu", NAN, 0.0),
        ("relu", -INF, 0.0),
        ("relu", INF, INF),
        ("relu", -0.0, 0.0),
        ("leaky_relu", -INF, -INF),
        ("leaky_relu", INF, INF),
        ("leaky_relu", NAN, NAN),
        ("elu", -1000.0, -0.7),
        ("elu", 1000.0, 1000.0),
        ("elu", INF, INF),
        ("elu", -1e-300, -0.7e-300),
        ("selu", NAN, NAN),
        ("silu", -1000.0, -0.0),
        ("silu", 1000.0, 1000.0),
        ("gelu", 1000.0, 1000.0),
        ("gelu", -1000.0, -0.0),
        ("gelu", INF, INF),
        ("gelu", NAN, NAN),
        ("softplus", 100.0, 100.0),
        ("softplus", 1000.0, 1000.0),
        ("softplus", -1000.0, 0.0),
        ("softplus", INF, INF),
        ("softplus", -INF, 0.0),
        ("softplus", NAN, NAN),
    ],
)
def test_activations_at_their_corners(name, x, expected):
    attribs = TORCH[name][0]
    rank_0 = run(name, np.array(x), **attribs)
    assert isinstance(rank_0, np.ndarray)
    np.testing.assert_allclose(rank_0[()], expected, 1e-15)
    assert np.signbit(rank_0) == np.signbit(expected) or np.isnan(expected)
    np.testing.assert_allclose(run(name, np.full((2, 800), x), **attribs), expected, 1e-15)


def test_attributes_of_elu_and_selu_matter():
    x = np.array([-1.0, 2.0])
    drop = math.expm1(-1)
    np.testing.assert_allclose(run("elu", x, alpha=3.0), [3 * drop, 2])
    selu = run("selu", x, **{"alpha": 3.0, "lambda": 0.5})
    np.testing.assert_allclose(selu, [1.5 * drop, 1])


def test_gelu_is_exact_and_not_an_approximation():
    x = np.linspace(-6, 6, 1001)
    exact = [v * math.erfc(-v / math.sqrt(2)) / 2 for v in x]
    np.testing.assert_allclose(run("gelu", x), exact, 1e-14, 1e-300)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 2e-15), (np.float32, 3e-6)])
def test_the_normal_distribution_is_right_far_down_its_tail(dtype, tolerance):
    x = np.linspace(-9, 9, 4001).astype(dtype)
    expected = [math.erfc(-float(v) / math.sqrt(2)) / 2 for v in x]
    # erfc itself rounds its argument: at -9, that makes 81 units in the last place.
    slack = 1 + np.square(x) / 16
    assert (np.abs(normal_cdf(x) - expected) <= tolerance * slack * expected).all()


def test_softmax_normalizes_over_all_axes_at_once():
    x = np.random.default_rng(4).normal(0, 5, (2, 3, 4, 5)).astype(np.float32)
    result = run("softmax", x, axes=[1, 3])
    flat = torch.from_numpy(x).permute(0, 2, 1, 3).reshape(2, 4, 15)
    expected = functional.softmax(flat, -1).reshape(2, 4, 3, 5).permute(0, 2, 1, 3)
    np.testing.assert_allclose(result, expected, 1e-5, 1e-7)
    np.testing.assert_allclose(result.sum((1, 3)), 1, 1e-6)


def test_softmax_does_not_overflow_and_over_no_axes_is_one():
    assert run("softmax", np.array([[1000.0, 1000.0]]), axes=[1]).tolist() == [[0.5, 0.5]]
    assert run("softmax", np.array([[1000.0, -3.0]]), axes=[]).tolist() == [[1.0, 1.0]]
    assert run("softmax", np.array(7.0), axes=[]).tolist() == 1.0


def test_prelu_has_a_slope_for_each_channel():
    x = np.random.default_rng(5).normal(0, 1, (2, 3, 4, 5)).astype(np.float32)
    alpha = np.array([[0.1, -0.2, 3.0]], np.float32)
    expected = functional.prelu(torch.from_numpy(x), torch.from_numpy(alpha[0]))
    np.testing.assert_array_equal(run("prelu", x, alpha), expected)


def test_an_infinite_slope_does_not_affect_values_above_zero():
    result = run("prelu", np.array([-1.0, 0.0, 2.0]), np.array([INF, INF, NAN]))
    assert result.tolist() == [-INF, 0.0, 2.0]
