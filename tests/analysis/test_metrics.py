"""Every metric equals its formula, in every corner case, computed by independent sums."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.metrics import mean_squared_error

from nnefkit.analysis.metrics import BLOCK, metrics
from nnefkit.analysis.tolerance import DEFAULTS, EXACT, Tolerance, tolerance_for
from nnefkit.errors import InputError

INF, NAN = math.inf, math.nan
FLOATS = (np.float16, np.float32, np.float64)


def exactly(a, b):
    """The metrics of finite arrays by exact rational arithmetic."""
    x = [Fraction(float(v)) for v in np.ravel(a)]
    y = [Fraction(float(v)) for v in np.ravel(b)]
    noise = sum((u - v) ** 2 for u, v in zip(x, y, strict=True))
    signal = sum(u * u for u in x)
    return {
        "max_abs": float(max(abs(u - v) for u, v in zip(x, y, strict=True))),
        "rmse": root(noise / len(x)),
        "signal": signal,
        "noise": noise,
        "products": sum(u * v for u, v in zip(x, y, strict=True)),
        "squares_b": sum(v * v for v in y),
        "scale": float(max(map(abs, x))),
    }


def root(q: Fraction) -> float:
    """Square root of a fraction of any size, which float(q) might not hold."""
    if not q:
        return 0.0
    shift = (q.numerator.bit_length() - q.denominator.bit_length()) // 2
    scaled = q / Fraction(4) ** shift
    return float(np.ldexp(math.sqrt(scaled), shift))


def decibels(q: Fraction) -> float:
    """10 log10 of a fraction of any size."""
    shift = q.numerator.bit_length() - q.denominator.bit_length()
    return 10 * (math.log10(q / Fraction(2) ** shift) + shift * math.log10(2))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(7,), (3, 4, 5), (1, 1), ()])
def test_distances_are_those_of_exact_arithmetic(dtype, shape):
    rng = np.random.default_rng(1)
    a = rng.normal(size=shape).astype(dtype)
    b = (a + rng.normal(size=shape) * 0.01).astype(dtype)
    m, e = metrics(a, b), exactly(a, b)
    assert m.max_abs == e["max_abs"]
    assert m.max_rel == pytest.approx(e["max_abs"] / e["scale"], rel=1e-14)
    assert m.rmse == pytest.approx(e["rmse"], rel=1e-14)
    assert m.rmse**2 == pytest.approx(mean_squared_error(a, b), rel=1e-4)
    assert m.snr == pytest.approx(decibels(e["signal"] / e["noise"]), rel=1e-12)
    cosine = float(e["products"]) / math.sqrt(e["signal"] * e["squares_b"])
    assert m.cosine == pytest.approx(cosine, abs=1e-14)
    assert m.worst == tuple(np.argwhere(np.abs(np.float64(a) - b) == m.max_abs)[0])


finite64 = st.floats(-1e307, 1e307)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(finite64, finite64), min_size=1, max_size=8))
def test_distances_survive_magnitudes_whose_squares_overflow_or_vanish(pairs):
    a, b = (np.array(x) for x in zip(*pairs, strict=True))
    e = exactly(a, b) if np.isfinite(a - b).all() else None
    if e is None:
        assert metrics(a, b).max_abs == INF
        return
    m = metrics(a, b)
    assert m.max_abs == e["max_abs"]
    # A tiny result is known only up to one step of the smallest denormal number.
    assert m.rmse == pytest.approx(e["rmse"], rel=1e-12, abs=1e-323)
    if e["noise"] and e["signal"] and m.rmse > 1e-300:
        assert m.snr == pytest.approx(decibels(e["signal"] / e["noise"]), abs=1e-9)
    if e["signal"] and e["squares_b"] and min(m.scale, float(np.abs(b).max())) > 1e-290:
        cosine = e["products"] / (Fraction(root(e["signal"])) * Fraction(root(e["squares_b"])))
        assert m.cosine == pytest.approx(float(cosine), abs=1e-12)


CORNERS = [
    # a, b, what is expected of the metrics
    (
        [],
        [],
        {
            "count": 0,
            "max_abs": 0,
            "max_rel": 0,
            "rmse": 0,
            "snr": INF,
            "cosine": 1,
            "outside": 0,
            "worst": None,
        },
    ),
    ([0, 0], [0, 0], {"max_abs": 0, "max_rel": 0, "snr": INF, "cosine": 1, "different": 0}),
    ([0.0], [-0.0], {"max_abs": 0, "ulp": 0, "different": 0}),
    (
        [0, 0],
        [0, 1],
        {"max_abs": 1, "max_rel": INF, "snr": -INF, "cosine": 0, "outside": 1, "worst": (1,)},
    ),
    ([0, 1], [0, 0], {"max_abs": 1, "max_rel": 1, "snr": 0, "cosine": 0, "outside": 1}),
    ([1, 2], [-1, -2], {"cosine": -1, "max_rel": 2}),
    ([1, 2], [2, 4], {"cosine": 1, "max_rel": 1, "snr": 0}),
    (
        [NAN, 1],
        [NAN, 1],
        {"nan": (1, 1), "mismatched": 0, "different": 0, "max_abs": 0, "compared": 1},
    ),
    (
        [NAN, 1],
        [1, NAN],
        {"nan": (1, 1), "mismatched": 2, "outside": 2, "different": 2, "compared": 0},
    ),
    ([INF, 1], [INF, 1], {"infinite": (1, 1), "mismatched": 0, "different": 0, "snr": INF}),
    ([INF, 1], [-INF, 1], {"infinite": (1, 1), "mismatched": 1, "outside": 1, "max_abs": 0}),
    ([INF, 1], [NAN, 1], {"infinite": (1, 0), "nan": (0, 1), "mismatched": 1}),
    (
        [INF, 2],
        [5, 1],
        {"infinite": (1, 0), "mismatched": 1, "outside": 2, "max_abs": 1, "worst": (1,)},
    ),
    (
        [NAN],
        [NAN],
        {"compared": 0, "mismatched": 0, "max_abs": 0, "snr": INF, "cosine": 1, "scale": 0},
    ),
    ([3, NAN, 5, INF], [3, 1, 4, INF], {"max_abs": 1, "worst": (2,), "scale": 5, "compared": 2}),
]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("a", "b", "expected"), CORNERS)
def test_corners(a, b, expected, dtype):
    m = metrics(np.array(a, dtype), np.array(b, dtype))
    for name, value in expected.items():
        found = getattr(m, name)
        close = isinstance(value, float | int) and math.isfinite(value)
        assert found == (pytest.approx(value, abs=1e-12) if close else value), name


def test_without_comparable_elements_there_is_no_distance():
    m = metrics([NAN, 1.0], [2.0, NAN])
    assert all(math.isnan(x) for x in (m.max_abs, m.max_rel, m.rmse, m.snr, m.cosine))
    assert not m.ok


@pytest.mark.parametrize("dtype", FLOATS)
def test_ulp_counts_the_numbers_between(dtype):
    one = np.array([1], dtype)
    up, below = one, np.nextafter(one, dtype(0))
    for steps in range(1, 6):
        up = np.nextafter(up, dtype(2))
        assert metrics(one, up).ulp == steps
        assert metrics(below, up).ulp == steps + 1
    tiny = np.nextafter(np.array([0], dtype), dtype(1))
    assert metrics(-tiny, tiny).ulp == 2
    assert metrics(tiny, dtype([0])).ulp == 1


@settings(max_examples=100, deadline=None)
@given(st.floats(width=32, min_value=2**-120, max_value=2.0**120), st.integers(-40, 40))
def test_ulp_is_the_distance_in_spacings_within_a_binade(x, steps):
    x = np.float32(2.0 ** math.floor(math.log2(x)) * 1.5)
    y = np.float32(x + np.spacing(x) * np.float32(steps))
    assert metrics([x], np.array([y])).ulp == abs(steps)


def test_ulp_of_the_farthest_numbers_does_not_wrap():
    largest = np.finfo(np.float64).max
    # Every finite number of one sign but the zeros, twice.
    assert metrics(np.array([-largest]), np.array([largest])).ulp == 2 * (0x7FEF_FFFF_FFFF_FFFF)


def test_ulp_is_measured_for_equal_floating_point_types_only():
    x = np.ones(3, np.float32)
    assert metrics(x, x.astype(np.float64)).ulp is None
    assert metrics(x.astype(int), x.astype(int)).ulp is None
    assert metrics(x[:0], x[:0]).ulp == 0


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        (np.int64([2**60]), np.int64([2**60 + 1]), 1),
        (np.int64([-(2**63)]), np.int64([2**63 - 1]), 2**64 - 1),
        (np.int64([-(2**63)]), np.uint64([2**63]), 2**64),
        (np.uint64([2**64 - 1]), np.int64([-1]), 2**64),
        (np.int8([-128]), np.int8([127]), 255),
        (np.uint8([0]), np.int8([-1]), 1),
        (np.uint64([2**64 - 1]), np.uint64([2**64 - 2]), 1),
        (np.bool_([True]), np.bool_([False]), 1),
        (np.bool_([True]), np.int64([1]), 0),
    ],
)
def test_differences_of_integers_and_logicals_are_exact(a, b, distance):
    m = metrics(a, b)
    assert m.max_abs == float(distance)
    assert m.different == m.outside == (distance > 0)


def test_fractions_of_elements():
    a = np.arange(8)
    b = np.where(a < 2, a + 1, a)
    m = metrics(a, b)
    assert (m.different, m.different_share, m.outside_share) == (2, 0.25, 0.25)
    assert metrics(a == 1, b == 1).different_share == 2 / 8


def test_outside_counts_elements_beyond_what_the_whole_tensor_allows():
    a = np.array([100.0, 0.0, 1e-3])
    b = a + np.array([0.0, 0.009, 0.02])
    assert metrics(a, b, Tolerance(relative=1e-4)).outside == 1
    assert metrics(a, b, Tolerance(relative=1e-5)).outside == 2
    assert metrics(a, b, Tolerance(relative=1e-4, absolute=0.1)).outside == 0
    assert metrics(a, b).outside == 2


arrays = st.shared(
    st.sampled_from([np.float16, np.float32, np.float64, np.int8, np.int64, np.uint8, np.bool_]),
    key="dtype",
).flatmap(
    lambda dtype: hnp.arrays(
        dtype, st.shared(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0), key="shape")
    )
)


@settings(max_examples=150, deadline=None)
@given(arrays)
def test_an_array_equals_itself(x):
    m = metrics(x, x)
    assert (m.max_abs, m.max_rel, m.rmse, m.snr, m.cosine) == (0, 0, 0, INF, 1)
    assert (m.different, m.outside, m.mismatched, m.worst) == (0, 0, 0, None)
    assert m.ok


@settings(max_examples=150, deadline=None)
@given(arrays, arrays)
def test_the_two_sides_see_the_same_distance(a, b):
    m, n = metrics(a, b), metrics(b, a)
    for name in ("count", "max_abs", "rmse", "ulp", "different", "mismatched", "worst", "cosine"):
        assert getattr(m, name) == pytest.approx(getattr(n, name), nan_ok=True), name
    assert m.nan == n.nan[::-1]
    assert m.infinite == n.infinite[::-1]


@settings(max_examples=100, deadline=None)
@given(
    hnp.arrays(np.float64, 6, elements=st.floats(-1e3, 1e3)),
    hnp.arrays(np.float64, 6, elements=st.floats(-1e3, 1e3)),
    st.integers(-900, 900),
)
def test_relative_metrics_do_not_see_the_unit(a, b, exponent):
    a, b = np.round(a, 3), np.round(b, 3)
    m, n = metrics(a, b), metrics(np.ldexp(a, exponent), np.ldexp(b, exponent))
    assert m.snr == pytest.approx(n.snr, rel=1e-9, abs=1e-9)
    assert m.cosine == pytest.approx(n.cosine, abs=1e-12)
    assert m.max_rel == pytest.approx(n.max_rel, rel=1e-12)
    assert m.outside == n.outside


@pytest.mark.parametrize("size", [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 3])
def test_the_division_into_blocks_does_not_matter(size):
    rng = np.random.default_rng(size)
    a = rng.normal(size=size).astype(np.float32)
    b = a.copy()
    b[-1] += 1
    a[-2] = NAN
    m = metrics(a, b)
    assert (m.count, m.different, m.mismatched, m.worst) == (size, 2, 1, (size - 1,))
    assert m.max_abs == float(b[-1]) - float(a[-1])


@pytest.mark.parametrize(
    "arrange",
    [
        lambda x: np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),
        lambda x: np.asfortranarray(x),
        lambda x: x.astype(x.dtype.newbyteorder(">")),
        lambda x: np.repeat(x, 2, axis=3)[..., ::2],
        lambda x: x[:, ::-1].copy()[:, ::-1],
    ],
)
@pytest.mark.parametrize(("dtype", "digits"), [(np.float32, 1e-8), (np.float64, 1e-12)])
def test_layout_in_memory_does_not_matter(arrange, dtype, digits):
    rng = np.random.default_rng(0)
    a = rng.normal(size=(2, 20, 31, 41)).astype(dtype)
    b = a + dtype(0.1) * rng.normal(size=a.shape).astype(dtype)
    a[1, 2, 3, 4] = NAN
    expected, m = metrics(a, b), metrics(a, arrange(b))
    for name in ("snr", "cosine", "rmse"):
        assert getattr(m, name) == pytest.approx(getattr(expected, name), rel=digits)
    for name in ("max_abs", "ulp", "different", "outside", "worst", "nan"):
        assert getattr(m, name) == getattr(expected, name), name


@pytest.mark.parametrize("noise", [0.0, 1e-7, 1e-3, 1.0])
@pytest.mark.parametrize("scale", [1e-18, 1e-3, 1.0, 1e14, 1e25])
@pytest.mark.parametrize("size", [1, 255, 70_001])
def test_metrics_of_float32_are_those_of_double_precision(size, scale, noise):
    rng = np.random.default_rng(size)
    a = (scale * rng.normal(size=size)).astype(np.float32)
    b = (a * (1 + noise * rng.normal(size=size))).astype(np.float32)
    narrow, wide = metrics(a, b), metrics(a.astype(np.float64), b.astype(np.float64))
    assert narrow.snr == pytest.approx(wide.snr, rel=1e-7, abs=1e-6)
    assert narrow.rmse == pytest.approx(wide.rmse, rel=1e-6, abs=0)
    assert narrow.cosine == pytest.approx(wide.cosine, abs=3e-7)
    for name in ("count", "compared", "scale", "max_abs", "different", "worst"):
        assert getattr(narrow, name) == getattr(wide, name), name


def test_equal_arrays_with_infinities_and_without_elements():
    a = np.array([1.0, np.inf, -np.inf, -3.0], np.float32)
    m = metrics(a, a.copy())
    assert (m.compared, m.infinite, m.scale, m.ulp, m.ok) == (2, (2, 2), 3.0, 0, True)
    assert (m.snr, m.cosine, m.max_abs, m.worst, m.element) == (math.inf, 1.0, 0.0, None, None)
    assert metrics(a, a.astype(np.float64)).ulp is None
    assert metrics(a[:0], a[:0]).snr == math.inf


@pytest.mark.parametrize("bad", [["a"], [1j], [object()], np.array(["2020"], "M8[Y]")])
def test_anything_but_numbers_is_refused(bad):
    with pytest.raises(InputError, match="cannot be compared"):
        metrics(bad, bad)


def test_shapes_have_to_match():
    with pytest.raises(InputError, match=r"\[2\] and \[1, 2\]"):
        metrics([1, 2], [[1, 2]])


TOLERANCES = [
    (None, ["float32"], DEFAULTS["float32"]),
    (None, ["float16"], DEFAULTS["float16"]),
    (None, ["float64"], DEFAULTS["float64"]),
    (None, ["longdouble"], DEFAULTS["float64"]),
    (None, ["float32", "float64"], DEFAULTS["float32"]),
    (None, ["float16", "float32"], DEFAULTS["float16"]),
    (None, ["uint8"], EXACT),
    (None, ["bool"], EXACT),
    (None, ["bool", "float32"], DEFAULTS["float32"]),
    (0, ["float32"], EXACT),
    (1e-3, ["float16"], Tolerance(1e-3)),
    (1e-3, ["int32"], Tolerance(1e-3)),
    (1e-3, ["bool"], EXACT),
    (Tolerance(absolute=2), ["int32"], Tolerance(absolute=2)),
    ({"float32": 1e-2}, ["float32"], Tolerance(1e-2)),
    ({np.float32: 1e-2}, ["float32"], Tolerance(1e-2)),
    ({"scalar": 1e-2}, ["float64"], Tolerance(1e-2)),
    ({"scalar": 1e-2, "float64": 0}, ["float64"], EXACT),
    ({"integer": Tolerance(absolute=1)}, ["uint8"], Tolerance(absolute=1)),
    ({"integer": 1}, ["float32"], DEFAULTS["float32"]),
]


@pytest.mark.parametrize(("wanted", "dtypes", "expected"), TOLERANCES)
def test_tolerance_fits_the_dtype(wanted, dtypes, expected):
    assert tolerance_for(wanted, *map(np.dtype, dtypes)) == expected


@pytest.mark.parametrize("bad", ["1e-3", -1, NAN, {"float23": 1}, {"float32": "x"}, True])
def test_bad_tolerances_are_refused(bad):
    with pytest.raises(InputError):
        tolerance_for(bad, np.dtype("float32"))


def test_the_nearest_dtype_is_suggested_for_a_misspelled_one():
    with pytest.raises(InputError, match="Did you mean 'float32'"):
        tolerance_for({"flaot32": 1}, np.dtype("float32"))
