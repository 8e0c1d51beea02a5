"""Statistics agree with NumPy for every kind of array, and state how much they examined."""

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nnefkit.display.statistics import BINS, COUNTED, statistics

DTYPES = ["f2", "f4", "f8", "i1", "i4", "i8", "u1", "u8", "?", ">f4"]

arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, max_side=7))
)


@given(arrays)
@settings(max_examples=300, deadline=None)
def test_numbers_are_those_of_the_finite_values(array):
    found = statistics(array)
    wide = array.astype(np.float64)
    finite = wide[np.isfinite(wide)]
    assert found.count == found.examined == array.size
    assert found.zeros == np.count_nonzero(array == 0)
    assert found.nan == np.count_nonzero(np.isnan(wide))
    assert found.infinite == np.count_nonzero(np.isinf(wide))
    assert found.finite == bool(np.isfinite(wide).all())
    assert sum(found.histogram.counts) == finite.size
    if not finite.size:
        assert math.isnan(found.minimum)
        assert math.isnan(found.mean)
        return
    assert (found.minimum, found.maximum) == (finite.min(), finite.max())
    if abs(finite).max() > 1e150:
        assert found.minimum <= found.mean <= found.maximum
        assert math.isfinite(found.deviation)
        return
    size = abs(finite).max()
    assert math.isclose(found.mean, finite.mean(), rel_tol=1e-9, abs_tol=1e-12 * size)
    assert math.isclose(found.deviation, finite.std(), rel_tol=1e-6, abs_tol=1e-7 * size)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8"])
def test_histogram_matches_numpy(dtype):
    values = (np.random.default_rng(5).standard_normal(50_000) * 1000).astype(dtype)
    counts, edges = np.histogram(values.astype("f8"), bins=BINS)
    found = statistics(values).histogram
    # A value on an edge may fall to either side of it.
    np.testing.assert_allclose(found.counts, counts, atol=30)
    np.testing.assert_allclose(found.edges, edges)


def test_one_single_value_is_one_bar():
    assert statistics(np.full((3, 3), 2.5)).histogram == ((9,), (2.5, 2.5))


def test_arrays_without_numbers_have_no_statistics():
    empty = statistics(np.zeros((0, 3)))
    assert (empty.count, empty.examined, empty.histogram.counts) == (0, 0, ())
    words = statistics(np.array(["a", "b"]))
    assert (words.count, words.examined) == (2, 0)
    assert math.isnan(words.zero_share)


def test_all_elements_are_examined_in_any_size_and_memory_layout():
    values = np.zeros((300, 1000), np.float32).T[::2]
    values[3, 7] = np.nan
    values[499, 299] = -np.inf
    values[100, 100] = 8
    found = statistics(values)
    assert (found.nan, found.infinite, found.maximum) == (1, 1, 8)
    assert found.zeros == values.size - 3


def test_a_sample_is_marked_as_such_and_evenly_spread():
    values = np.repeat(np.arange(1000, dtype=np.float32), 1000)
    found = statistics(values, limit=100_000)
    assert found.sampled
    assert found.examined <= 100_000
    assert (found.minimum, found.maximum) == (0, 999)
    assert found.mean == pytest.approx(499.5, rel=0.02)
    assert sum(found.histogram.counts) == found.examined


def test_an_array_within_the_limit_is_not_sampled():
    assert not statistics(np.ones(5000), limit=5000).sampled


def test_extreme_values_raise_no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = statistics(np.array([1e308, -1e308, np.nan, np.inf, 5e-324]))
    assert found.deviation == pytest.approx(1e308 * math.sqrt(2 / 3))
    assert statistics(np.array([3e38, -3e38], np.float32)).deviation == pytest.approx(3e38)


def test_huge_values_have_exact_bounds():
    found = statistics(np.array(1.104833133733871e216))
    assert found.minimum == found.mean == found.maximum == found.histogram.edges[0]
    found = statistics(np.array([-1.7e308, 1.7e308]))
    assert (found.histogram.edges[0], found.histogram.edges[-1]) == (-1.7e308, 1.7e308)
    assert np.isfinite(found.histogram.edges).all()


@pytest.mark.parametrize("dtype", ["i8", "u8"])
def test_bounds_of_large_integers_are_exact(dtype):
    high = np.iinfo(dtype).max
    found = statistics(np.array([2**53 + 1, high, high - 1], dtype))
    assert (found.minimum, found.maximum) == (2**53 + 1, high)
    assert found.minimum <= found.mean <= found.maximum
    assert sum(found.histogram.counts) == 3


def test_deviations_far_from_zero_keep_their_digits():
    chance = np.random.default_rng(3)
    for mean, deviation in ((1e6, 1e-3), (-3e8, 1.0), (1.0, 1e-9), (0.0, 1e-20)):
        values = mean + deviation * chance.standard_normal(300_000)
        values[0] = mean + 50 * deviation
        assert statistics(values).deviation == pytest.approx(values.std(), rel=1e-6)
    outlier = np.concatenate([[1e12], np.full(10, 7.0), np.full(10, 9.0)])
    assert statistics(outlier).deviation == pytest.approx(outlier.std(), rel=1e-9)


def test_a_histogram_of_a_part_leaves_the_other_numbers_exact():
    values = np.random.default_rng(4).standard_normal(500_000).astype(np.float32)
    values[123_456], values[77] = 99.0, np.nan
    whole, part = statistics(values), statistics(values, bars=10_000)
    assert replace(part, histogram=whole.histogram) == whole
    assert part.maximum == 99.0
    assert part.examined == values.size
    assert sum(part.histogram.counts) < 20_000
    assert part.histogram.edges == whole.histogram.edges


@pytest.mark.parametrize("offset", [0.0, 1e-3, 3.0, 1e4, -1e6, 1e12, 1e17])
@pytest.mark.parametrize("scale", [1e-20, 1e-3, 1.0, 1e20, 1e35])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_mean_and_deviation_have_the_digits_of_the_data(offset, scale, dtype):
    drawn = np.random.default_rng(5).standard_normal(200_003)
    values = (drawn * scale + offset).astype(dtype)
    exact = values.astype(np.longdouble)
    found = statistics(values)
    assert found.deviation == pytest.approx(float(exact.std()), rel=1e-5)
    assert found.mean == pytest.approx(
        float(exact.mean()), abs=1e-6 * float(exact.std()) + 1e-300, rel=1e-7
    )


@pytest.mark.parametrize("nan", [0, 1, 5000])
def test_a_sample_for_the_histogram_is_within_the_range_and_even(nan):
    values = np.linspace(-3, 5, 100_000, dtype=np.float32)
    values[: nan * 2 : 2] = np.nan
    found = statistics(values, bars=COUNTED)
    counts = np.array(found.histogram.counts)
    assert found.examined == 100_000
    assert found.nan == nan
    assert COUNTED * 0.9 - nan <= counts.sum() <= COUNTED
    assert counts[4:].max() <= 1.1 * counts[4:].min()
