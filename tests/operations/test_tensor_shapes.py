"""Tensor shape operations (4.5) against index loops from their formulas, and against PyTorch."""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from nnefkit.errors import ArgumentError, ExecutionError
from nnefkit.operations import call
from nnefkit.operations.registry import SHAPE_RULES

SHAPES = st.lists(st.integers(1, 4), max_size=5).map(tuple)


def counting(shape, dtype=np.float32):
    return np.arange(math.prod(shape)).reshape(shape).astype(dtype)


def run(name, *inputs, **attribs):
    results = call(name, inputs, attribs)
    return results[0] if len(results) == 1 else list(results)


# -- reshape and similar --------------------------------------------------------------------------


@given(st.data())
def test_reshaping_keeps_the_row_major_order(data):
    x = counting(data.draw(SHAPES))
    start = data.draw(st.integers(0, x.ndim))
    count = data.draw(st.integers(-1, x.ndim - start))
    end = x.ndim if count == -1 else start + count
    volume = math.prod(x.shape[start:end])
    first = data.draw(st.sampled_from([k for k in range(1, volume + 1) if volume % k == 0]))
    shape = data.draw(st.sampled_from([[first, volume // first], [-1, first], [1, volume, 1]]))
    result = run("reshape", x, shape=shape, axis_start=start, axis_count=count)
    inner = [volume // first if k == -1 else k for k in shape]
    assert result.shape == (*x.shape[:start], *inner, *x.shape[end:])
    assert result.ravel().tolist() == x.ravel().tolist()


def test_zero_copies_the_extent_at_the_same_place_of_the_range():
    x = counting((2, 3, 4, 5))
    assert run("reshape", x, shape=[0, -1], axis_start=0, axis_count=-1).shape == (2, 60)
    assert run("reshape", x, shape=[0, -1], axis_start=1, axis_count=3).shape == (2, 3, 20)
    assert run("reshape", x, shape=[6, 2, 0], axis_start=1, axis_count=3).shape == (2, 6, 2, 5)


@given(st.data())
def test_squeeze_undoes_unsqueeze(data):
    x = counting(data.draw(SHAPES))
    rank = x.ndim + data.draw(st.integers(0, 3))
    axes = data.draw(st.permutations(range(rank)))[: rank - x.ndim]
    wide = run("unsqueeze", x, axes=axes)
    assert wide.shape == np.expand_dims(x, tuple(axes)).shape
    np.testing.assert_array_equal(run("squeeze", wide, axes=axes), x)


@given(st.data())
def test_transposing_moves_elements_as_the_formula_says(data):
    x = counting(data.draw(SHAPES))
    axes = data.draw(st.permutations(range(data.draw(st.integers(0, x.ndim)))))
    result = run("transpose", x, axes=axes)
    for index in np.ndindex(*x.shape):
        at = tuple(index[axis] for axis in axes) + index[len(axes) :]
        assert result[at] == x[index]


# -- split, concat, stack, unstack ----------------------------------------------------------------


@given(st.data())
def test_concat_undoes_split(data):
    shape = data.draw(SHAPES.filter(len))
    axis = data.draw(st.integers(0, len(shape) - 1))
    ratios = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    unit = data.draw(st.integers(1, 3))
    x = counting((*shape[:axis], unit * sum(ratios), *shape[axis + 1 :]))
    parts = call("split", [x], {"axis": axis, "ratios": ratios})
    assert [part.shape[axis] for part in parts] == [unit * ratio for ratio in ratios]
    np.testing.assert_array_equal(run("concat", list(parts), axis=axis), x)
    expected = torch.split(torch.from_numpy(x), [unit * ratio for ratio in ratios], axis)
    for part, other in zip(parts, expected, strict=True):
        np.testing.assert_array_equal(part, other)


@given(st.data())
def test_unstack_undoes_stack(data):
    x = counting(data.draw(SHAPES))
    axis = data.draw(st.integers(0, x.ndim))
    values = [np.asarray(x + k) for k in range(data.draw(st.integers(1, 3)))]
    stacked = run("stack", values, axis=axis)
    np.testing.assert_array_equal(stacked, torch.stack([torch.from_numpy(v) for v in values], axis))
    parts = call("unstack", [stacked], {"axis": axis})
    assert all(isinstance(part, np.ndarray) for part in parts)
    for part, value in zip(parts, values, strict=True):
        np.testing.assert_array_equal(part, value)


def test_literals_can_be_stacked():
    result = run("stack", [1.5, np.float32([2.5])[0, ...]], axis=0)
    assert result.tolist() == [1.5, 2.5]
    assert result.dtype == np.float32


# -- slice ----------------------------------------------------------------------------------------


def sliced_indices(extent, begin, end, stride, reserved):
    """The indices that 4.5.4 names, or None where it allows none."""
    first = begin + extent if begin < 0 else begin
    last = extent if end == 0 and reserved else end + extent if end < 0 else end
    first, last = (max(min(k, extent), -1) for k in (first, last))
    if (stride > 0 and last < first) or (stride < 0 and last > first):
        return None
    indices = []
    while first < last if stride > 0 else first > last:
        indices.append(first)
        first += stride
    return indices if all(0 <= k < extent for k in indices) else None


@given(
    st.integers(1, 6),
    st.integers(-9, 9),
    st.integers(-9, 9),
    st.sampled_from([None, 1, 2, 3, -1, -2, -3]),
)
def test_slices_select_the_elements_that_the_rules_name(extent, begin, end, stride):
    attribs = {
        "axes": [1],
        "begin": [begin],
        "end": [end],
        "stride": [] if stride is None else [stride],
    }
    indices = sliced_indices(extent, begin, end, stride or 1, stride in (None, 1))
    x = counting((2, extent, 3))
    try:
        shape = SHAPE_RULES["slice"](x.shape, **attribs)
    except ArgumentError:
        # An empty slice may also be refused for starting outside of the axis.
        assert not indices
        return
    assert indices is not None
    assert shape == (2, len(indices), 3)
    np.testing.assert_array_equal(run("slice", x, **attribs), x[:, indices])


def test_zero_as_end_means_the_end_only_where_all_strides_are_one():
    x = counting((4, 4))
    both = {"axes": [0, 1], "begin": [1, 1], "end": [0, 4]}
    assert run("slice", x, **both, stride=[1, 1]).shape == (3, 3)
    assert run("slice", x, **both, stride=[]).shape == (3, 3)
    with pytest.raises(ArgumentError, match="must be greater than or equal to"):
        SHAPE_RULES["slice"](x.shape, **both, stride=[1, 2])


# -- pad, tile, gather, cast ----------------------------------------------------------------------


def test_pad_fills_with_its_value():
    x = counting((1, 2))
    result = run("pad", x, padding=[(1, 0), (-1, 2)], border="constant", value=7.5)
    assert result.tolist() == [[7.5, 7.5, 7.5], [1.0, 7.5, 7.5]]
    assert result.dtype == np.float32


@pytest.mark.parametrize(
    ("border", "mode"),
    [("replicate", "edge"), ("reflect", "reflect"), ("reflect-even", "symmetric")],
)
def test_pad_extends_by_its_border(border, mode):
    x = counting((2, 3, 4))
    padding = [(0, 0), (4, 1), (2, 9)]
    result = run("pad", x, padding=padding, border=border, value=0.0)
    np.testing.assert_array_equal(result, np.pad(x, padding, mode))


@given(SHAPES, st.data())
def test_tiles_repeat_as_the_formula_says(shape, data):
    x = counting(shape)
    repeats = [data.draw(st.integers(1, 3)) for _ in shape]
    result = run("tile", x, repeats=repeats)
    assert result.shape == tuple(k * r for k, r in zip(shape, repeats, strict=True))
    for index in np.ndindex(*result.shape):
        assert result[index] == x[tuple(i % k for i, k in zip(index, shape, strict=True))]


@given(st.data(), st.sampled_from([np.int64, np.int32, np.uint8, np.uint64]))
def test_gathering_reads_through_the_indices(data, dtype):
    x = counting(data.draw(SHAPES.filter(len)))
    axis = data.draw(st.integers(0, x.ndim - 1))
    shape = data.draw(st.lists(st.integers(0, 3), max_size=2).map(tuple))
    drawn = st.integers(0, x.shape[axis] - 1)
    indices = np.array([data.draw(drawn) for _ in range(math.prod(shape))], dtype).reshape(shape)
    result = run("gather", x, indices, axis=axis)
    assert result.shape == (*x.shape[:axis], *shape, *x.shape[axis + 1 :])
    for index in np.ndindex(*result.shape):
        at = indices[index[axis : axis + len(shape)]]
        assert result[index] == x[(*index[:axis], at, *index[axis + len(shape) :])]


@pytest.mark.parametrize("index", [-1, 3])
def test_gathering_outside_is_refused(index):
    with pytest.raises(ExecutionError, match=f"has {index}, but axis 1 .* has 3 elements"):
        call("gather", [counting((2, 3)), np.array([0, index])], {"axis": 1})


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([-2.5, 2.5, -0.0, 3.0], "integer", [-3, 2, 0, 3]),
        ([math.inf, -math.inf, math.nan, 1e30], "integer", [2**63 - 1, -(2**63), 0, 2**63 - 1]),
        ([True, False], "integer", [1, 0]),
        ([0.0, -0.0, 0.5, math.nan], "logical", [False, False, True, True]),
        ([0, 7], "logical", [False, True]),
        ([True, False], "scalar", [1.0, 0.0]),
        ([3, -4], "scalar", [3.0, -4.0]),
    ],
)
def test_casts_follow_the_built_in_functions(values, dtype, expected):
    (result,) = call("cast", [np.array(values)], {}, dtype)
    assert result.tolist() == expected
    assert result.dtype == {"integer": np.int64, "logical": bool, "scalar": np.float32}[dtype]


def test_a_scalar_cast_to_scalar_keeps_its_width():
    for width in (np.float16, np.float64):
        assert call("cast", [np.ones(2, width)], {}, "scalar")[0].dtype == width


def test_strings_are_not_cast():
    with pytest.raises(ExecutionError, match="strings"):
        call("cast", [np.ones(2)], {}, "string")
    with pytest.raises(ExecutionError, match="strings"):
        call("cast", [np.array(["1"])], {}, "scalar")


@given(SHAPES, st.sampled_from([np.float16, np.float64, np.int32, np.bool_]))
def test_any_dtype_passes_through_unchanged(shape, dtype):
    assume(len(shape) > 0)
    x = counting(shape, dtype)
    whole = {"axes": [0], "begin": [0], "end": [shape[0]], "stride": [1]}
    for name, attribs in [
        ("copy", {}),
        ("transpose", {"axes": list(range(len(shape)))}),
        ("slice", whole),
        ("tile", {"repeats": [1] * len(shape)}),
    ]:
        result = run(name, x, **attribs)
        assert result.dtype == dtype
        np.testing.assert_array_equal(result, x)
