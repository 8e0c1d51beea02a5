"""Border modes (4.3): index mapping and padding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnefkit.operations.borders import BORDERS, border_indices, pad


def source(position: int, extent: int, border: str) -> int:
    """The formulas of 4.3, applied again while they lead outside."""
    while not 0 <= position < extent:
        if border in ("constant", "ignore"):
            return -1
        if border == "replicate":
            position = 0 if position < 0 else extent - 1
        elif extent == 1:
            position = 0
        elif border == "reflect":
            position = -position if position < 0 else extent - 1 - (position - extent + 1)
        else:
            position = -position - 1 if position < 0 else extent - 1 - (position - extent)
    return position


@given(st.integers(1, 6), st.integers(-5, 20), st.integers(-5, 20), st.sampled_from(BORDERS))
def test_each_position_has_the_value_that_the_formula_names(extent, before, after, border):
    expected = [source(i, extent, border) for i in range(-before, extent + after)]
    assert border_indices(extent, before, after, border).tolist() == expected


@given(st.data(), st.sampled_from(BORDERS), st.sampled_from(["f2", "f4", "f8", "i8", "?"]))
def test_padding_reads_through_the_indices(data, border, dtype):
    shape = data.draw(st.lists(st.integers(1, 4), max_size=4))
    padding = [
        (before, data.draw(st.integers(-(extent + before), 5)))
        for extent in shape
        for before in [data.draw(st.integers(-extent, 5))]
    ]
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    result = pad(array, padding, border, 1)
    assert result.dtype == array.dtype
    assert result.shape == tuple(b + x + a for x, (b, a) in zip(shape, padding, strict=True))
    for index in np.ndindex(*result.shape):
        at = [source(i - p[0], x, border) for i, p, x in zip(index, padding, shape, strict=True)]
        expected = 1 if any(i < 0 for i in at) else array[tuple(at)]
        assert result[index] == expected


@pytest.mark.parametrize(
    ("border", "mode"),
    [
        ("constant", "constant"),
        ("replicate", "edge"),
        ("reflect", "reflect"),
        ("reflect-even", "symmetric"),
    ],
)
def test_padding_agrees_with_numpy(border, mode):
    array = np.arange(12.0).reshape(3, 4)
    padding = [(5, 9), (11, 2)]
    np.testing.assert_array_equal(pad(array, padding, border), np.pad(array, padding, mode))


def test_trailing_dimensions_without_padding_stay():
    assert pad(np.ones((2, 3)), [(1, 0)]).shape == (3, 3)
