"""Local normalizations are the compounds of 4.9.4."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from nnefkit.operations import KERNELS, SHAPE_RULES


def averages(x, size):
    """The average around each item, the border being zeros, from the formula of `box`."""
    result = np.zeros(x.shape)
    before = [(f - 1) // 2 for f in size]
    for i in np.ndindex(x.shape):
        for j in np.ndindex(*size):
            place = [a + b - p for a, b, p in zip(i, j, before, strict=True)]
            if all(0 <= a < extent for a, extent in zip(place, x.shape, strict=True)):
                result[i] += x[tuple(place)]
    return result / np.prod(size)


@st.composite
def inputs(draw):
    rank = draw(st.integers(1, 4))
    extents = draw(st.lists(st.integers(1, 4), min_size=rank, max_size=rank))
    size = draw(st.lists(st.integers(1, 4), min_size=rank, max_size=rank))
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    return random.uniform(0.5, 2, extents) * random.choice([-1, 1], extents), size


scalars = st.floats(0.1, 2)


@given(inputs(), scalars, scalars, scalars)
@settings(max_examples=100, deadline=None)
def test_normalizations_are_their_compounds(drawn, a, b, c):
    x, size = drawn
    centered = x - averages(x, size)
    expected = {
        "local_response_normalization": x / (c + a * averages(x * x, size)) ** b,
        "local_mean_normalization": centered,
        "local_variance_normalization": x / np.maximum(averages(x * x, size) ** 0.5 + b, c),
        "local_contrast_normalization": centered
        / np.maximum(averages(centered * centered, size) ** 0.5 + b, c),
    }
    attribs = {
        "local_response_normalization": {"alpha": a, "beta": b, "bias": c},
        "local_mean_normalization": {},
        "local_variance_normalization": {"bias": b, "epsilon": c},
        "local_contrast_normalization": {"bias": b, "epsilon": c},
    }
    for name, more in attribs.items():
        result = KERNELS[name](x, size=size, **more)
        assert SHAPE_RULES[name](x.shape, size=size, **more) == result.shape
        assert_allclose(result, expected[name], atol=1e-12, err_msg=name)


@pytest.mark.parametrize("size", [3, 5])
def test_response_normalization_over_channels_agrees_with_torch(size):
    x = np.random.default_rng(size).standard_normal((2, 7, 5, 4)).astype(np.float32)
    expected = torch.nn.functional.local_response_norm(
        torch.from_numpy(x), size, alpha=0.3, beta=0.75, k=1.5
    )
    result = KERNELS["local_response_normalization"](
        x, size=[1, size, 1, 1], alpha=0.3, beta=0.75, bias=1.5
    )
    assert result.dtype == np.float32
    assert_allclose(result, expected.numpy(), atol=1e-6)


def test_nothing_divided_by_nothing_is_a_result():
    x = np.zeros((1, 1, 2, 2), np.float32)
    attribs = {"size": [1, 1, 3, 3], "bias": 0.0, "epsilon": 0.0}
    assert np.isnan(KERNELS["local_variance_normalization"](x, **attribs)).all()
    attribs["epsilon"] = 1e-5
    assert_allclose(KERNELS["local_variance_normalization"](x, **attribs), x)
