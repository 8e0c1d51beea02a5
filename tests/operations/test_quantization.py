"""Quantization operations (4.9.5) against the definitions, by elements, in Python's numbers."""

import math

import numpy as np
import pytest
import torch

from nnefkit.operations import call

X = np.random.default_rng(8).normal(0, 2, (2, 3, 40))


def run(name, *inputs, **attribs):
    return call(name, inputs, attribs)[0]


def clamp(x, a, b):
    low = x if x < b else b
    return low if low > a else a


def round_half_up(x):
    return math.floor(x + 0.5)


def min_max(x, low, high, bits, signed, symmetric):
    r = 2**bits - 1 - int(signed and symmetric)
    p = 2 ** (bits - 1) - int(symmetric) if signed else 0
    q = round_half_up((clamp(x, low, high) - low) / (high - low) * r) - p
    return (q + p) / r * (high - low) + low


def zero_point_(x, zero_point, scale, bits, signed, symmetric):
    s = round_half_up(x / scale) + zero_point
    r = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
    q = clamp(s, 0 if not signed else -r if symmetric else -r - 1, r)
    return (q - zero_point) * scale


def logarithmic(x, high, bits):
    m = math.ceil(math.log2(high))
    q = round_half_up(clamp(math.log2(abs(x)) if x else -math.inf, m - (2**bits - 1), m))
    return math.copysign(2.0**q, x) if x else 0.0


FLAGS = [(False, False), (True, False), (True, True), (False, True)]


@pytest.mark.parametrize(("signed", "symmetric"), FLAGS)
@pytest.mark.parametrize("bits", [2, 3, 8, 16])
def test_min_max_quantization_computes_its_definition(bits, signed, symmetric):
    attribs = {"bits": bits, "signed": signed, "symmetric": symmetric}
    result = run("min_max_linear_quantize", X, -1.5, 2.25, **attribs)
    expected = [min_max(x, -1.5, 2.25, **attribs) for x in X.flat]
    np.testing.assert_allclose(result.ravel(), expected, 1e-12, 1e-14)
    if not signed and not symmetric:
        same = run("linear_quantize", X, -1.5, 2.25, bits=bits)
        np.testing.assert_array_equal(result, same)


@pytest.mark.parametrize(("signed", "symmetric"), FLAGS)
@pytest.mark.parametrize("bits", [1, 3, 8])
def test_zero_point_quantization_computes_its_definition(bits, signed, symmetric):
    attribs = {"bits": bits, "signed": signed, "symmetric": symmetric}
    result = run("zero_point_linear_quantize", X, 3, 0.25, **attribs)
    expected = [zero_point_(x, 3, 0.25, **attribs) for x in X.flat]
    np.testing.assert_allclose(result.ravel(), expected, 1e-12)


def test_zero_point_quantization_agrees_with_pytorch_per_channel():
    x = torch.from_numpy(X.astype(np.float32))
    scale, zero = torch.tensor([0.013, 0.031, 0.02]), torch.tensor([3, -5, 0], dtype=torch.int32)
    expected = torch.fake_quantize_per_channel_affine(x, scale, zero, 1, -128, 127)
    result = run(
        "zero_point_linear_quantize",
        x.numpy(),
        zero.numpy()[None],
        scale.numpy()[None],
        bits=8,
        signed=True,
        symmetric=False,
    )
    assert result.dtype == np.float32
    # Ties are rounded up here and to even there, and one of the two may divide differently.
    close = np.isclose(result, expected, 1e-6, 1e-6)
    assert close.mean() > 0.99
    assert (np.abs(result - expected.numpy()) <= 1.01 * scale.numpy()[:, None]).all()


@pytest.mark.parametrize("bits", [1, 3, 5])
def test_logarithmic_quantization_computes_its_definition(bits):
    x = np.concatenate([X.ravel(), [0.0, -0.0, 1e-30, 1e30, 0.25]])
    result = run("logarithmic_quantize", x, 3.0, bits=bits)
    assert result.tolist() == [logarithmic(float(item), 3.0, bits) for item in x]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_dtype_of_the_input_stays(dtype):
    x = X.astype(dtype)
    flags = {"bits": 8, "signed": True, "symmetric": True}
    for result in (
        run("min_max_linear_quantize", x, -1.0, 1.0, **flags),
        run("zero_point_linear_quantize", x, 0, 0.1, **flags),
        run("zero_point_linear_quantize", x, np.int64([[1, 2, 3]]), dtype([[1, 2, 3]]), **flags),
        run("logarithmic_quantize", x, 4.0, bits=4),
        run("linear_quantize", x, -1.0, 1.0, bits=4),
    ):
        assert result.dtype == dtype
        assert result.shape == x.shape


def test_halves_round_up_and_the_ends_stay():
    x = np.array([-9.0, -1.0, 0.5, 1.5, 2.5, 9.0])
    result = run("linear_quantize", x, 0.0, 3.0, bits=2)
    assert result.tolist() == [0, 0, 1, 2, 3, 3]
