"""Element-wise operations (4.2) against their formulas, element by element, and against PyTorch."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nnefkit.operations import call

NAN, INF = math.nan, math.inf
SPECIAL = [NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.0, 1e30, -1e-30]


def run(name, *inputs, **attribs):
    (result,) = call(name, inputs, attribs)
    return result


# -- unary ----------------------------------------------------------------------------------------

UNARY = {
    "copy": lambda x: x,
    "neg": lambda x: -x,
    "rcp": lambda x: 1 / x,
    "exp": math.exp,
    "log": math.log,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "asinh": math.asinh,
    "acosh": math.acosh,
    "atanh": math.atanh,
    "abs": lambda x: x if x >= 0 else -x,
    "sign": lambda x: 1.0 if x > 0 else 0.0 if x == 0 else -1.0,
    "floor": lambda x: float(math.floor(x)),
    "ceil": lambda x: float(math.ceil(x)),
    "round": lambda x: float(math.floor(x + 0.5)),
    "sqr": lambda x: math.pow(x, 2.0),
    "sqrt": lambda x: math.pow(x, 0.5),
    "rsqr": lambda x: math.pow(x, -2.0),
    "rsqrt": lambda x: math.pow(x, -0.5),
    "log2": lambda x: math.log(x) / math.log(2.0),
}


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_unary_operations_compute_their_formula(name, dtype):
    drawn = np.random.default_rng(1).uniform(-2.5, 2.5, (3, 2, 50))
    if name == "acosh":
        drawn = np.abs(drawn) + 1
    elif name in ("log", "log2", "sqrt", "rsqrt", "rcp", "rsqr"):
        drawn = np.abs(drawn) + 0.01
    elif name in ("asin", "acos", "atanh"):
        drawn = drawn / 3
    x = drawn.astype(dtype)
    result = run(name, x)
    expected = [UNARY[name](float(item)) for item in x.flat]
    assert result.dtype == dtype
    assert result.shape == x.shape
    tolerance = 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(result.ravel(), expected, tolerance, tolerance)


def test_not_computes_its_formula():
    np.testing.assert_array_equal(run("not", np.array([True, False])), [False, True])


@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        ("round", 0.5, 1.0),
        ("round", -0.5, 0.0),
        ("round", 2.5, 3.0),
        ("round", -2.5, -2.0),
        ("round", 0.49999999999999994, 0.0),
        ("round", 2.0**52 + 1, 2.0**52 + 1),
        ("round", INF, INF),
        ("round", -INF, -INF),
        ("round", NAN, NAN),
        ("rcp", 0.0, INF),
        ("rcp", -0.0, -INF),
        ("rcp", -INF, -0.0),
        ("log", 0.0, -INF),
        ("log", -1.0, NAN),
        ("log2", 0.0, -INF),
        ("log2", 8.0, 3.0),
        ("exp", 1000.0, INF),
        ("exp", -1000.0, 0.0),
        ("sqrt", -1.0, NAN),
        ("rsqrt", 0.0, INF),
        ("rsqrt", -0.0, INF),
        ("rsqrt", INF, 0.0),
        ("rsqr", 0.0, INF),
        ("rsqr", 1e200, 0.0),
        ("sqr", 1e200, INF),
        ("sign", NAN, NAN),
        ("sign", -0.0, 0.0),
        ("sign", -INF, -1.0),
        ("abs", -INF, INF),
        ("asin", 2.0, NAN),
        ("acosh", 0.5, NAN),
        ("atanh", 1.0, INF),
        ("tanh", INF, 1.0),
        ("floor", -0.5, -1.0),
        ("ceil", NAN, NAN),
    ],
)
def test_unary_operations_at_their_corners(name, x, expected):
    rank_0 = run(name, np.array(x))
    assert isinstance(rank_0, np.ndarray)
    assert rank_0.shape == ()
    np.testing.assert_equal(rank_0[()], expected)
    np.testing.assert_array_equal(run(name, np.full((3, 300), x)), expected)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_odd_integers_and_halves_round_exactly_where_the_dtype_has_no_more_digits(dtype):
    digits = np.finfo(dtype).nmant
    x = np.array([2.0**digits + 1, 2.0**digits - 1, 2.0 ** (digits - 1) + 0.5], dtype)
    expected = [2.0**digits + 1, 2.0**digits - 1, 2.0 ** (digits - 1) + 1]
    assert run("round", x).tolist() == expected


# -- binary ---------------------------------------------------------------------------------------


def divide(x, y):
    if y == 0:
        return NAN if x == 0 or math.isnan(x) else math.copysign(INF, x) * math.copysign(1, y)
    return x / y


BINARY = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": divide,
    "lt": lambda x, y: x < y,
    "gt": lambda x, y: x > y,
    "le": lambda x, y: x <= y,
    "ge": lambda x, y: x >= y,
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: x != y,
    "min": lambda x, y: x if x < y else y,
    "max": lambda x, y: x if x > y else y,
}


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("repeats", [1, 10])
def test_binary_operations_compute_their_formula_for_all_kinds_of_numbers(name, repeats):
    x, y = (np.array(side) for side in zip(*itertools.product(SPECIAL, SPECIAL), strict=True))
    expected = np.array([BINARY[name](float(a), float(b)) for a, b in zip(x, y, strict=True)])
    result = run(name, np.tile(x, (repeats, 1)), np.tile(y, (repeats, 1)))
    assert result.dtype == expected.dtype
    np.testing.assert_array_equal(result, np.tile(expected, (repeats, 1)))


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("size", [1, 1000, 70000])
def test_a_literal_as_second_argument_has_the_same_result(name, size):
    x = np.resize(np.array(SPECIAL, np.float32), size)
    for y in [NAN, INF, 0.0, 1.0, -1.0]:
        expected = [BINARY[name](float(a), y) for a in x[: len(SPECIAL)]]
        result = run(name, x, y)
        np.testing.assert_array_equal(result, np.resize(expected, size).astype(result.dtype))
        assert result.dtype in (np.float32, np.bool_)
        swapped = [BINARY[name](y, float(a)) for a in x[: len(SPECIAL)]]
        expected = np.resize(swapped, size).astype(result.dtype)
        np.testing.assert_array_equal(run(name, y, x), expected)


def test_power_is_that_of_the_c_library():
    x, y = (np.array(side) for side in zip(*itertools.product(SPECIAL, SPECIAL), strict=True))
    expected = torch.pow(torch.from_numpy(x), torch.from_numpy(y)).numpy()
    np.testing.assert_allclose(run("pow", x, y), expected, 1e-14)


@pytest.mark.parametrize("exponent", [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 1e30, 1.5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_literal_exponents_have_the_same_result_as_arrays(exponent, dtype):
    x = np.array([*SPECIAL, 1e-20, 1.7], dtype)
    result = run("pow", x, exponent)
    assert result.dtype == dtype
    expected = torch.pow(torch.from_numpy(x), torch.full(x.shape, exponent, dtype=torch.float64))
    if dtype is np.float32:
        expected = expected.float()
    np.testing.assert_allclose(result, expected, 4 * np.finfo(dtype).eps)


def test_logical_operations_compute_their_tables():
    x, y = np.array([[False, False, True, True], [False, True, False, True]])
    assert run("and", x, y).tolist() == [False, False, False, True]
    assert run("or", x, y).tolist() == [False, True, True, True]
    assert run("or", x, True).tolist() == [True] * 4


@pytest.mark.parametrize("repeats", [1, 10])
def test_clamp_computes_its_formula_for_all_kinds_of_numbers(repeats):
    for low, high in itertools.product(SPECIAL, SPECIAL):
        expected = [BINARY["max"](BINARY["min"](x, high), low) for x in SPECIAL]
        x = np.tile(np.array(SPECIAL), (repeats * 10, 1))
        np.testing.assert_array_equal(run("clamp", x, low, high), np.tile(expected, (len(x), 1)))
        bounds = np.full_like(x, low), np.full_like(x, high)
        np.testing.assert_array_equal(run("clamp", x, *bounds), np.tile(expected, (len(x), 1)))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i4", "i8", "u1", "?"])
@pytest.mark.parametrize("extent", [3, 50])
def test_select_takes_the_very_bits_of_its_values(dtype, extent):
    rng = np.random.default_rng(9)
    condition = rng.random((extent, 1, extent)) > 0.5
    x, y = (
        rng.integers(0, 2**8, (extent, 8 * extent), np.uint8).view(dtype)[:, :extent]
        if dtype != "?"
        else rng.random((extent, extent)) > 0.5
        for _ in range(2)
    )
    result = run("select", condition, x, y)
    expected = np.where(condition, x[..., None], y[..., None])
    assert result.dtype == x.dtype
    np.testing.assert_array_equal(result, expected)


def test_select_takes_one_of_two_values():
    condition = np.array([True, False])
    result = run("select", condition, np.zeros((2, 3), np.float32), -1.0)
    assert result.dtype == np.float32
    assert result.tolist() == [[0, 0, 0], [-1, -1, -1]]
    assert run("select", True, 1, 2).tolist() == 1
    assert run("select", np.array([[True, False]]), "no", "yes").tolist() == [["no", "yes"]]


# -- broadcasting, dtypes -------------------------------------------------------------------------


@given(st.data())
def test_missing_trailing_dimensions_are_ones(data):
    shape = data.draw(st.lists(st.integers(1, 3), max_size=6))
    operands = [
        np.arange(math.prod(own), dtype=np.float64).reshape(own)
        for _ in range(2)
        for own in [
            [
                data.draw(st.sampled_from([1, x]))
                for x in shape[: data.draw(st.integers(0, len(shape)))]
            ]
        ]
    ]
    rank = max(x.ndim for x in operands)
    filled = [x.reshape(x.shape + (1,) * (rank - x.ndim)) for x in operands]
    np.testing.assert_array_equal(run("sub", *operands), filled[0] - filled[1])
    np.testing.assert_array_equal(run("max", *operands), np.maximum(*filled))
    chosen = run("select", operands[0] > 1, operands[1], operands[0])
    np.testing.assert_array_equal(chosen, np.where(filled[0] > 1, filled[1], filled[0]))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "pow", "min", "max"])
def test_literals_do_not_widen(name, dtype):
    assert run(name, np.ones((2, 3), dtype), 2.5).dtype == dtype
    assert run(name, 2.5, np.ones((), dtype)).dtype == dtype


def test_a_literal_beyond_the_range_of_the_dtype_is_infinite():
    assert run("add", np.ones(2, np.float16), 1e30).tolist() == [INF, INF]


def test_results_do_not_change_their_arguments():
    for name in [*BINARY, "clamp", "relu", "sigmoid", "softmax"]:
        x = np.resize(np.array(SPECIAL, np.float32), (2, 800))
        before = x.copy()
        count = 3 if name == "clamp" else 2 if name in BINARY else 1
        run(name, *[x] * count, **({"axes": [1]} if name == "softmax" else {}))
        np.testing.assert_array_equal(x, before)
