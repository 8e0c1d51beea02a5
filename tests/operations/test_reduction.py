"""Reduce operations (4.4) and moments (4.9.6) against plain loops and PyTorch."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nnefkit.operations import call


def attributes(name, axes):
    return {"axes": axes, "normalize": False} if name == "sum_reduce" else {"axes": axes}


@st.composite
def arrays_and_axes(draw):
    shape = draw(st.lists(st.integers(1, 3), max_size=5))
    axes = draw(st.permutations(range(len(shape))))[: draw(st.integers(0, len(shape)))]
    values = draw(
        st.lists(st.integers(-3, 3), min_size=math.prod(shape), max_size=math.prod(shape))
    )
    return np.array(values, np.float32).reshape(shape), axes


@given(arrays_and_axes())
def test_positions_over_several_axes_identify_the_element(drawn):
    array, axes = drawn
    (position,) = call("argmax_reduce", [array], {"axes": axes})
    assert position.dtype == np.int64
    for index in np.ndindex(*position.shape):
        within = np.unravel_index(
            position[index], [x if k in axes else 1 for k, x in enumerate(array.shape)]
        )
        at = tuple(i + j for i, j in zip(index, within, strict=True))
        block = tuple(slice(None) if k in axes else i for k, i in enumerate(index))
        assert array[at] == array[block].max()


def test_the_first_of_equal_elements_is_the_position():
    x = np.array([[1.0, 3.0, 3.0], [3.0, 0.0, 3.0]])
    assert call("argmax_reduce", [x], {"axes": [1]})[0].tolist() == [[1], [0]]
    assert call("argmax_reduce", [x], {"axes": [0, 1]})[0].tolist() == [[1]]


def test_no_axes_reduce_nothing():
    x = np.array([[1.0, -2.0]], np.float32)
    for name in ("sum_reduce", "mean_reduce", "max_reduce", "min_reduce"):
        np.testing.assert_array_equal(call(name, [x], attributes(name, []))[0], x)
    assert call("argmax_reduce", [x], {"axes": []})[0].tolist() == [[0, 0]]


def test_normalize_divides_by_the_volume_of_the_axes():
    x = np.arange(24.0).reshape(2, 3, 4)
    (result,) = call("sum_reduce", [x], {"axes": [0, 2], "normalize": True})
    np.testing.assert_array_equal(result, x.mean((0, 2), keepdims=True))
    np.testing.assert_array_equal(result, call("mean_reduce", [x], {"axes": [2, 0]})[0])


def test_an_empty_volume_sums_to_zero():
    (result,) = call("sum_reduce", [np.ones((2, 0))], {"axes": [1], "normalize": False})
    assert result.tolist() == [[0.0], [0.0]]


def test_float16_is_summed_with_more_digits_and_rounded_once():
    x = np.full((1, 5000), 0.1, np.float16)
    (total,) = call("sum_reduce", [x], {"axes": [1], "normalize": False})
    assert total.dtype == np.float16
    assert total[0, 0] == np.float16(5000 * float(x[0, 0]))
    (mean,) = call("mean_reduce", [np.full((1, 100), 60000, np.float16)], {"axes": [1]})
    assert mean[0, 0] == np.float16(60000)
    (over,) = call("sum_reduce", [np.full(100, 60000, np.float16)], attributes("sum_reduce", [0]))
    assert over[0] == math.inf


@pytest.mark.parametrize("axes", [[0], [1], [0, 1]])
def test_long_sums_keep_their_digits_along_any_axis(axes):
    shape = [4, 4]
    for axis in axes:
        shape[axis] = 1_000_000 if len(axes) == 1 else 1000
    x = np.full(shape, 0.1, np.float32)
    (total,) = call("sum_reduce", [x], attributes("sum_reduce", axes))
    volume = np.prod([shape[axis] for axis in axes])
    np.testing.assert_allclose(total, volume * float(np.float32(0.1)), 1e-6)


def test_maxima_of_windows_with_nan_are_nan():
    x = np.array([[1.0, math.nan], [2.0, 3.0]])
    np.testing.assert_array_equal(call("max_reduce", [x], {"axes": [1]})[0], [[math.nan], [3.0]])
    np.testing.assert_array_equal(call("min_reduce", [x], {"axes": [1]})[0], [[math.nan], [2.0]])
    assert call("argmax_reduce", [x], {"axes": [1]})[0].tolist() == [[1], [1]]


@pytest.mark.parametrize("axes", [[0], [1], [0, 2], [1, 2, 3], []])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_moments_agree_with_pytorch(axes, dtype):
    x = np.random.default_rng(2).normal(3, 2, (2, 3, 4, 5)).astype(dtype)
    mean, variance = call("moments", [x], {"axes": axes})
    if axes:
        expected = torch.var_mean(torch.from_numpy(x).double(), axes, correction=0, keepdim=True)
    else:
        expected = torch.zeros(x.shape), torch.from_numpy(x)
    tolerance = 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(mean, expected[1], tolerance)
    np.testing.assert_allclose(variance, expected[0], tolerance, tolerance)
    assert mean.dtype == variance.dtype == dtype
